"""Workers of the simulation: supervisors that beat and watch each other, and the runners that live as long as they do.

Who watches is the `Watching` of the real worker, so to look and to expire are two steps, between which a beat may fall.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from redis.exceptions import ConnectionError

from tests.simulation.runners import Runner, Surroundings
from tests.simulation.schedule import Process, Schedule, again, wait
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.watching import Watching
from tidemill.backends.redis.workers import RedisWorkers, runner_of

__all__ = ["LEASE", "Worker", "World"]

LEASE = 30.0
"""Seconds after which a worker is held to be dead whose count stands still."""


class World(Surroundings, Protocol):
    """What a worker needs of its world."""

    rng: Random
    schedule: Schedule

    def backend(self, process: Process, *, fresh: bool) -> RedisBackend: ...


class Worker:
    """A supervisor with some runners, each a process of its own."""

    def __init__(self, world: World, name: str, many: int, pool: str) -> None:
        self.world = world
        self.name = name
        self.pool = pool
        self.process = Process(name)
        self.workers = RedisWorkers(world.backend(self.process, fresh=False).client)
        self.runners: list[tuple[Process, Runner]] = []
        self._many = many
        self._numbers = 0
        world.schedule.start(self.process, name, self._run())

    @property
    def processes(self) -> list[Process]:
        """The supervisor and its runners."""
        return [self.process, *(process for process, _ in self.runners)]

    async def _run(self) -> None:
        schedule = self.world.schedule
        await again(lambda: self.workers.hello(self.name, {"pool": self.pool}))
        for _ in range(self._many):
            self._begin()
        watching = Watching(LEASE, self._expire)
        count, looking = 0, None
        while True:
            await wait(until=schedule.now + LEASE / 6)
            asked = schedule.now
            try:
                beat = await self.workers.beat(self.name, count + 1, schedule.now)
            except ConnectionError:
                continue
            if beat is None:
                break
            count += 1
            if looking is None or looking.over:  # that may take longer than a beat
                look = watching.look(beat.others, asked, schedule.now)
                looking = schedule.start(self.process, f"{self.name} looks", look)
        schedule.said(self.name, "hears that it is dead")
        self.process.dead = True
        if self.world.rng.random() < 0.5:  # else its runners find out for themselves
            self.end_runners()

    async def _expire(self, worker: str, count: str) -> None:
        try:
            if await self.workers.expire(worker, count) is not None:
                self.world.schedule.fault("expired", worker, "by", self.name)
        except ConnectionError:
            pass  # the next beats see it again

    def _begin(self) -> None:
        self._numbers += 1
        name = runner_of(self.name, self._numbers)
        process = Process(name)
        backend = self.world.backend(process, fresh=self.world.rng.random() < 0.1)
        backend.implementations.pool = self.pool
        runner = Runner(self.world, process, backend, name)
        self.runners.append((process, runner))
        self.world.schedule.start(process, name, runner.run())

    # -- ends -------------------------------------------------------------------------------------------------------

    def end_runners(self) -> None:
        """End all runners where they stand."""
        for process, _ in self.runners:
            self.world.schedule.kill(process)
        self.runners.clear()

    def vanish(self) -> None:
        """Let all of it die at once."""
        self.end_runners()
        self.world.schedule.kill(self.process)

    def lose_runner(self, at: int, *, heir: bool = True) -> None:
        """Let one runner die, or be thought dead; the supervisor says so, and may start another, its heir."""
        process, runner = self.runners.pop(at)
        if self.world.rng.random() < 0.6:
            self.world.schedule.kill(process)
        self.world.schedule.start(self.process, f"{self.name} buries", self._bury(runner.name, heir))

    async def _bury(self, runner: str, heir: bool) -> None:
        await again(lambda: self.workers.lose(runner, self.pool, "it was killed"))
        if not self.runners or (heir and self.world.rng.random() < 0.5):
            self._begin()

    def leave(self, done: Callable[[], None]) -> None:
        """End in order: the runners are ended, and what they held is handed back."""
        self.end_runners()
        self.world.schedule.kill(self.process)
        self.process = Process(f"{self.name} leaves")

        async def bye() -> None:
            await again(lambda: self.workers.bye(self.name))
            done()

        self.world.schedule.start(self.process, self.process.name, bye())
