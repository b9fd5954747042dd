"""Runs a coroutine that a signal may end: Ctrl-C and SIGTERM cancel it, and a second one ends the process at once.

Neighbours: the verbs that wait; `running` has its own way, because a run has to be cleaned up.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from tidemill.cli import errors

__all__ = ["attended"]

_Result = TypeVar("_Result")

AGAIN = 1.0
"""Seconds after which what was cancelled and goes on is cancelled again: whoever is just sending something to a store
may keep a cancellation to itself."""


def attended(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Return what a coroutine returns. Raises `Interrupted` after a signal."""
    return asyncio.run(_attended(coroutine))


async def _attended(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(coroutine)
    came: list[int] = []

    def cancel() -> None:
        if not task.done():
            task.cancel()
            loop.call_later(AGAIN, cancel)

    def stop(signum: int) -> None:
        if came:
            os._exit(128 + signum)
        came.append(signum)
        cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop, signum)
    try:
        return await task
    except asyncio.CancelledError:
        if not came:
            raise
        raise errors.Interrupted(came[0]) from None
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)
