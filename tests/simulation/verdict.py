"""What a world has come to, held against what its data flow means, and what may be left in its store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import takewhile
from types import SimpleNamespace
from typing import Any, cast

import msgpack

from tests.contract.chaos import Chaos, Seen
from tests.contract.driver import Ran
from tests.contract.fixpoint import Model, fixpoint
from tests.contract.test_fixpoint import compare_all, lineage, lineage_of
from tests.simulation.runners import EVIL
from tests.simulation.submitters import Planned
from tests.simulation.wire import Wire
from tests.simulation.world import World
from tidemill.engine.lineage import parameter_set_id
from tidemill.networks.backend import Ending

__all__ = ["judge"]

LASTING = {"plan", "flow", "serial", "counts", "refused", "running", "epoch"}
"""Kinds of keys that a shard keeps when nobody is there any more."""


def judge(world: World) -> Counter[str]:
    """Look at everything that a world has come to, and count it. Raises `AssertionError`."""
    tally: Counter[str] = Counter(flows=1)
    seen = _Seen(world)
    for submitter in world.submitters:
        for planned in submitter.planned.values():
            given = [*planned.first, *[seed for portion in planned.portions for seed in portion]]
            model = fixpoint(world.flow, planned.name, given)
            tally["contexts"] += 1
            tally["parameter sets"] += len(seen[planned.name].sets)
            _context(world, planned, seen, model, tally)
            if planned.name in submitter.refused:
                assert seen[planned.name].ending.failure, (
                    f"{planned.name} was closed to inputs before anybody closed it"
                )
    _left(world.wire, world.tag)
    return tally


class _Seen(dict[str, Seen]):
    """What was seen of each context that is asked for: child contexts of one that has failed may not have ended."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __missing__(self, name: str) -> Seen:
        ending, raw = self._world.endings[name]
        self[name] = _seen(self._world, name, ending, raw)
        return self[name]


def _context(world: World, planned: Planned, seen: dict[str, Seen], model: Model, tally: Counter[str]) -> None:
    name, ending = planned.name, seen[planned.name].ending
    poisoned = {one for one in world.truth.poisoned if one == name or one.startswith(f"{name}/")}
    cancelled = name in world.truth.books.cancelled
    reasons = {one.reason for one in (ending.failure, *ending.failures) if one is not None}
    assert EVIL not in {record.value for record in ending.lineage()}, f"{name} has what a zombie said"
    assert "Poisonous" not in reasons or poisoned, f"{name}: {reasons}, and nobody was lost three times"
    assert "Cancelled" not in reasons or cancelled, f"{name}: {reasons}, and nobody has cancelled it"
    if cancelled:
        assert ending.failure is not None, f"{name} was cancelled and has the result {ending.result}"
    if not (cancelled or poisoned):
        tally["compared"] += 1
        compare_all(cast(Chaos, SimpleNamespace(seen=seen)), model)
        return
    tally["cancelled" if cancelled else "poisoned"] += 1
    assert reasons <= {"Poisonous", "Cancelled", "Exception"}, f"{name} failed: {ending.failure}"
    cleanup = any(op.stage.value == "cleanup" for op in world.flow.operations)
    if not cleanup and not any(defined.default is not None for defined in world.flow.definitions):
        assert set(seen[name].sets) <= set(model.sets), f"{name} has parameter sets that it ought not to have"
        assert lineage(seen[name]) <= lineage_of(model), f"{name} has inputs that it ought not to have"


def _seen(world: World, name: str, ending: Ending, raw: bytes | None) -> Seen:
    """Return what was seen of a context: which parameter sets were leased, by their identities."""
    found = Seen(())
    found.ran = Ran(ending, [])
    said: Any = msgpack.unpackb(raw or world.truth.raw[name], raw=True, strict_map_key=False)
    records = iter(ending.lineage())
    ids = [next(records).id if item[0] != 0 else "default" for item in said[8]]
    plan = world.plan_of(world.flow_of(name))
    operations, follows = plan.operations, world.wired[plan.digest].follows
    mine = [one for one in world.truth.books.sets.values() if one.name == name]
    last = max((int(one.context) for one in mine), default=0)  # a further try of the parent opens a child anew
    for one in mine:
        if int(one.context) == last:
            numbers = [int(number) for number in one.id.split(":")[1:]]
            who = parameter_set_id(name, operations[one.op], [ids[number] for number in numbers])
            found.sets[who] += one.leases
    for identity, steps in world.truth.ahead.get(str(last), ()):
        true = takewhile(lambda step: follows.get(step[0]) is operations[step[1]], steps)
        for numbers, op in _run_ahead(identity, true, said[8]):
            who = parameter_set_id(name, operations[op], [ids[number] for number in numbers])
            found.sets[who] = max(1, found.sets[who])  # if it was not taken, what it has made is missing
    for identity in [identity for identity, many in world.truth.closed.get(str(last), ()) if many == len(ids)]:
        op, *numbers = [int(number) for number in identity.split(":")]
        who = parameter_set_id(name, operations[op], [ids[number] for number in numbers])
        found.sets[who] = max(1, found.sets[who])
    return found


def _run_ahead(identity: str, steps: Iterable[tuple[int, int]], items: Any) -> Iterator[tuple[list[int], int]]:
    """Yield the inputs and the operation of what was run ahead of a parameter set, as far as its inputs were made."""
    numbers = [int(number) for number in identity.split(":")[1:]]
    made = {(item[0], tuple(item[1])): number for number, item in enumerate(items) if isinstance(item[0], int)}
    for channel, op in steps:
        number = made.get((channel, tuple(numbers)))
        if number is None:
            return
        numbers = [number]
        yield numbers, op


def _left(wire: Wire, tag: str) -> None:
    """Raise if a store keeps what belongs to nobody. What is in it for an hour is a blob that nobody refers to."""
    names = [name.decode() for name in wire.ask("KEYS", "*")]
    left = [name for name in names if name[len(tag) + 1 :].split(":")[0] not in LASTING]
    left = [name for name in left if wire.ask("TTL", name) < 0]
    mine = [name for name in left if name.split(":")[-1] != "alone"]
    assert not mine, f"nobody is there any more, and there is still {mine}"
