"""Calls that may be repeated are made until the store has answered them: it may be away, or full, for a while.

Neighbours: whoever calls the library and can wait (`mail`, `endings`, `groups`, `overview`, `implementations`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

__all__ = ["patiently"]

Thing = TypeVar("Thing")

PAUSES = ("LOADING", "NOREPLICAS", "BUSY", "MISCONF")
"""How answers of a store begin that will take the same call later, where the client library leaves that word on."""
PAUSING = (OutOfMemoryError, ReadOnlyError, MasterDownError, ClusterDownError, TryAgainError)
"""Those answers where it does not."""

logger = logging.getLogger("tidemill.store")


async def patiently(call: Callable[[], Awaitable[Thing]], what: str) -> Thing:
    """Make a call that may be repeated until the store has answered it. Says so when it waits, and when it is over."""
    wait, waited = 0.05, False
    while True:
        try:
            answer = await call()
        except (ConnectionError, TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
        except ResponseError as error:
            said = str(error)
            if not isinstance(error, PAUSING) and not said.startswith(PAUSES):
                raise
        else:
            if waited:
                logger.warning("the store answers again")
            return answer
        if not waited:
            logger.warning("the store does not take %s now, which is tried again: %s", what, said)
        waited = True
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))
        wait = min(wait * 2, 5.0)
