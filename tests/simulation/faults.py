"""What goes wrong in the simulation besides lost replies: deaths, pauses, epochs, and a store that falls back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.simulation.schedule import Process, again
from tests.simulation.truth import Books
from tests.simulation.workers import LEASE, Worker
from tidemill.backends.redis.workers import RedisWorkers

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Faults"]

LOST_AT_MOST = 2
"""Workers that may be lost with one parameter set, before it is held to be the cause."""


class Faults:
    """Draws what goes wrong in a world, and does it. ``rate`` is how often, by move."""

    def __init__(self, world: World) -> None:
        self.world = world
        rng = world.rng
        self.rate = rng.choice([0.0, 0.01, 0.02, 0.04])
        self.epochs = rng.choice([0, 0, 0, 1])
        self.rollbacks = rng.choice([0, 0, 0, 1, 2])
        self._kept: tuple[list[tuple[bytes, int, bytes]], Books, set[str]] | None = None
        self._kinds: list[Callable[[], None]] = [
            self.kill_worker, self.kill_runner, self.kill_runner, self.kill_woken, self.kill_woken, self.pause,
            self.pause, self.pause, self.leave, self.restart, self.lose_alone, self.jump, self.epoch, self.restart,
        ]  # fmt: skip
        if self.rollbacks:
            self.rate = max(self.rate, 0.02)
            self._kinds += [self.keep, self.keep, self.fall_back, self.fall_back]

    def one(self) -> None:
        """Let one thing go wrong."""
        self.world.rng.choice(self._kinds)()

    def _live(self) -> Worker | None:
        live = [worker for worker in self.world.workers if not worker.process.dead and worker.runners]
        return self.world.rng.choice(live) if live else None

    def _may_lose(self, name: str) -> bool:
        """Say whether a runner, or all of a worker, may die without a parameter set being held to be the cause."""
        held = self.world.truth.held_by(lambda runner: runner == name or runner.rpartition("/")[0] == name)
        return all(one.lost < LOST_AT_MOST for one in held) or self.world.rng.random() < 0.02

    # -- those who work ---------------------------------------------------------------------------------------------

    def kill_worker(self) -> None:
        """A worker dies with its runners."""
        worker = self._live()
        if worker is not None and self._may_lose(worker.name):
            self.world.schedule.fault("killed worker", worker.name)
            worker.vanish()

    def kill_runner(self) -> None:
        """A runner dies."""
        worker = self._live()
        if worker is not None and all(self._may_lose(runner.name) for _, runner in worker.runners):
            self.world.schedule.fault("killed runner", worker.name)
            worker.lose_runner(self.world.rng.randrange(len(worker.runners)))

    def kill_woken(self) -> None:
        """A runner dies that has been woken, and has not looked yet."""
        world = self.world
        woken = set[str]()
        for pool in world.pools:
            idle = world.wire.ask("HGETALL", f"{world.tag}:idle:{pool}")
            woken |= {name.decode() for name, how in zip(idle[::2], idle[1::2], strict=True) if how != b"1"}
        for worker in world.workers:
            for at, (_, runner) in enumerate([] if worker.process.dead else worker.runners):
                if runner.name in woken and self._may_lose(runner.name):
                    world.schedule.fault("killed when woken", runner.name)
                    worker.lose_runner(at, heir=False)
                    return

    def pause(self) -> None:
        """A process stands still, or a worker with all its runners, and may be held to be dead when it goes on."""
        worker, rng = self._live(), self.world.rng
        if worker is not None and self._may_lose(worker.name):
            schedule = self.world.schedule
            all_of_it = rng.random() < 0.5
            until = schedule.now + LEASE * (1 + rng.random() * 0.7 if all_of_it else rng.random() * 3)
            for process in worker.processes if all_of_it else [rng.choice(worker.processes)]:
                process.paused = until
            schedule.fault("paused", worker.name, "until", until)

    def leave(self) -> None:
        """A worker is drained."""
        worker = self._live()
        if worker is not None:
            self.world.schedule.fault("drained worker", worker.name)
            worker.leave(lambda: None)
            worker.process.dead = True

    def lose_alone(self) -> None:
        """A runner that belongs to no worker is held to be dead, and is not."""
        world = self.world
        if world.alone is not None and self._may_lose("alone"):
            world.schedule.fault("lost alone", "alone")
            workers = RedisWorkers(world.backend(Process("undertaker"), fresh=False).client)
            self._start("undertaker", lambda: workers.lose("alone", "default"))

    def jump(self) -> None:
        """Much time passes at once."""
        self.world.schedule.now += self.world.rng.random() * LEASE / 3
        self.world.schedule.fault("time passes")

    def _start(self, name: str, call: Callable[[], Any]) -> None:
        async def run() -> None:
            await again(call)

        self.world.schedule.start(Process(name), name, run())

    # -- those who submit -------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Whoever submits dies and begins again."""
        submitter = self.world.rng.choice(self.world.submitters)
        if not submitter.finished:
            self.world.schedule.fault("restarted submitter", submitter.owner)
            self.world.schedule.kill(submitter.process)
            submitter.start()

    # -- the store --------------------------------------------------------------------------------------------------

    def epoch(self) -> None:
        """A new epoch begins, and nothing else has happened."""
        if self.epochs:
            self.epochs -= 1
            self.world.schedule.fault("epoch")
            number = self.world.truth.epoch + 1
            workers = RedisWorkers(self.world.backend(Process("operator"), fresh=False).client)
            self._start("operator", lambda: workers.recover(number))

    def keep(self) -> None:
        """Remember how the store is now, to fall back to."""
        if self.rollbacks:
            world = self.world
            names = world.wire.ask("KEYS", "*")
            dumps = world.wire.all([("DUMP", name) for name in names])
            times = [max(0, left) for left in world.wire.all([("PTTL", name) for name in names])]
            done = {name for submitter in world.submitters for name in submitter.done & world.truth.books.read}
            self._kept = list(zip(names, times, dumps, strict=True)), world.truth.books.copied(), done

    def fall_back(self) -> None:
        """The store loses what it was told since then. Whoever sees to that begins an epoch before anybody else is let
        in, and whoever submits begins again: what was acknowledged since may be gone."""
        if self._kept is None or not self.rollbacks:
            return
        world = self.world
        self.rollbacks -= 1
        keys, books, done = self._kept
        world.schedule.fault("rollback")
        world.wire.all([("FLUSHDB",), *[("RESTORE", *one) for one in keys]])
        world.truth.books = books.copied()
        world.locked.clear()
        for submitter in world.submitters:
            submitter.done &= done
            submitter.refused.clear()
            world.schedule.kill(submitter.process)
            submitter.start()
        workers = RedisWorkers(world.backend(Process("operator"), fresh=False).client)
        number = world.truth.epoch + 1
        run = again(lambda: workers.recover(number))
        try:
            while True:
                run.send(None)
        except StopIteration:
            pass
