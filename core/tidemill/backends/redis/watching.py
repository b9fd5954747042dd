"""Who is held to be dead: a worker whose count has stood still for the length of a lease, by the watcher's own clock.

Neighbours: `heartbeat` and the worker's `beats`, which both watch others while they beat themselves.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from tidemill.backends.redis.workers import RedisWorkers
from tidemill.errors import TidemillError

__all__ = ["LEASE", "Watching", "taken_back"]

LEASE = 30.0
"""Seconds of silence after which a worker is held to be dead, unless set otherwise."""
FORGET = 20
"""Lengths of a lease after which a worker that was not heard of any more is forgotten."""


class Watching:
    """Watches the counts of other workers. ``expire`` is called for one that has been silent for ``lease`` seconds."""

    def __init__(self, lease: float, expire: Callable[[str, str], Awaitable[None]]) -> None:
        self._lease = lease
        self._expire = expire
        self._seen: dict[str, tuple[str, float, float]] = {}

    async def look(self, others: dict[str, str], asked: float, answered: float) -> None:
        """Take in the counts of an answer. It was asked for and answered at these times, by the monotonic clock: a
        count was first seen at the latest when it was answered, and seen again at the earliest when it was asked."""
        for worker, count in others.items():
            known, since, _ = self._seen.get(worker, ("", answered, answered))
            if known != count:
                since = answered
            self._seen[worker] = (count, since, answered)
            if not count.isdecimal() or asked - since >= self._lease:
                del self._seen[worker]
                await self._expire(worker, count)
        old = [one for one, (_, _, last) in self._seen.items() if answered - last > FORGET * self._lease]
        for worker in old:
            del self._seen[worker]


async def taken_back(workers: RedisWorkers, worker: str, count: str, logger: logging.Logger) -> int | None:
    """Have what a dead worker held handed out again, and return how much it was; None if it has beaten since, or the
    store does not answer: then the next beats see it again.
    """
    with contextlib.suppress(RedisError, OSError, TimeoutError, TidemillError):
        many = await workers.expire(worker, count)
        if many is not None:
            logger.warning("the worker %s is dead; %d parameter sets that it held are handed out again", worker, many)
        return many
    return None
