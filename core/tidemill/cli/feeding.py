"""Contexts that somebody else is still writing: read in a thread, one ahead of nobody.

Waiting for the next line of a pipe must hold up neither the operations that run nor the end of the process. Neighbours:
`running`, `submit`.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

__all__ = ["at_once", "in_thread"]

_Item = TypeVar("_Item")


async def at_once(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    """Yield the items of an iterable that nobody is waited for in."""
    for item in items:
        yield item


async def in_thread(items: Iterable[_Item]) -> AsyncIterator[_Item]:
    """Yield the items, each taken from the iterable in a thread when it is asked for.

    The thread is a daemon: one that still waits for a line keeps no process from ending.
    """
    loop = asyncio.get_running_loop()
    asked: queue.SimpleQueue[asyncio.Future[Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(iter(items), asked, loop), name="inputs", daemon=True).start()
    try:
        while True:
            future: asyncio.Future[Any] = loop.create_future()
            asked.put(future)
            found = await future
            if found is None:
                return
            yield found[0]
    finally:
        asked.put(None)


def _read(items: Any, asked: queue.SimpleQueue[asyncio.Future[Any] | None], loop: asyncio.AbstractEventLoop) -> None:
    while (future := asked.get()) is not None:
        try:
            found, error = (next(items),), None
        except StopIteration:
            found, error = None, None
        except BaseException as raised:
            found, error = None, raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, future, found, error)


def _settle(future: asyncio.Future[Any], found: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(found)
