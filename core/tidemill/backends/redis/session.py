"""A store being used for a while: started if it is one of this machine, checked, and asked through a backend.

Neighbours: `urls`, `embedded`, `checks`, `backend`; the command line uses it for whatever is not a run.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.checks import require
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.refusals import named
from tidemill.backends.redis.urls import store_url
from tidemill.errors import StoreMisconfigured

__all__ = ["session"]

TIMEOUT = 10.0
"""Seconds after which a reply counts as lost."""


@contextlib.asynccontextmanager
async def session(
    url: str, *, durability: str = "always", prefix: str = "tm", name: str | None = None, **mail: Any
) -> AsyncIterator[RedisBackend]:
    """Give a backend over the store at ``url``. ``mail`` are keywords of `Mailbox` for the contexts that are opened,
    ``name`` is what the server calls the connections.

    Raises `StoreError` where the store is not to be used, and for whatever it refuses meanwhile.
    """
    said = store_url(url)
    if said.scheme == "memory":
        raise StoreMisconfigured('"memory" is no store that processes could share; give its URL', reason="NotAStore")
    with EmbeddedStore(said.path or None) if said.scheme == "embedded" else contextlib.nullcontext() as embedded:
        where = store_url(embedded.url) if embedded is not None else said
        client = Client(embedded.url if embedded is not None else url, prefix=prefix, timeout=TIMEOUT, name=name)
        backend = RedisBackend(client, **mail)
        try:
            with named(where.shown):
                await require(client.redis, where.shown, tag=client.tag, durability=durability)
                await client.load()
                yield backend
        finally:
            await backend.shut()
