"""The verbs of the library with whatever arguments: wrong ones, repeated ones, stale ones. What each answers is what a
model of the protocol says, and after each the books of the shard are right."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.contract.shapes import A
from tests.simulation.audit import Audit
from tests.simulation.play import load
from tests.simulation.protocol import BACKOFF, LOCKED, PLAN, Context, Model, Set
from tests.simulation.wire import Wire
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.workers import RedisWorkers, WorkerTaken
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import ContextClosed, OperationFailure
from tidemill.model.input import Input
from tidemill.networks.implementations import Completed, Emitted, Failed, Fenced, Lost, Released, Report

NAMES = st.sampled_from(["one", "two"])
OWNERS = st.sampled_from(["me", "you"])
WORKERS = st.sampled_from(["v", "w"])
RUNNERS = st.sampled_from(["v/1", "v/2", "w/1", "alone"])
HOW = st.sampled_from(["completed", "completed", "failed", "lost", "released"])
INPUTS = st.lists(st.sampled_from(["A1", "A2", "A3", "L1", "L2"]), max_size=3, unique=True)
EXAMPLES, STEPS = 300, 50


class Direct:
    """A connection that answers at once."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def fcall(self, *command: Any) -> Any:
        return self._wire.ask("FCALL", *command)

    async def set(self, *command: Any) -> Any:
        return self._wire.ask("SET", *command)


