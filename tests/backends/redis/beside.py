"""Several that use one corner of a server: submitters, a worker that plays, and whoever looks on."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis import Redis

from tests.backends.redis.stores import server
from tests.contract.shapes import A, flow, operation, output, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.engine.parameters import ParameterSet
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Report
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan

__all__ = ["DEADLINE", "USE", "Corner", "corner", "ignored", "opened", "used"]

DEADLINE = 120.0
"""Seconds after which something that has to happen has not."""
USE = compile_plan(flow(operation("use", {"a": A}), output("tell", {"a": A})))
"""A plan with one operation, and one that gives the result."""


class Corner:
    """A corner of a server. ``now`` is the time that everybody in it goes by."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.prefix = f"e{uuid.uuid4().hex}:"
        self.now = 1000.0
        self.look = Redis.from_url(url)
        self.tag = ""
        self._backends: list[RedisBackend] = []

    def backend(self, **mail: Any) -> RedisBackend:
        """Return a further backend; ``mail`` are keywords of its mailbox."""
        client = Client(self.url, prefix=self.prefix)
        backend = RedisBackend(client, now=lambda: self.now, **mail)
        self.tag = client.tag
        self._backends.append(backend)
        return backend

    async def close(self) -> None:
        """Close all connections and delete all keys."""
        for backend in self._backends:
            await backend.shut()
        if keys := list(self.look.scan_iter(f"{self.tag}*", count=1000)):
            self.look.unlink(*keys)
        self.look.close()

    def keys(self, *kinds: str) -> list[str]:
        """Return the keys of these kinds."""
        found = [key.decode() for key in self.look.scan_iter(f"{self.tag}*", count=1000)]
        return sorted(key for key in found if key[len(self.tag) + 1 :].split(":", 1)[0] in kinds)


@asynccontextmanager
async def corner(kind: str = "valkey") -> AsyncIterator[Corner]:
    """Give a corner of a server, with the functions loaded."""
    found = Corner(server(kind))
    try:
        await found.backend().client.load()
        yield found
    finally:
        await found.close()


async def opened(
    backend: RedisBackend, *names: str, plan: Plan = USE, ended: Callable[[bytes], None] | None = None
) -> None:
    """Open contexts with one input each."""
    await backend.publish(plan)
    for name in names:
        await backend.begin(name, plan, seeds(A, 1), ended or ignored)


def ignored(raw: bytes) -> None:
    """Do nothing with an ending."""


async def used(backend: RedisBackend, *, returned: Any = None, most: int = 1000) -> list[ParameterSet]:
    """Run everything that is ready, and what becomes ready by that, and return it; ``returned`` is the result."""
    reports: list[Report] = []
    ran: list[ParameterSet] = []
    while True:
        leased, _ = await backend.implementations.exchange("plays", reports, most)
        ran += leased
        reports = [Completed(one, returned if one.operation.stage is Stage.OUTPUT else None) for one in leased]
        if not leased:
            return ran
