"""Whoever submits contexts in the simulation: opens many in one call, adds, closes, cancels, reads endings; forgets
everything but what it has written down when it dies, and begins again from the top.

It has a mailbox, as everybody who submits: requests and replies of that get lost, and what it has not said when its
process dies is not said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol

from tests.contract.flows import Flow, Seed, inputs_of
from tests.simulation.schedule import Process, Schedule, again, step, wait
from tests.simulation.truth import Truth
from tidemill.backends.redis.backend import RedisBackend
from tidemill.errors import ContextClosed
from tidemill.networks.backend import Ending
from tidemill.plan.plan import Plan

__all__ = ["Planned", "Submitter"]


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

    def backend(self, process: Process, *, fresh: bool) -> RedisBackend: ...
    def plan_of(self, flow: Flow) -> Plan: ...
    def ended(self, context: str, ending: Ending, raw: bytes | None) -> None: ...


class Submitter:
    """One who submits. ``done`` is what it has written down: whose endings it has."""

    def __init__(self, world: World, owner: str, planned: Sequence[Planned]) -> None:
        self.world = world
        self.owner = owner
        self.planned = {one.name: one for one in planned}
        self.done: set[str] = set()
        self.finished = False
        self.refused: set[str] = set()
        self.start()

    def start(self) -> None:
        """Begin from the top."""
        self.finished = False
        self.process = Process(self.owner)
        self.backend = self.world.backend(self.process, fresh=True)
        self.backend.mail.crashed = _crashed
        self.world.schedule.start(self.process, self.owner, self._run())

    async def _run(self) -> None:
        rng, backend = self.world.rng, self.backend
        for one in self.planned.values():
            await backend.publish(self.world.plan_of(one.flow))
        missing = [one for one in self.planned.values() if one.name not in self.done]
        steps: list[list[Any]] = []
        while missing:
            batch = [missing.pop(rng.randrange(len(missing))) for _ in range(rng.randint(1, len(missing)))]
            await self._open(batch)
            steps += [list(self._steps(one)) for one in batch]
            for one in batch:
                if one.portions and rng.random() < 0.5:
                    self.world.schedule.start(self.process, f"{self.owner} too", self._add(one))
        while steps or len(self.done) < len(self.planned):
            steps = [one for one in steps if one]
            if steps and rng.random() < 0.7:
                await rng.choice(steps).pop(0)()
            elif backend.mail._reading is not None and not steps:
                await backend.mail._reading
            else:
                await wait(until=self.world.schedule.now + rng.random())
        if backend.mail._reading is not None:
            await backend.mail._reading  # it says what it has read
        self.finished = True

    async def _open(self, batch: list[Planned]) -> None:
        """Open contexts through the mailbox, some of them in one call."""
        opened = []
        for one in batch:
            plan = self.world.plan_of(one.flow)
            given = inputs_of(one.flow, one.first)
            heard = partial(self._heard, one.name)
            opened.append(self.backend.begin(one.name, plan, given, heard, strict=one.flow.strict, hold=one.hold))
            if self.world.rng.random() < 0.3:
                await step()
        for done in opened:
            await done
        self.world.schedule.said(self.owner, "has opened", *[one.name for one in batch])

    def _heard(self, name: str, raw: bytes) -> None:
        """Write down how a context has ended."""
        self.world.ended(name, self.backend.ending_of(raw), raw)
        self.done.add(name)

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


def _crashed(error: BaseException) -> None:
    raise AssertionError(f"a mailbox has broken down: {error}") from error
