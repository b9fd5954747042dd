"""The heartbeat of a process that runs operations itself and is no worker: what it held is handed out again when it
dies.

It beats in a thread with an event loop of its own, since operations may hold up the one of the process for as long as
they like. Unlike a worker's runners the process is not killed when its lease is over: what it still says is refused,
and it goes on under another id. Neighbours: `watching`, `workers`; the orchestrator over a store, which has one of
these.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from redis.exceptions import RedisError

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.watching import LEASE, Watching, taken_back
from tidemill.backends.redis.workers import RedisWorkers, runner_of
from tidemill.errors import TidemillError

__all__ = ["Heartbeat"]

PATIENCE = 10.0
"""Seconds that a goodbye may take; whoever watches takes back later what was left."""

Result = TypeVar("Result")

logger = logging.getLogger("tidemill.store")


class Heartbeat:
    """Beats for a process that is called ``name``, as a worker that says ``said`` of itself.

    ``client`` makes a client for the thread. ``lost`` is called, in that thread, when others have held the process to
    be dead; then it needs another id, by `renew`. ``lease`` is in seconds.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        name: str,
        said: dict[str, Any],
        lost: Callable[[], None],
        *,
        lease: float = LEASE,
    ) -> None:
        self._make = client
        self._name = name
        self._said = said
        self._lost = lost
        self._lease = lease
        self._number = 0
        self._worker = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tidemill-heartbeat", daemon=True)
        self._beating: asyncio.Task[None] | None = None
        self._watching = Watching(lease, self._expire)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _asked(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def begin(self) -> str:
        """Begin to beat, and return the id of the runner that the process is. Raises `StoreError`."""
        self._thread.start()
        try:
            return await self._asked(self._hello())
        except BaseException:
            await self.end()
            raise

    async def renew(self) -> str:
        """Begin under another id, as the last one was held to be dead; return that of the runner."""
        return await self._asked(self._hello())

    async def end(self) -> None:
        """Hand back what is left, and beat no more."""
        with contextlib.suppress(RedisError, OSError, TimeoutError, TidemillError):
            await asyncio.wait_for(self._asked(self._bye()), PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)

    # -- in the thread ------------------------------------------------------------------------------------------------

    async def _hello(self) -> str:
        if self._number == 0:
            self._client = self._make()
            self._workers = RedisWorkers(self._client)
        if self._beating is not None:
            self._beating.cancel()
        self._number += 1
        self._worker = f"{self._name}-{self._number}"
        await patiently(partial(self._workers.hello, self._worker, self._said), "a process that runs operations")
        self._beating = asyncio.create_task(self._beat(self._worker))
        return runner_of(self._worker, 1)

    async def _bye(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        if self._number == 0:
            return
        try:
            await self._workers.bye(self._worker)
        finally:
            await self._client.close()

    async def _beat(self, worker: str) -> None:
        """Beat until the store says that it is of no use any more."""
        count = 0
        while True:
            await asyncio.sleep(self._lease / 6)
            asked = time.monotonic()
            try:
                async with asyncio.timeout(self._lease / 2):
                    beat = await self._workers.beat(worker, count + 1)
            except (RedisError, OSError, TimeoutError, TidemillError) as error:
                logger.warning("a beat failed: %s: %s", type(error).__name__, error)
                continue
            if beat is None:
                logger.warning("this process was held to be dead, and what it ran is run again; it goes on anew")
                self._lost()
                return
            count += 1
            await self._watching.look(beat.others, asked, time.monotonic())

    async def _expire(self, worker: str, count: str) -> None:
        await taken_back(self._workers, worker, count, logger)
