"""Races, each with the mistake that one makes at first: its test has to fail with that.

A test of a race takes a `World`. `race` gives it the naive variant: changes of the Lua, (file, old, new), or a patch
of the Python; `naive_is_caught` runs the test with that and sees it fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError, ResponseError

from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.shapes import A, B, flow, multi, operation, output, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure, TidemillError
from tidemill.networks.implementations import Completed, Failed, Fenced, Report
from tools.lua_mutants import Mutant, changed

__all__ = ["TELL", "World", "done", "failed", "lost_replies", "naive_in", "naive_is_caught", "race", "world_of"]

TELL = output("tell")
SOON = 4.0
"""Seconds after which something that has to happen never will, with a mistake made on purpose."""
CAUGHT = (
    AssertionError,
    TimeoutError,
    ValueError,
    LookupError,
    pytest.fail.Exception,
    ResponseError,
    TidemillError,
    Fenced,
)

Race = Callable[["World"], Awaitable[None]]
Patch = Callable[["World", pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Naive:
    """The naive variant of what a test is about."""

    test: Race
    changes: tuple[tuple[str, str, str], ...]
    patch: Patch | None


NAIVE: dict[str, Naive] = {}


def naive_in(module: str) -> list[str]:
    """Return the names of the tests of a module that have a naive variant."""
    return [name for name, naive in NAIVE.items() if naive.test.__module__ == module]


def race(*changes: tuple[str, str, str], patch: Patch | None = None) -> Callable[[Race], Race]:
    """Give a test its naive variant."""

    def add(test: Race) -> Race:
        NAIVE[test.__name__] = Naive(test, changes, patch)
        return test

    return add


class World:
    """A store as its workers use it. ``scripts`` of the operations ``use`` and ``tell`` are there."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.backend = cast(RedisBackend, driver.backend)
        self.client = self.backend.client
        self.redis = self.client.redis
        self.network = self.backend.implementations
        self.workers = RedisWorkers(self.client)
        self._nonce = 0

    @property
    def refused(self) -> int:
        """Reports that were not taken."""
        return self.driver.subject.refused()

    async def open(self, many: int = 1, name: str = "context", **keywords: Any) -> None:
        """Open a context with so many parameter sets of ``use``, whose values ``tell`` tells."""
        use = operation("use", {"a": A}, {"b": B}, **keywords)
        await self.driver.open(flow(use, TELL), seeds(A, *range(many)), name=name)

    def nonce(self) -> bytes:
        """Return what was never used before."""
        self._nonce += 1
        return self._nonce.to_bytes(16, "big")

    async def lease(self, runner: str, want: int = 1) -> list[ParameterSet]:
        """Lease up to ``want`` of what is ready."""
        return (await self.network.exchange(runner, (), want, self.nonce()))[0]

    async def one(self, runner: str) -> ParameterSet:
        """Lease one, which has to be there."""
        leased = await self.lease(runner)
        assert len(leased) == 1, "nothing was ready"
        return leased[0]

    async def report(self, runner: str, *reports: Report) -> None:
        """Report, and take nothing."""
        for report in reports:
            report.lease = report.parameter_set.leases
        await self.network.exchange(runner, reports, 0, self.nonce())

    async def told(self, name: str = "context") -> list[int]:
        """Have everything else done, and return what the context tells in the end."""
        await self.driver.drain()
        return sorted((await self.driver.end(name)).result["B"])

    async def keys(self) -> list[bytes]:
        """Return the keys of the shard."""
        return sorted([key async for key in self.redis.scan_iter(f"{self.client.tag}*", count=1000)])

    async def contents(self) -> dict[bytes, bytes]:
        """Return all that the shard holds, key by key."""
        return {key: await self.redis.dump(key) for key in await self.keys()}

    async def put_back(self, contents: dict[bytes, bytes]) -> None:
        """Have the shard hold what it held before, as after a failover that lost writes."""
        await self.redis.unlink(*await self.keys())
        for key, value in contents.items():
            await self.redis.restore(key, 0, value)


@asynccontextmanager
async def world_of(kind: str) -> AsyncIterator[World]:
    """Yield workers that play over a store of this kind."""
    clock = Clock()
    async with store(kind, clock) as subject:
        yield World(Driver(subject, clock, {"use": lambda a: {"b": a}, "tell": multi("B")}))


def done(one: ParameterSet, value: int) -> Completed:
    """Return the report that an operation gave this value."""
    return Completed(one, {"b": value}, lease=one.leases)


def failed(one: ParameterSet) -> Failed:
    """Return the report that an operation has failed."""
    name = one.operation.instance
    return Failed(one, OperationFailure("Exception", "boom", name, name, one.arguments()), one.leases)


def lost_replies(world: World, monkeypatch: pytest.MonkeyPatch, verb: str, times: int = 1) -> list[bytes]:
    """Lose the next replies to calls of a verb, after the store has done what was asked; return the requests that were
    made of it."""
    answer, made = world.client._answer, list[bytes]()

    async def answering(called: str, *arguments: bytes) -> Any:
        said = await answer(called, *arguments)
        if called == verb:
            made.append(arguments[0])
            if len(made) <= times:
                raise ConnectionError("the reply is lost")
        return said

    monkeypatch.setattr(world.client, "_answer", answering)
    return made


async def naive_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """See that a test fails with its naive variant."""
    naive = NAIVE[name]
    source = changed(*[Mutant(name, file, old, new, ()) for file, old, new in naive.changes])
    monkeypatch.setattr("tidemill.backends.redis.client.assembled", lambda: source)
    async with world_of("valkey"):
        pass  # it can be loaded, and as long as nothing happens it does nothing wrong
    monkeypatch.setattr("tests.contract.driver.DEADLINE", SOON / 4)
    monkeypatch.setattr("tests.backends.redis.leaks.MOST", 200)
    with pytest.raises(CAUGHT):
        async with asyncio.timeout(SOON), world_of("valkey") as world:
            if naive.patch is not None:
                naive.patch(world, monkeypatch)
            await naive.test(world)
