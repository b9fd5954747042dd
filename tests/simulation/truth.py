"""What a store has granted, as whoever sees every request and every answer knows it, and what must hold of that.

It is told what runners are about to say and what the store has answered, lost replies included. From that alone it
knows who holds what, how often each parameter set was leased and how often it may have been. When the store falls back
to an earlier state this does, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgpack

from tidemill.networks.implementations import Completed, Emitted, Failed, Lost, Report

__all__ = ["Granted", "Truth"]

PACKED = 0x80
Key = tuple[str, str]
Steps = tuple[str, list[tuple[int, int]]]
"""What was run ahead of the lease of a parameter set: one after the other, the channel that it follows from and the
operation."""


@dataclass
class Granted:
    """A parameter set of a context (by its number in the shard), and to whom it is leased.

    ``state``: "held"; "said": its end has been said, and may not have arrived; "free". ``allowed`` counts what may have
    led to one lease more: deaths of its holders, failed tries, what was handed back, children that ended, new epochs.
    """

    name: str
    context: str
    op: int
    id: str
    runner: str = ""
    lease: int = 0
    state: str = "free"
    leases: int = 0
    allowed: int = 0
    lost: int = 0
    failed: int = 0


@dataclass
class Books:
    """What goes back with the store."""

    sets: dict[Key, Granted] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)

    def copied(self) -> Books:
        """Return what does not change with this."""
        sets = {key: replace(one) for key, one in self.sets.items()}
        return Books(sets, set(self.closed), set(self.cancelled), set(self.opened), set(self.read))


class Truth:
    """Everything that the store has done. ``locks`` returns the locks of a parameter set of a context, worked out
    afresh; ``said`` remembers events."""

    def __init__(self, locks: Callable[[Granted], frozenset[int]], said: Callable[..., None]) -> None:
        self.books = Books()
        self.gone: set[str] = set()
        self.epoch = 0
        self.moves = 0
        self.look = False
        self.saved = 0
        self.poisoned: set[str] = set()
        self.raw: dict[str, bytes] = {}
        self.ahead: dict[str, list[Steps]] = {}
        self.closed: dict[str, list[tuple[str, int]]] = {}  # of the output stage, and over how many inputs
        self._workers: set[str] = set()
        self._beats: dict[str, int] = {}
        self._alone: set[str] = set()
        self._over: set[str] = set()  # who has no worker, and may hold what is of an epoch before
        self._locks = locks
        self._said = said
        self._known: dict[str, Callable[[list[Any], Any], None]] = {
            "cycle": self._cycle,
            "hello": self._hello,
            "beat": self._beat,
            "expire": self._expire,
            "lose": self._lose,
            "bye": self._bye,
            "recover": self._recover,
            "submit": self._submit,
            "close": self._close,
            "cancel": self._cancel,
            "endings": self._endings,
        }

    # -- what runners say -------------------------------------------------------------------------------------------

    def sends(self, runner: str, reports: Sequence[Report]) -> None:
        """A runner is about to say this of what it holds."""
        for report in reports:
            one = self.books.sets.get((report.parameter_set.context.id, report.parameter_set.worker or ""))
            if one is None or isinstance(report, Emitted) or (one.runner, one.lease) != (runner, report.lease):
                continue
            one.state = "said"
            one.allowed += not isinstance(report, Completed)
            one.failed += isinstance(report, Failed)
            if isinstance(report, Lost):
                self._count_lost(one)

    def is_gone(self, runner: str) -> bool:
        """Say whether the store must refuse a runner."""
        return runner in self.gone or runner.rpartition("/")[0] in self.gone

    def held_by(self, runners: Callable[[str], bool]) -> list[Granted]:
        """Return what some runners hold."""
        return [one for one in self.books.sets.values() if one.state != "free" and runners(one.runner)]

    # -- what the store answers -------------------------------------------------------------------------------------

    def saw(self, command: Sequence[Any], answer: Any) -> None:
        """The store has done something."""
        if command[0] != "FCALL":
            return
        verb = command[1].removeprefix("tidemill_1_")
        see = self._known.get(verb)
        if see is None:
            return
        if isinstance(answer, bytes) and answer and answer[0] >= PACKED:
            answer = msgpack.unpackb(answer, raw=True, strict_map_key=False)
        if isinstance(answer, list) and answer[:1] == [b"BLOBS"]:
            return  # a large value has to be sent again, and nothing was done
        request = msgpack.unpackb(command[4], raw=True, strict_map_key=False)
        see(request, answer)

    def _cycle(self, request: list[Any], answer: Any) -> None:
        runner = request[0].decode()
        if answer == b"FENCED":
            self._said(runner, "is refused")
            assert self.is_gone(runner) or runner in self._over, f"{runner} is held to be dead, and is not"
            return
        assert not self.is_gone(runner), f"{runner} is dead and is not refused"
        if "/" not in runner:
            self._alone.add(runner)
        if answer == b"PLAN":
            self._said(runner, "has to publish a plan again")
            return
        self._said(runner, "says", [one[0].decode() for one in request[2]], "gets", [one[4] for one in answer[0]])
        for report in request[2]:
            if len(report) > 7:
                self._ahead(report[1], report[2], report[4], report[7])
        for said in answer[0]:
            self._grant(runner, said)
        for context, first, identity, lease, _ in answer[4]:
            name = self.books.sets[context.decode(), first.decode()].name.encode()
            op = int(identity.partition(b":")[0])
            self._grant(runner, [name, context, b"", op, identity, lease, 0, 0, 0, [], (), b""])

    def _ahead(self, context: bytes, identity: bytes, given: list[Any], ahead: list[list[Any]]) -> None:
        steps: list[tuple[int, int]] = []
        for op, *more in ahead:
            if len(more) > 1:
                self.closed.setdefault(context.decode(), []).append((more[1].decode(), more[2]))
                break
            if len(given) != 1:
                break  # it is not so, and refused
            steps.append((given[0][0], op))
            (given,) = more or ([],)
        self.ahead.setdefault(context.decode(), []).append((identity.decode(), steps))

    def _grant(self, runner: str, said: list[Any]) -> None:
        name, context, _, op, identity, lease, _, tries, lost, *_, endings, _ = said
        self.raw.update({msgpack.unpackb(raw, raw=True, strict_map_key=False)[0].decode(): raw for raw in endings})
        key = context.decode(), identity.decode()
        one = self.books.sets.setdefault(key, Granted(name.decode(), key[0], op, key[1]))
        if (one.runner, one.lease) == (runner, lease) and one.state != "free":
            return  # the same answer again
        assert one.state != "held", f"{one} is leased to {runner}, too"
        assert lease > one.lease, f"{one} is leased to {runner} under the number {lease} again"
        one.runner, one.lease, one.state, one.leases = runner, lease, "held", one.leases + 1
        self.moves += 1
        assert one.leases - 1 <= one.allowed, f"{one} is leased once more, for no reason"
        assert tries <= one.failed, f"{one} is said to have failed {tries} times"
        assert lost <= one.lost, f"{one} is said to have been lost {lost} times"
        mine = self._locks(one)
        for other in self.books.sets.values() if mine else ():
            if other is not one and other.state == "held" and other.context == one.context:
                assert not mine & self._locks(other), f"{one} and {other} hold a lock at once"

    def _taken_back(self, runners: Callable[[str], bool], lost: bool) -> None:
        self.look = True  # whoever keeps the books is to look at them now
        for one in self.held_by(runners):
            one.state = "free"
            one.allowed += 1
            if lost:
                self._count_lost(one)

    def _count_lost(self, one: Granted) -> None:
        one.lost += 1
        if one.lost >= 3:
            self.poisoned.add(one.name)

    def _hello(self, request: list[Any], answer: Any) -> None:
        if answer != b"TAKEN":
            self._workers.add(request[0].decode())
            self.gone.discard(request[0].decode())
            self._beats[request[0].decode()] = 0

    def _beat(self, request: list[Any], answer: Any) -> None:
        if answer != b"GONE":
            worker = request[0].decode()
            self._beats[worker] = max(self._beats.get(worker, 0), request[1])

    def _expire(self, request: list[Any], answer: Any) -> None:
        worker, count = request[0].decode(), request[1].decode()
        self.saved += answer == b"ALIVE"
        if answer != b"ALIVE":
            self._said("worker", worker, "is expired at", count)
            known = self._beats.get(worker, 0)
            late = worker in self.gone or not count.isdecimal() or int(count) == known
            assert late, f"{worker} is expired at {count}, and has beaten {known} times"
            self._depart(worker, lost=count != "released")

    def _bye(self, request: list[Any], _: Any) -> None:
        self._depart(request[0].decode(), lost=False)

    def _depart(self, worker: str, lost: bool) -> None:
        self.gone.add(worker)
        self._taken_back(lambda runner: runner.rpartition("/")[0] == worker, lost)

    def _lose(self, request: list[Any], _: Any) -> None:
        runner = request[0].decode()
        if "/" in runner:
            self.gone.add(runner)
        self._taken_back(lambda one: one == runner, request[2] == b"lost")

    def _recover(self, request: list[Any], answer: Any) -> None:
        if answer != b"STALE" and request[0] > self.epoch:
            self.epoch = request[0]
            self._said("the epoch is", self.epoch)
            self._taken_back(lambda _: True, lost=False)
            self.gone |= self._workers
            self._over, self._alone = self._over | self._alone, set()

    def _submit(self, request: list[Any], answer: Any) -> None:
        for one, said in zip(request[1], answer, strict=True):
            if said == b"OK":
                self.books.opened.add(one[0].decode())

    def _close(self, request: list[Any], answer: Any) -> None:
        if answer == b"OK":
            self.books.closed.add(request[0].decode())

    def _cancel(self, request: list[Any], answer: Any) -> None:
        if answer == b"OK":
            self.books.cancelled.add(request[0].decode())

    def _endings(self, request: list[Any], answer: Any) -> None:
        self.moves += len(answer)
        if not request[3]:
            self.books.read |= {name.decode() for name in request[2]}
