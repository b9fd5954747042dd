"""However many large values a context has, no call goes through all of them: neither where it ends nor after that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.bounds import bounded
from tests.backends.redis.races import World, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, flow, operation, output
from tidemill.backends.redis.staging import Staging
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.networks.implementations import Child, Completed
from tidemill.plan.compile import compile_plan

MANY = 1_000
BOUND = 400
"""Commands of one call; each large value costs at least two."""
TEXT, LAST = Definition("text", "str"), Definition("last", "str")


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store, to which everything is a large value."""
    async with world_of(request.param) as found:
        found.client.blobs.threshold = 10
        yield found


def texts(many: int = MANY) -> list[Input]:
    return [Input(f"a text of some length, the {at}th", TEXT) for at in range(many)]


async def blobs_in(world: World) -> int:
    return len([key for key in await world.keys() if b":blob:" in key])


async def swept(world: World) -> None:
    """Have done what was too much for one call."""
    while await bounded(world, world.client.call("chores"), BOUND):
        pass


async def ended(world: World, *waiting: str) -> None:
    """Open a context with many large values for nobody in particular, and have it end; these wait for its end."""
    plan = compile_plan(flow(output("tell")))
    await world.backend.publish(plan)
    offers = world.backend.wired[plan.digest].first(texts())
    request = await Staging(world.client).brought(["context", plan.digest, offers, True, False, False, ""])
    assert await world.client.call("submit", "", [request], 60.0, True, 0.0) == [b"OK"]
    await swept(world)
    (one,) = await world.lease("w1")
    for who in waiting:
        await world.client.call("await", who, ["context"])
    await bounded(world, world.report("w1", Completed(one, {"told": "a result of some length"})), BOUND)
    assert await blobs_in(world) == MANY + 1


async def test_an_ending_has_all_that_its_context_had_until_it_is_read(world: World) -> None:
    await ended(world)
    assert await bounded(world, world.client.call("forget", "context"), BOUND) == 1
    await swept(world)
    assert await blobs_in(world) == 0


async def test_copies_of_an_ending_have_it_too(world: World) -> None:
    await ended(world, "one", "two")
    await bounded(world, world.client.call("forget", "context"), BOUND)
    await bounded(world, world.client.call("endings", "one", 1, ["context"], True), BOUND)
    await swept(world)
    assert await blobs_in(world) == MANY + 1
    await bounded(world, world.client.call("endings", "two", 1, ["context"], True), BOUND)
    await swept(world)
    assert await blobs_in(world) == 0


async def test_a_parent_has_what_its_child_had(world: World) -> None:
    inner = compile_plan(flow(output("inside")))
    given = texts()
    run = operation("run", {"a": A}, {"last": LAST})
    world.driver.scripts |= {
        "run": Running(lambda a: [Child("only", inner, given)], lambda endings, a: {"last": endings[0].result["last"]}),
        "inside": lambda: {"last": given[-1].value},
        "tell": lambda last: {"last": last},
    }
    await world.driver.open(flow(run, output("tell", {"last": LAST})), [Input(1, A)])
    await bounded(world, world.driver.drain(), 2 * BOUND)
    assert await blobs_in(world) >= MANY
    assert (await world.driver.end()).result == {"last": given[-1].value}
    await swept(world)
    assert await blobs_in(world) == 0
