"""A store that loses what it was told, or is never told: whoever knows a plan says it again."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.beside import USE, Corner, corner, ignored, opened, used
from tests.backends.redis.stores import server
from tests.contract.shapes import A, B, flow, operation, output, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.session import session
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.engine.parameters import ParameterSet
from tidemill.networks.implementations import Child, Fenced, Subflow
from tidemill.plan.compile import compile_plan

RUNS = compile_plan(flow(operation("runs", {"a": A}, {"b": B}), output("tell")))


@pytest.fixture
async def here() -> AsyncIterator[Corner]:
    """A corner of a server."""
    async with corner() as found:
        yield found


async def leased(backend: RedisBackend) -> ParameterSet:
    """Return the one parameter set that there is to lease."""
    (one,), _ = await backend.implementations.exchange("runner", (), 1)
    return one


async def test_a_plan_whose_publishing_failed_is_published_again(here: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = here.backend()
    call = backend.client.call

    async def broken(verb: str, *request: Any) -> Any:
        monkeypatch.setattr(backend.client, "call", call)
        raise LookupError("whoever publishes is interrupted")

    monkeypatch.setattr(backend.client, "call", broken)
    with pytest.raises(LookupError):
        await backend.publish(USE)
    await opened(backend, "one")
    assert len(await used(backend)) == 2


async def test_a_child_is_opened_though_the_store_has_lost_its_plan(here: Corner) -> None:
    backend = here.backend()
    await opened(backend, "one", plan=RUNS)
    one = await leased(backend)
    await backend.publish(USE)
    here.look.delete(backend.client.key("plan", USE.digest))  # it has fallen back to before that
    children = [Child("child", USE, seeds(A, 2))]
    await backend.implementations.exchange("runner", [Subflow(one, children, one.leases)], 0, b"n" * 16)
    ran = await used(backend)
    assert [found.operation.instance for found in ran] == ["use", "tell", "runs", "tell"]


async def test_a_new_epoch_forgets_the_plans_that_a_server_remembers(here: Corner) -> None:
    """They may be gone from the store, and then they would be gone for good with the server."""
    backend = here.backend()
    await opened(backend, "one")
    await used(backend)
    here.look.delete(backend.client.key("plan", USE.digest))
    await RedisWorkers(backend.client).recover(1)
    offers = backend.wired[USE.digest].first(seeds(A, 1))
    request = [["two", USE.digest, offers, True, False, False]]
    assert await backend.client.call("submit", "somebody", request, 1.0, False, 0.0) == [b"PLAN"]
    await backend.publish(USE, again=True)
    await backend.begin("two", USE, seeds(A, 1), ignored)
    with pytest.raises(Fenced):
        await used(backend)
    assert len(await used(backend)) == 2


async def test_whoever_submits_and_leaves_publishes_a_lost_plan_again() -> None:
    where, prefix = server("valkey"), f"s{uuid.uuid4().hex}:"
    async with session(where, durability="none", prefix=prefix, silent=True) as backend:
        await backend.publish(USE)
        await backend.client.redis.delete(backend.client.key("plan", USE.digest))
        assert await RedisWorkers(backend.client).recover(1)
        async with asyncio.timeout(30):
            await backend.begin("one", USE, seeds(A, 1), lambda raw: None)
        assert [name async for name in backend.endings.open_names()] == ["one"]
        keys = [key async for key in backend.client.redis.scan_iter(f"{backend.client.tag}*")]
        await backend.client.redis.unlink(*keys)
