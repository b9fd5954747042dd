"""Threads for operations that block. They are daemons: one that never returns is given up, and holds up nothing.

`concurrent.futures.ThreadPoolExecutor` is not used because the interpreter waits for its threads at exit, so that one
hung operation would hang the program after its results are out.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Abandoned", "Threads"]


class _Start:
    """When a thread took the work, by the monotonic clock."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: float | None = None


Work = tuple[Callable[[], Any], "asyncio.Future[Any]", _Start]


class Abandoned(Exception):
    """A thread was given up after its time was over; it may still run."""


class Threads:
    """Up to ``size`` threads, started when they are needed (by default as many as `ThreadPoolExecutor` would)."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or min(32, (os.cpu_count() or 1) + 4)
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads = 0
        self._free = 0
        self._closed = False

    async def run(self, call: Callable[[], Any], seconds: float | None = None) -> Any:
        """Return what ``call`` returns, called on a thread with the caller's context variables.

        The time runs from when a thread takes it. Raises `Abandoned` when that was more than ``seconds`` ago;
        the thread is replaced.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        started = _Start()
        context = contextvars.copy_context()
        self._work.put((lambda: context.run(call), future, started))
        self._free -= 1
        if self._free < 0 and self._threads < self.size:
            self._start(loop)
        if seconds is None:
            return await future
        return await self._bounded(future, started, seconds, loop)

    async def _bounded(
        self,
        future: asyncio.Future[Any],
        started: _Start,
        seconds: float,
        loop: asyncio.AbstractEventLoop,
    ) -> Any:
        left = seconds
        while left > 0:
            done, _ = await asyncio.wait([future], timeout=left)
            if done:
                return future.result()
            left = seconds if started.at is None else seconds - (time.monotonic() - started.at)
        future.cancel()
        self._start(loop)
        raise Abandoned(f"it has not returned within {seconds:g} s; its thread was given up")

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads += 1
        self._free += 1
        threading.Thread(target=self._serve, args=(loop,), name=f"tidemill-{self._threads}", daemon=True).start()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while (work := self._work.get()) is not None:
            call, future, started = work
            started.at = time.monotonic()
            try:
                settle: Callable[[], None] = _with_result(future, call())
            except BaseException as error:
                settle = _with_error(future, error)
            try:
                loop.call_soon_threadsafe(self._settled, settle)
            except RuntimeError:  # the loop has been closed: nobody waits any more
                return
            del call, future, work, settle

    def _settled(self, settle: Callable[[], None]) -> None:
        self._free += 1
        settle()

    def close(self) -> None:
        """Let the threads end as they become free."""
        if not self._closed:
            self._closed = True
            for _ in range(self._threads):
                self._work.put(None)


class Raised(Exception):
    """Carries an exception that a future does not take, such as StopIteration or SystemExit."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def _with_result(future: asyncio.Future[Any], value: Any) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(value)


def _with_error(future: asyncio.Future[Any], error: BaseException) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_exception(Raised(error))
