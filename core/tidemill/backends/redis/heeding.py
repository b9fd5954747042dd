"""Connections that heed a cancellation: Python 3.11's `asyncio.wait_for` may swallow one.

The client library sends under `asyncio.wait_for`. Before Python 3.12 that returns its result, as if nothing had been
said, when it is cancelled in the moment in which what it waited for has just been done. Whoever has cancelled a task
and waits for its end would wait for ever: a worker that is to end, or that has heard that its lease is over.
Neighbours: `urls`, which makes the connections.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import Any

__all__ = ["heeding"]

SWALLOWED = sys.version_info < (3, 12)
"""Whether this Python's `asyncio.wait_for` has the fault."""


@functools.cache
def heeding(kind: type[Any]) -> type[Any]:
    """Return a class of connections as ``kind``, of which a task that is cancelled while it sends is cancelled."""
    if not SWALLOWED:
        return kind

    class Heeding(kind):  # type: ignore[misc]
        async def send_packed_command(self, *arguments: Any, **keywords: Any) -> None:
            task = asyncio.current_task()
            before = task.cancelling() if task else 0
            await super().send_packed_command(*arguments, **keywords)
            if task is not None and task.cancelling() > before:
                await self.disconnect(nowait=True)  # nobody reads the reply
                raise asyncio.CancelledError

    return Heeding
