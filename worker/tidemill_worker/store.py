"""Whether the store is fit to be worked with: looked at before each life of a worker, as it may be a new one by then.

Whoever may load functions into a store that namespaces share could replace them for everybody. So on a cluster only
the operator loads them, and a worker (``loads`` false, or a user of the store that may not) waits until they are there.
Neighbours: `supervisor`, `tidemill.backends.redis.checks`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tidemill.backends.redis.checks import require
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.library import LAYOUT
from tidemill.errors import FunctionLibraryMissing, StoreUnavailable
from tidemill_worker.settings import Settings

__all__ = ["Entry"]

AGAIN = 1.0
"""Seconds between two looks whether the functions are there by now."""

logger = logging.getLogger("tidemill.worker")


class Entry:
    """The way into the store. ``lacks`` says in a sentence what is waited for, and is "" otherwise; ``heard`` is called
    when the store has answered."""

    def __init__(self, client: Client, settings: Settings, heard: Callable[[], None]) -> None:
        self.lacks = ""
        self._client = client
        self._settings = settings
        self._heard = heard

    async def passed(self) -> None:
        """Wait until the store can be worked with. Raises `StoreError` for one that would lose work."""
        while lacks := await self._looked():
            if not self.lacks:
                logger.warning("%s; nothing is taken before that", lacks)
            self.lacks = lacks
            self._heard()
            await asyncio.sleep(AGAIN)
        if self.lacks:
            logger.warning("the store has its functions now")
        self.lacks = ""

    async def _looked(self) -> str:
        """Return what the store lacks; load the functions if that is the worker's to do."""
        client, where = self._client, self._client.url.shown
        try:
            await require(client.redis, where, tag=client.tag, durability=self._settings.durability)
            if self._settings.loads:
                await client.load()
            elif not await client.loaded():
                return f"the store at {where} has no functions of layout {LAYOUT}; the operator loads them"
        except FunctionLibraryMissing as error:
            return error.message
        except StoreUnavailable as error:
            raise error.__cause__ or error from None  # it may be there in a moment
        return ""
