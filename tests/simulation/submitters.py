"""Whoever submits contexts in the simulation: opens many in one call, adds, closes, cancels, reads endings; forgets
everything but what it has written down when it dies, and begins again from the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

from tests.contract.flows import Flow, Seed, inputs_of
from tests.simulation.schedule import Process, Schedule, again
from tests.simulation.truth import Truth
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.patience import patiently
from tidemill.errors import ContextClosed
from tidemill.networks.backend import Ending
from tidemill.plan.plan import Plan

__all__ = ["Planned", "Submitter"]

RETENTION = 1e6


@dataclass
class Planned:
    """A context that is to be: what it is opened with, what is added in which portions, whether it is cancelled."""

    name: str
    flow: Flow
    first: tuple[Seed, ...]
    portions: list[tuple[Seed, ...]] = field(default_factory=list)
    hold: bool = False
    cancel: bool = False


class World(Protocol):
    """What a submitter needs of its world."""

    rng: Random
    schedule: Schedule
    truth: Truth

    def plan_of(self, flow: Flow) -> Plan: ...
    def ended(self, context: str, ending: Ending, raw: bytes | None) -> None: ...


class Submitter:
    """One who submits. ``done`` is what it has written down: whose endings it has."""

    def __init__(self, world: World, owner: str, planned: Sequence[Planned], backend: RedisBackend) -> None:
        self.world = world
        self.owner = owner
        self.planned = {one.name: one for one in planned}
        self.backend = backend
        self.process = Process(owner)
        self.done: set[str] = set()
        self.finished = False
        self.refused: set[str] = set()
        self.start()

    def start(self) -> None:
        """Begin from the top."""
        self.finished = False
        self.process = Process(self.owner)
        self.world.schedule.start(self.process, self.owner, self._run())

    async def _run(self) -> None:
        rng = self.world.rng
        for one in self.planned.values():
            await again(partial(self.backend.publish, self.world.plan_of(one.flow)))
        missing = [one for one in self.planned.values() if one.name not in self.done]
        steps: list[list[Any]] = []
        while missing:
            batch = [missing.pop(rng.randrange(len(missing))) for _ in range(rng.randint(1, len(missing)))]
            await self._open(batch)
            steps += [list(self._steps(one)) for one in batch]
            for one in batch:
                if one.portions and rng.random() < 0.5:
                    self.world.schedule.start(self.process, f"{self.owner} too", self._add(one))
        read: list[bytes] = []
        while steps or read or len(self.done) < len(self.planned):
            steps = [one for one in steps if one]
            if steps and rng.random() < 0.7:
                await rng.choice(steps).pop(0)()
                continue
            read = await self._read(read, wait=not steps)
        self.finished = True

    async def _open(self, batch: list[Planned]) -> None:
        requests = []
        for one in batch:
            plan = self.world.plan_of(one.flow)
            offers = self.backend.wired[plan.digest].first(inputs_of(one.flow, one.first))
            requests.append([one.name, plan.digest, offers, one.flow.strict, one.hold, True])
        said = (self.owner, requests, RETENTION, False, self.world.schedule.now)
        answers = await patiently(partial(self.backend.client.call, "submit", *said), "new contexts")
        assert answers == [b"OK"] * len(batch), f"{self.owner} opens {[one.name for one in batch]} and gets {answers}"
        self.world.schedule.said(self.owner, "has opened", *[one.name for one in batch])

    def _steps(self, one: Planned) -> Any:
        if one.hold:
            for portion in one.portions:
                for _ in range(1 + (self.world.rng.random() < 0.15)):  # what is known already is not taken again
                    yield partial(self._do, one, partial(self.backend.add, one.name, inputs_of(one.flow, portion)))
            yield partial(self._do, one, partial(self.backend.close, one.name))
        if one.cancel:
            yield partial(self._do, one, partial(self.backend.cancel, one.name))

    async def _add(self, one: Planned) -> None:
        """Add everything once more, at the same time: it has identities, so it counts once."""
        for portion in one.portions:
            await self._do(one, partial(self.backend.add, one.name, inputs_of(one.flow, portion)))

    async def _do(self, one: Planned, call: Any) -> None:
        try:
            await again(call)
        except ContextClosed:
            if one.hold and one.name not in self.world.truth.books.closed:
                self.refused.add(one.name)  # it has to have failed

    async def _read(self, read: list[bytes], wait: bool) -> list[bytes]:
        """Read endings, and say which have been read before; return what has been read now."""
        client = self.backend.client
        found = await patiently(partial(client.call, "endings", self.owner, 3, read, False), "questions")
        for raw_name, raw in found:
            name = raw_name.decode()
            assert name in self.planned, f"{self.owner} hears of {name}"
            assert raw, f"what became of {name} has been forgotten"
            whole = await again(partial(client.blobs.whole_ending, raw))
            self.world.ended(name, self.backend.ending_of(whole), whole)
            self.done.add(name)
        if wait and not found and len(self.done) < len(self.planned):
            await patiently(partial(client.filled, "inbox", self.owner), "whoever waits")
        return [name for name, _ in found]
