"""The supervisor: the process that is the worker in the eyes of others. It beats, starts runners, says at once what was
lost with one that has died, and ends them in good order. It runs no user code, so nothing that operations do stops it.

A worker has one life under one id. When its lease is over, its runners are killed before others take what they held,
and it begins again under another id. Neighbours: `beats`, `process` (one runner), `kernel`, `memory`,
`tidemill.runtime.health`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import secrets
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

from redis.exceptions import RedisError

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.workers import RedisWorkers, runner_of
from tidemill.errors import StoreError
from tidemill.runtime.health import Health
from tidemill_worker import memory
from tidemill_worker.beats import Beating, LeaseLost
from tidemill_worker.kernel import DeathTimer, boottime
from tidemill_worker.metrics import Metrics
from tidemill_worker.process import RunnerProcess, how_it_ended
from tidemill_worker.settings import Settings
from tidemill_worker.store import Entry

__all__ = ["Supervisor"]

FAREWELL = 10.0
"""Seconds that the last calls of the store may take."""
YOUNG = 2.0
"""Seconds within which a runner that ends was started in vain: the next one is started later."""
RECOVERED = 60.0
"""Seconds without want of memory after which runners run twice as many at once, up to what they may."""
LOOK = 1.0
"""Seconds between two looks at how much memory is used."""
LACKING = 16
"""Operations, at most, of which others are told that the worker lacks them."""
SAID = 500
"""Characters, at most, of what is said of each."""
SWEEP = 60.0
"""Seconds between two looks for large values outside the store that nobody refers to."""

logger = logging.getLogger("tidemill.worker")


class Supervisor:
    """One worker process. ``code`` is what it ends with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.worker = ""
        self.code = 0
        self.metrics = Metrics()
        self._timer = DeathTimer()
        self._client = Client(
            settings.store.get_secret_value(),
            prefix=settings.prefix,
            timeout=min(settings.timeout, settings.lease / 3),
            name=settings.name,
            elsewhere=settings.elsewhere,
            file=settings.store_file,
        )
        self._workers = RedisWorkers(self._client)
        self._entry = Entry(self._client, settings, self._hear)
        self._runners: dict[str, RunnerProcess] = {}
        self._told: dict[str, dict[str, int]] = {}
        self._numbers = itertools.count(1)
        self._stop = asyncio.Event()
        self._kill = asyncio.Event()
        self._began = self._answered = time.monotonic()
        self._limit = settings.memory or memory.cgroup_limit()
        self._paused = False
        self._slots = settings.slots
        self._shed_at = 0.0
        self.metrics.slots.set(settings.runners * settings.slots)
        self.metrics.memory_limit.set(self._limit or 0)
        self.metrics.silence.set_function(lambda: time.monotonic() - self._answered)
        self.metrics.runners.set_function(lambda: sum(one.ready for one in self._runners.values()))
        self.metrics.running.set_function(lambda: sum(one.running for one in self._runners.values()))

    # -- the process --------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Work until SIGTERM or SIGINT, and return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        settings = self.settings
        health = Health(
            settings.host, settings.port, live=self.not_live, ready=self.not_ready, metrics=self.metrics.text
        )
        async with health:
            if health.port >= 0:
                logger.info("health at http://%s:%d", settings.host, health.port)
            watching = asyncio.gather(self._watch_memory(), self._sweep())
            try:
                while not self._stop.is_set():
                    # before each life, because the store may be a new one by then
                    if await self._until_stopped(patiently(self._prepare, "its functions")):
                        await self._live()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                self._timer.disarm()
                await self._client.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # everything is done: who is told again ends well all the same
        return self.code

    async def _sweep(self) -> None:
        """Now and then delete large values outside the store that nobody refers to any more."""
        while self.settings.elsewhere:
            await asyncio.sleep(SWEEP)
            try:
                many = await self._client.blobs.collect()
                if many:
                    logger.info("deleted %d large values that nobody refers to", many)
            except (RedisError, OSError, StoreError) as error:
                logger.warning("large values that nobody refers to are not deleted now: %s", error)

    async def _prepare(self) -> None:
        """Wait for a store that can be worked with. Raises `StoreError` for one that would lose work."""
        await self._entry.passed()
        memory.trim()

    def stop(self) -> None:
        """Take nothing more, let what runs end, and end; at once if this is said again."""
        (self._kill if self._stop.is_set() else self._stop).set()

    async def _until_stopped(self, coroutine: object) -> bool:
        """Wait for something, but not longer than until the worker is to end; say whether it is done."""
        task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            task.result()
            return True
        finally:
            for one in (task, stopped):
                one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    # -- one life -----------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Live once: from hello until the lease is over, or until the worker has been told to end and has said bye."""
        host = re.sub(r"[^A-Za-z0-9.-]", "-", self.settings.name)
        self.worker = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        sent = [0.0]

        async def hello() -> int:
            sent[0] = boottime()
            return await self._workers.hello(self.worker, self._said())

        if not await self._until_stopped(patiently(hello, "a new worker")):
            return
        self._hear()
        self.metrics.lives.inc()
        settings = self.settings
        beating = Beating(
            self._workers, self.worker, lease=settings.lease, every=settings.beat, margin=settings.margin,
            timer=self._timer, metrics=self.metrics, heard=self._hear, said=self._said,
        )  # fmt: skip
        beating.begin(sent[0])
        logger.info("working as %s on %s", self.worker, settings.pool)
        beats = asyncio.create_task(beating.run())
        async with self._keeping():
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait([beats, stopped], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not beats.done():
                await self._drain(beats)
        await self._end(beats)

    def _said(self) -> dict[str, Any]:
        """Return what the worker says of itself: what it serves, and which operations it lacks."""
        said = {"pool": self.settings.pool, "runners": self.settings.runners, "slots": self.settings.slots}
        missing = {name: why[:SAID] for name, why in sorted(self._missing().items())[:LACKING]}
        return {**said, "missing": missing} if missing else said

    @contextlib.asynccontextmanager
    async def _keeping(self) -> AsyncIterator[None]:
        """Keep as many runners as there are to be; kill those that are left in the end."""
        keepers = [asyncio.create_task(self._keep()) for _ in range(self.settings.runners)]
        try:
            yield
        finally:
            for runner in list(self._runners.values()):
                runner.retired = runner.retired or "stopped"
                runner.kill()
            await self._all_gone()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _drain(self, beats: asyncio.Task[None]) -> None:
        """Let the runners end what they run, while the lease lasts and the grace time does."""
        logger.info("taking nothing more; what runs has %g s to end", self.settings.grace)
        for runner in self._runners.values():
            runner.retired = "stopped"
            runner.tell(drain=self.settings.grace)
        ended = asyncio.create_task(self._all_gone())
        killed = asyncio.create_task(self._kill.wait())
        try:
            await asyncio.wait(
                [ended, killed, beats], timeout=self.settings.grace + 3, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ended.cancel()
            killed.cancel()

    async def _all_gone(self) -> None:
        for runner in list(self._runners.values()):
            await runner.gone()

    async def _end(self, beats: asyncio.Task[None]) -> None:
        """Hand back what is left, when no runner lives any more; or say why the lease is over."""
        if beats.done() and isinstance(beats.exception(), LeaseLost):
            logger.error("%s was ended: %s; its runners are dead", self.worker, beats.exception())
            self._timer.disarm()
            if self.settings.once:
                self._done(1)
            return
        beats.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beats
        self._timer.disarm()  # nothing runs any more that could outlive the lease
        try:
            async with asyncio.timeout(FAREWELL):
                many = await patiently(lambda: self._workers.bye(self.worker), "a farewell")
            self.metrics.taken_back.labels("released").inc(many)
            logger.info("%s has ended; %d parameter sets were handed back", self.worker, many)
        except TimeoutError:
            logger.warning("the store does not answer; others will take over what %s held", self.worker)

    # -- runners ------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Keep one runner going: start another whenever it ends."""
        failures = 0
        while not self._stop.is_set():
            runner = runner_of(self.worker, next(self._numbers))
            began = time.monotonic()
            process = await RunnerProcess.start(runner, self.settings, self.metrics.print)
            process.heard = self._count
            process.measured = self.metrics.operations.merge
            self._runners[runner] = process
            process.tell(pause=self._paused, slots=self._slots)
            if self._stop.is_set():
                process.retired = "stopped"
                process.tell(drain=0)
            try:
                code = await process.wait()
            finally:
                process.kill()
                del self._runners[runner]
                self._told.pop(runner, None)
            if code or not self.settings.once:
                await self._lost(process, code)
            if self.settings.once:
                self._done(code)
            failures = failures + 1 if time.monotonic() - began < YOUNG else 0
            if failures > 1:
                await self._until_stopped(asyncio.sleep(min(5.0, 0.1 * 2**failures)))

    def _done(self, code: int) -> None:
        """End a worker that runs one parameter set: it was run, or there was none, or what ran it is gone."""
        if not self._stop.is_set():
            self.code = 1 if code else 0
            self._stop.set()

    async def _lost(self, process: RunnerProcess, code: int) -> None:
        """Say at once what a runner has left behind."""
        how = how_it_ended(code)
        cause = process.retired or ("signal" if code < 0 else "exit")
        self.metrics.ended.labels(cause).inc()
        if self._stop.is_set() and process.retired:
            return  # what it has left is handed back with all else
        if process.retired == "memory":
            how = f"it was ended for want of memory: the worker may have {self._limit} bytes"
        message = f"the runner {process.runner} is gone: {how}"
        logger.warning("%s", message)
        many = await patiently(
            lambda: self._workers.lose(process.runner, self.settings.pool, message), "what a runner has lost"
        )
        self.metrics.taken_back.labels("lost").inc(many)

    def _count(self, process: RunnerProcess) -> None:
        """Take in what a runner has said it has done."""
        self._hear()
        told = self._told.setdefault(process.runner, {})
        for kind, many in process.counts.items():
            self.metrics.reports.labels(kind).inc(many - told.get(kind, 0))
            told[kind] = many

    async def _watch_memory(self) -> None:
        while memory.PROC.is_dir():
            await asyncio.sleep(LOOK)
            own = os.getpid()
            pids = {one.pid: one for one in self._runners.values()}
            used = await asyncio.to_thread(memory.used_by, [own, *pids])
            self.metrics.memory.set(sum(used.values()))
            if self._limit is None:
                continue
            if self._slots < self.settings.slots and time.monotonic() - self._shed_at > RECOVERED:
                self._shed_at = time.monotonic()
                self._resize(min(self.settings.slots, 2 * self._slots))
            running = sum(one.running for one in pids.values())
            paused, shed = memory.step(sum(used.values()), self._limit, self._paused, running)
            self.metrics.paused.set(paused)
            if paused != self._paused:
                self._paused = paused
                logger.warning("memory: %d of %d bytes; %s", sum(used.values()), self._limit,
                    "nothing more is taken" if paused else "work is taken again")  # fmt: skip
                for runner in pids.values():
                    runner.tell(pause=paused)
            largest = max(pids, key=lambda pid: used[pid], default=None)
            if shed and largest is not None and not any(one.retired for one in pids.values()):
                self._shed(pids[largest])

    def _shed(self, process: RunnerProcess) -> None:
        """Start a runner anew that uses too much memory: it hands back what it runs, and from now on each runs half as
        many at once. One that runs alone is the cause, and lost: after it was lost with others too, it is given up."""
        process.retired = "memory"
        if process.running > 1:
            process.tell(drain=0)
            asyncio.get_running_loop().call_later(3, process.kill)
        else:
            process.kill()
        self._shed_at = time.monotonic()
        self._resize(max(1, min(process.running, self._slots) // 2))

    def _resize(self, slots: int) -> None:
        self._slots = slots
        self.metrics.slots.set(slots * self.settings.runners)
        for runner in self._runners.values():
            runner.tell(slots=slots)

    # -- health -------------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        self._answered = time.monotonic()

    def not_live(self) -> list[str]:
        """Return why the worker should be started anew."""
        silence = time.monotonic() - self._answered
        if silence > self.settings.patience:
            return [f"the store has not answered for {silence:.0f} s, and is asked every {self.settings.beat:g} s"]
        return []

    def not_ready(self) -> list[str]:
        """Return why the worker takes no work, or not all that it could."""
        found = ["it is ending"] if self._stop.is_set() else []
        if self._entry.lacks:
            found.append(self._entry.lacks)
        ready = [one for one in self._runners.values() if one.ready]
        if len(ready) < self.settings.runners:
            found.append(f"{len(ready)} of {self.settings.runners} runners are ready")
        if self._paused:
            found.append("memory is short")
        return found + sorted(self._missing().values())

    def _missing(self) -> dict[str, str]:
        """Return what is wrong with operations that have to be there, by name, as far as runners have said."""
        return {name: why for one in self._runners.values() if one.ready for name, why in one.missing.items()}
