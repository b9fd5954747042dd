"""Recounts what a shard has counted, from its keys alone: counters, queues, who holds what, and who may not.

Nothing here calls the library, so a mistake of it cannot hide itself. An audit looks between two steps of the library,
when everything has to be right.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgpack

from tests.simulation.wire import Wire
from tidemill.backends.redis.plans import Wired

__all__ = ["Audit", "Shard"]

FIELDS = (
    "id", "name", "plan", "strict", "stage", "failed_stage", "held", "closed", "open", "leased", "backlog", "taken",
    "promised", "inputs", "given", "numbers", "visible", "holding", "depth", "parent", "place", "owner", "failure",
    "lineage", "box_first", "box_next", "results", "failures", "notes", "satisfied", "opened", "sealed", "forgiven",
    "aux", "kids", "turns", "group", "feeding",
)  # fmt: skip
READS = {b"hash": "HGETALL", b"list": "LRANGE", b"zset": "ZRANGE", b"set": "SMEMBERS", b"string": "GET"}
REST = {b"list": (0, -1), b"zset": (0, -1)}


def unpacked(raw: bytes) -> Any:
    """Return what the library has packed."""
    return msgpack.unpackb(raw, raw=True, strict_map_key=False)


class Shard:
    """Everything that a shard has, by kind of key and then by what comes after the kind."""

    def __init__(self, wire: Wire, tag: str) -> None:
        names = [name for name in wire.ask("KEYS", "*") if name.startswith(tag.encode() + b":")]
        kinds = wire.all([("TYPE", name) for name in names])
        values = wire.all([(READS[kind], n, *REST.get(kind, ())) for n, kind in zip(names, kinds, strict=True)])
        self.keys: dict[str, dict[str, Any]] = {}
        for name, kind, value in zip(names, kinds, values, strict=True):
            what, _, rest = name.decode()[len(tag) + 1 :].partition(":")
            read = dict(zip(value[::2], value[1::2], strict=True)) if kind == b"hash" else value
            self.keys.setdefault(what, {})[rest] = read

    def of(self, kind: str) -> dict[str, Any]:
        """Return the keys of a kind."""
        return self.keys.get(kind, {})

    def one(self, kind: str) -> Any:
        """Return the only key of a kind; an empty mapping if there is none."""
        return next(iter(self.of(kind).values()), {})

    def listed(self, kind: str) -> list[tuple[str, list[str]]]:
        """Return the words of each entry of all lists of a kind, with what comes after the kind."""
        return [(rest, raw.decode().split(" ")) for rest, entries in self.of(kind).items() for raw in entries]


class Record:
    """The record of a parameter set."""

    def __init__(self, context: Context, identity: str, raw: bytes) -> None:
        said = unpacked(raw)
        self.id = identity
        self.state = said[0].decode()
        self.leases: int = said[5]
        self.runner = said[6].decode()
        self.locks = set(said[7])
        self.op, *self.numbers = (int(part) for part in identity.split(":"))
        self.operation = context.wired.plan.operations[self.op]
        self.current = self.operation.stage.value == context.stage


class Context:
    """A context as its hash has it."""

    def __init__(self, fields: dict[bytes, bytes], wired: Mapping[str, Wired]) -> None:
        self.fields = fields
        self.said = dict(zip(FIELDS, unpacked(fields[b"s"]), strict=True))
        self.id = self.said["id"].decode()
        self.name = self.said["name"].decode()
        self.stage = self.said["stage"].decode()
        self.wired = wired[self.said["plan"].decode()]
        self._locks: dict[int, frozenset[int]] = {}
        self.records = {
            field[1:].decode(): Record(self, field[1:].decode(), raw)
            for field, raw in fields.items()
            if field[:1] == b"p"
        }

    def locks_of(self, numbers: list[int]) -> frozenset[int]:
        """Return the locked inputs among some and all their ancestors."""
        return frozenset[int]().union(*map(self._locks_below, numbers))

    def _locks_below(self, number: int) -> frozenset[int]:
        if number not in self._locks:
            raw = self.fields[f"i{number}".encode()]
            (long,) = struct.unpack(">I", raw[:4])
            head = unpacked(raw[4 : 4 + long])
            channel = self.wired.channel(head[0])
            found = self.locks_of(head[1])
            self._locks[number] = found | {number} if channel is not None and channel.definition.lock else found
        return self._locks[number]

    def boxes(self) -> list[Any]:
        """Return the boxes of combinations that have not been walked to their ends."""
        return [unpacked(raw) for field, raw in self.fields.items() if field[:1] == b"b"]


class Audit:
    """One look at a shard. Raises `AssertionError` for the first thing that is wrong."""

    def __init__(self, wire: Wire, tag: str, wired: Mapping[str, Wired]) -> None:
        self.shard = Shard(wire, tag)
        self.contexts = {rest: Context(fields, wired) for rest, fields in self.shard.of("c").items()}
        names = {name.decode(): number.decode() for name, number in self.shard.one("names").items()}
        known = {context.name: number for number, context in self.contexts.items()}
        assert names == known, f"the names {names} are those of the contexts {known}"
        for context in self.contexts.values():
            counted(context)
            self._locked(context)
        self._held()
        self._dispatched()
        self._places()
        self._called()

    def _called(self) -> None:
        """Where there is work, somebody is to come who may take it: woken, or busy until now."""
        runners = [one for some in self.shard.of("runners").values() for one in some.items()]
        for pool, entries in self.shard.of("ready").items():
            alive = {runner for runner, serves in runners if serves.decode() == pool}
            idle = {runner for runner, how in self.shard.of("idle").get(pool, {}).items() if how == b"1"}
            said = f"{len(entries)} wait in the pool {pool} to be leased, and nobody of {alive} is called"
            assert not alive or alive - idle, said

    def _held(self) -> None:
        held = {
            (r, *field.decode().split(" ")): int(n.split(b" ")[0])
            for r, f in self.shard.of("held").items()
            for field, n in f.items()
        }
        leased = {
            (record.runner, context.id, record.id): record.leases
            for context in self.contexts.values()
            for record in context.records.values()
            if record.state == "leased"
        }
        assert held == leased, f"runners hold {held}, and leased is {leased}"

    def _locked(self, context: Context) -> None:
        """A parameter set stands once in the queue of each of its locks; whoever has them is first everywhere."""
        queues = {
            int(rest.split(":")[1]): [raw.decode() for raw in entries]
            for rest, entries in self.shard.of("q").items()
            if rest.split(":")[0] == context.id
        }
        wanted: Counter[tuple[int, str]] = Counter()
        has: dict[int, Record] = {}
        for record in context.records.values():
            locks = context.locks_of(record.numbers)
            assert record.locks == set(locks), (
                f"{context.name}: {record.id} has the locks {record.locks}, and not {locks}"
            )
            if record.current and record.state != "delayed":
                wanted.update((lock, record.id) for lock in locks)
            if record.state in ("leased", "parent") and (record.current or record.state == "leased"):
                for lock in sorted(locks):
                    other = has.setdefault(lock, record)
                    assert other is record, f"{context.name}: {other.id} and {record.id} hold the lock {lock}"
        standing = Counter((lock, identity) for lock, queue in queues.items() for identity in queue)
        assert standing == wanted, f"{context.name}: the queues of locks are {queues}, and ought to be {wanted}"
        for record in [one for one in context.records.values() if one.current and one.state != "delayed"]:
            first = all(queues[lock][0] == record.id for lock in record.locks)
            if record.state in ("dispatched", "leased", "parent"):
                assert first, f"{context.name}: {record.id} is {record.state}, and not first in {queues}"
            elif record.state == "taken":
                assert not first, f"{context.name}: {record.id} has all its locks and is not dispatched"
        listed = {int(raw) for raw in self.shard.of("l").get(context.id, ())}
        assert listed == set(queues), f"{context.name}: {listed} are said to have queues, and {set(queues)} have"

    def _dispatched(self) -> None:
        """What is dispatched waits in one place; what is delayed has a time."""
        lists = ("ready", "parked", "aside")
        waiting = Counter(tuple(entry[:2]) for kind in lists for _, entry in self.shard.listed(kind))
        delayed = Counter(tuple(entry[:2]) for _, entry in self.shard.listed("delayed"))
        for context in self.contexts.values():
            for record in context.records.values():
                who = (context.id, record.id)
                where = f"{context.name}: {record.id} is {record.state} and waits"
                if record.current:
                    assert waiting[who] == (record.state == "dispatched"), f"{where} in {waiting[who]} places"
                    assert delayed[who] == (record.state == "delayed"), f"{where} for {delayed[who]} times"

    def _places(self) -> None:
        """The places of operations of which only so many run at once."""
        taken: Counter[str] = Counter()
        for _, entry in self.shard.listed("ready"):
            if len(entry) == 3:
                taken[f"{entry[2]} {entry[1].split(':')[0]}"] += 1
        for context in self.contexts.values():
            for record in context.records.values():
                if record.state == "leased" and record.operation.operation.concurrency:
                    taken[f"{context.wired.plan.digest} {record.op}"] += 1
        running = {field.decode(): int(many) for field, many in self.shard.one("running").items()}
        for field in {*running, *taken}:
            said = f"{running.get(field, 0)} places of {field} are said to be taken, and {taken[field]} are"
            assert running.get(field, 0) == taken[field], said

    def idle(self) -> None:
        """Raise if there is work and somebody who waits for it has not been called; for when nobody moves."""
        ready = sum(len(entries) for entries in self.shard.of("ready").values())
        assert not ready, f"{ready} wait to be leased, and nobody has been woken"


def counted(context: Context) -> None:
    """Compare the counters of a context with what there is of it."""
    states = Counter(record.state for record in context.records.values() if record.current)
    leased = sum(record.state == "leased" for record in context.records.values())
    boxes = context.boxes()
    ahead = sum(math.prod(high - low for low, high in ranges) - place for _, ranges, place in boxes)
    waiting = states["taken"] + states["dispatched"]
    found = {
        "leased": leased,
        "backlog": waiting,
        "open": leased + waiting + states["delayed"] + len(context.said["kids"]) + len(boxes),
        "promised": ahead,
        "numbers": sum(field[:1] == b"i" for field in context.fields),
    }
    if context.stage:
        assert states["parent"] <= len(context.said["kids"]), f"{context.name}: {states} and {context.said['kids']}"
    for name, many in found.items():
        assert context.said[name] == many, f"{context.name}: {name} is {context.said[name]}, and {many} are found"
