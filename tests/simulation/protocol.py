"""A small model of the protocol, for one data flow: what each verb of the library has to answer, whoever asks what.

It knows parameter sets by their operation and the identities of their inputs, who holds which and under which number,
who is alive, and what has been computed. It is told which parameter sets were leased, and says whether that may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from tests.contract.shapes import A, B, flow, operation, output
from tidemill.model.definition import Definition
from tidemill.plan.compile import compile_plan

__all__ = ["BACKOFF", "LOCKED", "PLAN", "TRIES", "Context", "Model", "Set"]

BACKOFF, TRIES, LOST = 5.0, 2, 3
LOCKED = Definition("L", "int", lock=True)
PLAN = compile_plan(
    flow(
        operation("use", {"a": A}, {"b": B}, retry=TRIES, backoff=BACKOFF),
        operation("lock", {"l": LOCKED, "a": A}, {"b": B}, retry=TRIES, backoff=BACKOFF),
        output("tell"),
    )
)


@dataclass
class Set:
    """A parameter set: "ready", "held", "delayed" or "over"."""

    context: str
    instance: str
    inputs: tuple[str, ...]
    state: str = "ready"
    runner: str = ""
    lease: int = 0
    tries: int = 0
    lost: int = 0
    due: float = 0.0


@dataclass
class Context:
    """A context that is open, or has ended and has not been read."""

    name: str
    owner: str
    hold: bool
    closed: bool = False
    given: dict[str, str] = field(default_factory=dict)
    sets: dict[tuple[str, ...], Set] = field(default_factory=dict)
    values: list[int] = field(default_factory=list)
    failures: int = 0
    cancelled: bool = False
    telling: bool = False
    told: bool = False
    ended: bool = False

    @property
    def takes(self) -> bool:
        """Whether it takes inputs."""
        return not (self.closed or self.telling or self.cancelled or self.ended)

    def add(self, inputs: dict[str, str]) -> int:
        """Take inputs, by identity; return how many are new."""
        new = {uid: kind for uid, kind in inputs.items() if uid not in self.given}
        self.given.update(new)
        plain = [uid for uid, kind in self.given.items() if kind == "A"]
        locked = [uid for uid, kind in self.given.items() if kind == "L"]
        for key in [*(("use", uid) for uid in plain), *(("lock", *pair) for pair in product(plain, locked))]:
            self.sets.setdefault(key, Set(self.name, key[0], key[1:]))
        return len(new)

    def settle(self) -> None:
        """Move on when there is nothing left to do."""
        held = [one for one in self.sets.values() if one.state == "held"]
        if self.cancelled:
            self.ended = not held
        elif not self.hold and all(one.state == "over" for one in self.sets.values()):
            self.ended, self.telling = self.telling, True
            self.sets.setdefault(("tell",), Set(self.name, "tell", ()))

    def free(self) -> list[Set]:
        """Return the parameter sets that wait for nothing but a runner, and for locks that nobody holds."""
        taken = {one.inputs[1] for one in self.sets.values() if one.state == "held" and one.instance == "lock"}
        ready = [one for one in self.sets.values() if one.state == "ready" and not self.ended]
        return [one for one in ready if one.instance != "lock" or one.inputs[1] not in taken]


class Model:
    """Everything that a shard has to know."""

    def __init__(self) -> None:
        self.contexts: dict[str, Context] = {}
        self.beats: dict[str, int] = {}
        self.gone: set[str] = set()
        self.last: dict[str, tuple[bytes, list[tuple[Set, int]]]] = {}
        self.epoch = 0
        self.refused = 0
        self.now = 0.0

    # -- who is there -----------------------------------------------------------------------------------------------

    def alive(self, runner: str) -> bool:
        """Say whether a runner may speak."""
        worker = runner.rpartition("/")[0]
        return runner not in self.gone and (not worker or worker in self.beats)

    def held(self, runner: str = "") -> list[Set]:
        """Return what a runner holds, or what all hold."""
        sets = [one for context in self.contexts.values() for one in context.sets.values()]
        return [one for one in sets if one.state == "held" and runner in ("", one.runner)]

    def take_back(self, runner: str, how: str) -> int:
        """Take back what a runner holds."""
        self.last.pop(runner, None)
        mine = self.held(runner)
        for one in mine:
            self.end(one, how, 0)
        return len(mine)

    def depart(self, worker: str, how: str) -> int:
        """Take back what a worker holds, and forget it."""
        self.beats.pop(worker, None)
        self.gone -= {runner for runner in self.gone if runner.startswith(f"{worker}/")}
        runners = {one.runner for one in self.held()} | set(self.last)
        return sum(self.take_back(one, how) for one in sorted(runners) if one.startswith(f"{worker}/"))

    # -- what becomes of parameter sets -----------------------------------------------------------------------------

    def due(self) -> None:
        """Let further tries begin whose time has come."""
        for context in self.contexts.values():
            for one in context.sets.values():
                if one.state == "delayed" and one.due <= self.now and not context.cancelled:
                    one.state = "ready"

    def report(self, runner: str, one: Set, lease: int, how: str, value: int) -> None:
        """Take a report, if it is the holder's."""
        if (one.state, one.runner, one.lease) == ("held", runner, lease):
            self.end(one, how, value)
        else:
            self.refused += 1

    def end(self, one: Set, how: str, value: int) -> None:
        """End a lease."""
        context = self.contexts[one.context]
        one.lost += how == "lost"
        one.tries += how == "failed"
        limit = 1 if one.instance == "tell" else TRIES
        if how == "completed":
            one.state = "over"
            context.told |= one.instance == "tell"
            context.values += [value] if one.instance != "tell" else []
        elif (how == "lost" and one.lost >= LOST) or (how == "failed" and one.tries >= limit):
            one.state = "over"
            context.failures += 1
        elif context.cancelled:
            one.state = "over"
        else:
            one.state, one.due = ("delayed", self.now + BACKOFF) if how == "failed" else ("ready", 0.0)
        context.settle()

    def cancel(self, context: Context) -> None:
        """Drop what nobody holds."""
        context.cancelled = True
        for one in context.sets.values():
            if one.state != "held":
                one.state = "over"
        context.settle()

    def lease(self, runner: str, one: Set, number: int) -> None:
        """Lease a parameter set. Raises `AssertionError` where that must not be."""
        assert one in self.contexts[one.context].free(), f"{one} is leased to {runner}"
        assert number > one.lease, f"{one} is leased under the number {number}"
        one.state, one.runner, one.lease = "held", runner, number
