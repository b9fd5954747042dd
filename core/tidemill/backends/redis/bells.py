"""Hears that there is work: the store rings a bell for a worker whose last cycle returned less than it wanted.

Nobody polls: a worker waits at its bell. Neighbours: `functions/implementations.lua` (who rings),
`backends.redis.implementations` (which waits for one ring).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Bells", "put_down"]


async def put_down(*tasks: asyncio.Task[None]) -> None:
    """End tasks that wait for a store, and wait for that. One that is just connecting may keep a cancellation to
    itself, so once is not enough."""
    for task in tasks:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.05)


class Bells:
    """Calls those who listen in this process. ``rung`` waits a while for the bell of a worker, and says whether there
    may be work."""

    def __init__(self, rung: Callable[[str], Awaitable[bool]]) -> None:
        self._rung = rung
        self._ready: dict[str, Callable[[], None]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def listen(self, worker: str, ready: Callable[[], None]) -> None:
        """Call ``ready`` whenever the bell of a worker has been rung; it may find that others were faster."""
        self._ready[worker] = ready
        if worker not in self._waiting:
            self._waiting[worker] = asyncio.get_running_loop().create_task(self._wait(worker))

    def ring(self) -> None:
        """Call everybody who listens here."""
        for ready in list(self._ready.values()):
            ready()

    async def _wait(self, worker: str) -> None:
        while True:
            if await self._rung(worker):
                self._ready[worker]()

    async def shut(self) -> None:
        """Listen no more."""
        await put_down(*self._waiting.values())
        self._ready.clear()
        self._waiting.clear()
