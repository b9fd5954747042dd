"""Groups that are cancelled over real servers: what ends then, and what cleans up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.races import TELL, World, done, world_of
from tests.backends.redis.test_groups import opened, said
from tests.contract.shapes import A, B, flow, operation, seeds
from tidemill.backends.redis.groups import RedisGroups
from tidemill.errors import ContextClosed
from tidemill.model.operation import Stage
from tidemill.plan.compile import compile_plan


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


@pytest.fixture
def groups(world: World) -> RedisGroups:
    """The groups of the store."""
    return RedisGroups(world.client)


async def test_cancelled_contexts_end_with_the_reason_and_clean_up(world: World, groups: RedisGroups) -> None:
    tidy = operation("tidy", {"a": A}, {}, stage=Stage.CLEANUP)
    plan = compile_plan(flow(operation("use", {"a": A}, {"b": B}), tidy, TELL))
    world.driver.scripts["tidy"] = lambda a: {}
    for at in range(100):
        await world.backend.open(f"c{at}", plan, seeds(A, at), group="g")
    await opened(world, "h", "other")
    held = await world.one("w1")
    await groups.suspend("g")
    await world.lease("w2", 50)
    await groups.cancel("g", "Expired", "its time is over")
    await groups.cancel("g", "Expired", "its time is over")
    assert (await groups.counts("g")).state == "cancelled"
    await groups.suspend("g")
    await groups.resume("g")
    assert (await groups.counts("g")).state == "cancelled"
    with pytest.raises(ContextClosed) as caught:
        await opened(world, "g", "late")
    assert caught.value.reason == "RunCancelled"
    await world.workers.lose("w2", "default", released=True)
    await world.report("w1", done(held, 0))
    await world.driver.drain()
    counts = await groups.counts("g")
    assert (counts.contexts, counts.aside) == ({"open": 0, "succeeded": 0, "failed": 100}, 0)
    assert said(counts)["tidy"][3] == 100
    failure = (await world.driver.end("c7")).failure
    assert (failure.reason, failure.message, failure.context) == ("Expired", "its time is over", "c7")
    assert await world.told("other") == [0]


async def test_what_was_cleaning_up_when_its_group_was_suspended_does_so_when_that_is_cancelled(
    world: World, groups: RedisGroups
) -> None:
    tidy = operation("tidy", {"b": B}, {}, stage=Stage.CLEANUP)
    plan = compile_plan(flow(operation("use", {"a": A}, {"b": B}), tidy, TELL))
    world.driver.scripts["tidy"] = lambda b: {}
    await world.backend.open("context", plan, seeds(A, 1), group="g")
    held = await world.one("w1")
    await groups.suspend("g")
    await world.report("w1", done(held, 0))
    assert (await groups.counts("g")).aside == 1, "the clean-up is put aside"
    await groups.cancel("g")
    await world.driver.drain()
    assert (await world.driver.end()).failure.reason == "Cancelled"
    counts = await groups.counts("g")
    assert (said(counts)["tidy"][3], counts.aside) == (1, 0)
