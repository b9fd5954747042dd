"""The beats of a worker: what keeps its leases, and how it sees that others have lost theirs.

A lease is over for others when they have seen the count of a worker unchanged for its length by their own monotonic
clock, and for the worker itself a margin earlier, counted from when its last good beat was sent. So clocks that differ,
jump or stand still change nothing. Neighbours: `kernel` (what happens to a worker that cannot even notice).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from tidemill.backends.redis.watching import Watching, taken_back
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.errors import TidemillError
from tidemill_worker.kernel import DeathTimer, boottime
from tidemill_worker.metrics import Metrics

__all__ = ["Beating", "LeaseLost"]

logger = logging.getLogger("tidemill.worker")


class LeaseLost(Exception):
    """The leases of this worker are over, or about to be: its runners have to end before they are given to others."""


class Beating:
    """Beats for one worker, until it is cancelled or `LeaseLost`. What it ``said`` of itself goes along when it has
    changed since hello."""

    def __init__(
        self, workers: RedisWorkers, worker: str, *, lease: float, every: float, margin: float, timer: DeathTimer,
        metrics: Metrics, heard: Callable[[], None], said: Callable[[], dict[str, Any]],
    ) -> None:  # fmt: skip
        self._workers = workers
        self._worker = worker
        self._lease = lease
        self._every = every
        self._margin = margin
        self._timer = timer
        self._metrics = metrics
        self._heard = heard
        self._said = said
        self._told = said()
        self._count = 0
        self._watching = Watching(lease, self._expire)
        self._looking: asyncio.Task[None] | None = None

    def begin(self, sent: float) -> None:
        """Count the lease from when hello was sent, by `boottime`."""
        self._good = sent
        self._timer.arm(sent + self._lease - self._margin)

    async def run(self) -> None:
        """Beat. Raises `LeaseLost`."""
        try:
            while True:
                sent = boottime()
                good = await self._beat(sent)
                over = self._good + self._lease - 1.5 * self._margin
                if boottime() >= over:
                    raise LeaseLost("the store has not answered for too long")
                pause = self._every if good else self._every * random.uniform(0.2, 0.5)
                await asyncio.sleep(max(0.0, min(sent + pause, over) - boottime()))
        finally:
            if self._looking is not None:
                self._looking.cancel()

    async def _beat(self, sent: float) -> bool:
        asked = time.monotonic()
        left = self._good + self._lease - 1.5 * self._margin - sent
        said = self._said()
        try:
            async with asyncio.timeout(max(0.01, left)):
                news = said if said != self._told else None
                beat = await self._workers.beat(self._worker, self._count + 1, said=news)
        except (RedisError, OSError, TimeoutError, TidemillError) as error:
            self._metrics.beats.labels("failed").inc()
            logger.warning("a beat failed: %s: %s", type(error).__name__, error)
            return False
        if beat is None:
            self._metrics.beats.labels("gone").inc()
            raise LeaseLost("others have held this worker to be dead")
        self._count += 1
        self._told = said
        self._good = sent
        self._timer.arm(sent + self._lease - self._margin)
        self._metrics.beats.labels("ok").inc()
        self._heard()
        if self._looking is None or self._looking.done():  # to take much back may take longer than a beat
            self._looking = asyncio.create_task(self._watching.look(beat.others, asked, time.monotonic()))
        return True

    async def _expire(self, worker: str, count: str) -> None:
        many = await taken_back(self._workers, worker, count, logger)
        if many is not None:
            self._metrics.expired.inc()
            self._metrics.taken_back.labels("expired").inc(many)