def done(run: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine comes to that waits for nothing."""
    try:
        run.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


@cache
def store() -> tuple[Wire, str]:
    """Start a server, once."""
    url = EmbeddedStore(durability="none").start().url
    wire = Wire(url)
    load(wire)
    return wire, url


class Protocol(RuleBasedStateMachine):
    """One shard and the model of it."""

    numbers = itertools.count()

    @initialize()
    def begin(self) -> None:
        self.wire, url = store()
        self.wire.ask("FLUSHDB")
        self.model = Model()
        client = Client(url, prefix=f"m{next(self.numbers)}:")
        self.client: Any = client
        self.client.redis = Direct(self.wire)
        self.backend = RedisBackend(client, lineage=True, now=lambda: self.model.now)
        self.workers = RedisWorkers(client)
        done(self.backend.publish(PLAN))
        self.leases: list[tuple[ParameterSet, Set, str, int]] = []
        self.cycles: list[tuple[str, list[tuple[int, str]], list[Report], int, bytes]] = []
        self.knows: dict[str, int] = {}
        self.unread: list[str] = []
        self.values = itertools.count(1)
        for worker in ("v", "w"):
            self.hello(worker)
        self.open("one", "me", ["A1", "A2", "L1"], False)

    # -- contexts ---------------------------------------------------------------------------------------------------

    def inputs(self, said: Sequence[str]) -> tuple[list[Input], dict[str, str]]:
        kinds = {"A": A, "L": LOCKED}
        return [Input(1, kinds[one[0]], uid=one) for one in said], {one: one[0] for one in said}

    @rule(name=NAMES, owner=OWNERS, said=INPUTS, hold=st.booleans())
    def open(self, name: str, owner: str, said: list[str], hold: bool) -> None:
        given, kinds = self.inputs(said)
        offers = self.backend.wired[PLAN.digest].first(given)
        request = [[name, PLAN.digest, offers, False, hold, True]]
        (answer,) = done(self.client.call("submit", owner, request, 1e6, False, 0.0))
        known = self.model.contexts.get(name)
        if known is not None:
            assert answer == (b"OK" if known.owner == owner else b"DUPLICATE")
            return
        assert answer == b"OK"
        context = self.model.contexts[name] = Context(name, owner, hold)
        context.add(kinds)
        context.settle()

    @rule(name=NAMES, said=INPUTS)
    def add(self, name: str, said: list[str]) -> None:
        given, kinds = self.inputs(said)
        context = self.model.contexts.get(name)
        if context is None or not context.takes:
            with pytest.raises(ContextClosed):
                done(self.backend.add(name, given))
        else:
            assert done(self.backend.add(name, given)) == context.add(kinds)
            context.settle()

    @rule(name=NAMES)
    def close(self, name: str) -> None:
        context = self.model.contexts.get(name)
        if context is None or context.ended:
            with pytest.raises(ContextClosed):
                done(self.backend.close(name))
            return
        done(self.backend.close(name))
        context.closed, context.hold = True, False
        context.settle()

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        context = self.model.contexts.get(name)
        if context is None or context.ended:
            with pytest.raises(ContextClosed):
                done(self.backend.cancel(name))
            return
        done(self.backend.cancel(name))
        self.model.cancel(context)

    @rule(owner=OWNERS, read=st.lists(NAMES, unique=True))
    def read(self, owner: str, read: list[str]) -> None:
        mine = [name for name in self.unread if self.model.contexts[name].owner == owner]
        read = [name for name in read if name in mine]
        found = done(self.client.call("endings", owner, 10, read, False))
        for name in read:
            self.unread.remove(name)
            del self.model.contexts[name]
        assert [name.decode() for name, _ in found] == [name for name in mine if name not in read]
        for name, raw in found:
            context, ending = self.model.contexts[name.decode()], self.backend.ending_of(raw)
            assert (ending.failure is not None) == context.cancelled
            assert ending.parameter_sets == len(context.sets)
            if not context.cancelled:
                values = sorted(ending.result["B"]) if context.told and ending.result else None
                assert values == (sorted(context.values) if context.told else None)
                assert len(ending.failures) == context.failures

    # -- workers ----------------------------------------------------------------------------------------------------

    @rule(worker=WORKERS)
    def hello(self, worker: str) -> None:
        if self.model.beats.get(worker, 0):
            with pytest.raises(WorkerTaken):
                done(self.workers.hello(worker, {}))
        else:
            assert done(self.workers.hello(worker, {})) == self.model.epoch
            self.model.beats[worker] = 0

    @rule(worker=WORKERS, count=st.integers(0, 3))
    def beat(self, worker: str, count: int) -> None:
        answer = done(self.workers.beat(worker, count, 0.0))
        assert (answer is None) == (worker not in self.model.beats)
        if answer is not None:
            self.model.beats[worker] = max(count, self.model.beats[worker])
            others = {name: str(many) for name, many in self.model.beats.items() if name != worker}
            assert (answer.epoch, answer.others) == (self.model.epoch, others)

    @rule(worker=WORKERS, count=st.integers(0, 3))
    def expire(self, worker: str, count: int) -> None:
        answer = done(self.workers.expire(worker, str(count)))
        if worker not in self.model.beats:
            assert answer == 0
        elif self.model.beats[worker] != count:
            assert answer is None
        else:
            assert answer == self.model.depart(worker, "lost")

    @rule(worker=WORKERS)
    def bye(self, worker: str) -> None:
        assert done(self.workers.bye(worker)) == self.model.depart(worker, "released")

    @rule(runner=RUNNERS, released=st.booleans())
    def lose(self, runner: str, released: bool) -> None:
        many = done(self.workers.lose(runner, "default", released=released))
        assert many == self.model.take_back(runner, "released" if released else "lost")
        if runner.rpartition("/")[0] in self.model.beats:
            self.model.gone.add(runner)

    @rule(epoch=st.integers(0, 4))
    def recover(self, epoch: int) -> None:
        assert done(self.workers.recover(epoch)) == (epoch >= self.model.epoch)
        if epoch > self.model.epoch:
            self.model.epoch = epoch
            for worker in list(self.model.beats):
                self.model.depart(worker, "released")
            self.model.take_back("alone", "released")

    @rule(seconds=st.sampled_from([0.5, BACKOFF]))
    def time_passes(self, seconds: float) -> None:
        self.model.now += seconds

    # -- cycles -----------------------------------------------------------------------------------------------------

    @rule(runner=RUNNERS, want=st.integers(1, 3))
    def lease(self, runner: str, want: int) -> None:
        self.cycle(runner, want, [])

    @rule(runner=RUNNERS, said=st.tuples(st.integers(0, 3), HOW, st.integers(-1, 9)))
    def tell(self, runner: str, said: tuple[int, str, int]) -> None:
        self.cycle(runner, 0, [said])

    @rule(said=st.tuples(st.integers(0, 3), HOW, st.integers(-1, 9)), want=st.integers(0, 2))
    def tell_truly(self, said: tuple[int, str, int], want: int) -> None:
        if said[0] < len(self.leases):
            self.cycle(self.leases[len(self.leases) - 1 - said[0]][2], want, [said])

    @rule(runner=RUNNERS, want=st.integers(0, 3),
          said=st.lists(st.tuples(st.integers(0, 9), HOW, st.integers(-1, 9)), max_size=3))  # fmt: skip
    def cycle(self, runner: str, want: int, said: list[tuple[int, str, int]]) -> None:
        """Say something of the latest leases, of whoever they are, under the number of the lease or beside it."""
        told, reports = [], list[Report]()
        for back, how, aside in said:
            if back < len(self.leases):
                at = len(self.leases) - 1 - back
                told.append((at, how))
                reports.append(self.report(at, how, 0 if aside > 0 else aside))
        nonce = next(self.values).to_bytes(16, "big")
        self.cycles.append((runner, told, reports, want, nonce))
        self.exchange(len(self.cycles) - 1, again=False)

    @rule(back=st.integers(0, 3))
    def cycle_again(self, back: int) -> None:
        if back < len(self.cycles):
            self.exchange(len(self.cycles) - 1 - back, again=True)

    def report(self, at: int, how: str, aside: int) -> Report:
        one, known, _, lease = self.leases[at]
        lease = max(1, lease + aside)
        if how == "completed":
            value = next(self.values)
            values = [item.value for item in done(self.backend.inputs.inputs(one.context, "B"))]
            return Completed(one, {"B": values} if known.instance == "tell" else {"b": value}, (), lease)
        if how == "failed":
            return Failed(one, OperationFailure("Exception", "boom", known.instance, known.instance, {}), lease)
        return Lost(one, "gone", lease) if how == "lost" else Released(one, lease)

    def exchange(self, at: int, again: bool) -> None:
        model = self.model
        runner, told, reports, want, nonce = self.cycles[at]
        if not model.alive(runner) or self.knows.get(runner, model.epoch) != model.epoch:
            with pytest.raises(Fenced):
                done(self.backend.implementations.exchange(runner, reports, want, nonce))
            self.knows.pop(runner, None)
            model.refused += len(reports)
            return
        self.knows[runner] = model.epoch
        leased, _ = done(self.backend.implementations.exchange(runner, reports, want, nonce))
        last, had = model.last.get(runner, (b"", []))
        if again and last == nonce:
            still = [
                (one, lease) for one, lease in had if (one.state, one.runner, one.lease) == ("held", runner, lease)
            ]
            assert [(self.which(one), one.leases) for one in leased] == [(self.key(one), lease) for one, lease in still]
            return
        model.due()
        for (place, how), report in zip(told, reports, strict=True):
            assert not isinstance(report, Emitted)
            value = report.returned.get("b", 0) if isinstance(report, Completed) else 0
            model.report(runner, self.leases[place][1], report.lease, how, value)
        free = sum(len(context.free()) for context in model.contexts.values())
        assert len(leased) <= want
        assert leased or not (want and free), f"{runner} gets nothing, and {free} could be leased"
        for one in leased:
            context = model.contexts[one.context.name]
            known = context.sets[self.which(one)[1:]]
            model.lease(runner, known, one.leases)
            self.leases.append((one, known, runner, one.leases))
        model.last[runner] = nonce, [(lease[1], lease[3]) for lease in self.leases[len(self.leases) - len(leased) :]]

    def which(self, one: ParameterSet) -> tuple[str, ...]:
        """Return the context, the operation and the identities of the inputs of what was leased."""
        hash_ = f"{self.client.tag}:c:{one.context.id}"
        uids = [(self.wire.ask("HGET", hash_, f"u{item.number}") or b"").decode() for item in one.items]
        return one.context.name, one.operation.instance, *uids

    def key(self, one: Set) -> tuple[str, ...]:
        return one.context, one.instance, *one.inputs

    # -- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        for name, context in self.model.contexts.items():
            if context.ended and name not in self.unread:
                self.unread.append(name)
        Audit(self.wire, self.client.tag, self.backend.wired)
        names = {name.decode() for name in self.wire.ask("HKEYS", f"{self.client.tag}:names")}
        assert names == {name for name, context in self.model.contexts.items() if not context.ended}
        assert int(self.wire.ask("GET", f"{self.client.tag}:refused:") or 0) == self.model.refused


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS)
