"""Threads for operations that block. They are daemons: one that never returns is given up, and holds up nothing.

`concurrent.futures.ThreadPoolExecutor` is not used because the interpreter waits for its threads at exit, so that one hung
operation would hang the program after its results are out.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Abandoned", "Threads"]

Work = tuple[Callable[[], Any], "asyncio.Future[Any]", "threading.Event"]


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

    async def run(self, call: Callable[[], Any], timeout: float | None = None) -> Any:
        """Return what ``call`` returns, called on a thread with the caller's context variables.

        The time runs from when a thread takes it. Raises `Abandoned` when that was more than ``timeout`` seconds ago; the
        thread is replaced.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        started = threading.Event()
        context = contextvars.copy_context()
        self._work.put((lambda: context.run(call), future, started))
        self._free -= 1
        if self._free < 0 and self._threads < self.size:
            self._start(loop)
        if timeout is None:
            return await future
        return await self._bounded(future, started, timeout, loop)

    async def _bounded(
        self,
        future: asyncio.Future[Any],
        started: threading.Event,
        timeout: float,
        loop: asyncio.AbstractEventLoop,
    ) -> Any:
        while True:
            done, _ = await asyncio.wait([future], timeout=timeout)
            if done:
                return future.result()
            if started.is_set():
                break  # it has had a thread for some of this time at least; queueing before that is forgiven once
        future.cancel()
        self._start(loop)
        raise Abandoned(f"it has not returned within {timeout:g} s; its thread was given up")

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads += 1
        self._free += 1
        threading.Thread(target=self._serve, args=(loop,), name=f"tidemill-{self._threads}", daemon=True).start()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while (work := self._work.get()) is not None:
            call, future, started = work
            started.set()
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
