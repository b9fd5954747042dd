"""However many inputs a context has, no call looks at all of them: not where it ends, nor where it may be quiet.

What a call reads at once is one command however much it is, so the library of these tests has a command for each
input that is looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.bounds import bounded
from tests.backends.redis.races import World, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, B, C, flow, operation, output, seeds
from tidemill.backends.redis import client
from tidemill.model.definition import Definition
from tidemill.model.flow import Forward
from tidemill.model.input import Input
from tidemill.networks.implementations import Child, Completed
from tidemill.plan.compile import compile_plan
from tools.lua_mutants import Mutant

MANY = 2_000
BOUND = 400
"""Commands of one call, and inputs that it looks at."""
LOCK = Definition("lock", "int", lock=True)
LOOKED_AT = Mutant(
    "looked-at",
    "inputs",
    "function I.header(c, number)\n",
    "function I.header(c, number)\n  redis.call('EXISTS', c.hash)\n",
    (),
)


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Workers that play over a store in which to look at an input is a command; endings come without lineage."""
    source = LOOKED_AT.apply(vars(client)["assembled"]())
    monkeypatch.setattr(client, "assembled", lambda: source)
    async with world_of(request.param) as found:
        found.backend._keeps = False
        yield found


async def test_results_of_which_each_is_the_only_one_of_its_operation(world: World) -> None:
    plan = compile_plan(flow(output("one", {"a": A}), output("two"), output("three")))
    await world.driver.open(plan, [*seeds(A, 1), *seeds(B, *range(MANY))])
    for one in await bounded(world, world.lease("w1", 3), BOUND):
        await bounded(world, world.report("w1", Completed(one, {one.operation.instance: 1})), BOUND)
    assert (await world.driver.end()).result == {name: {name: 1} for name in ("one", "two", "three")}


async def test_some_results_of_one_operation(world: World) -> None:
    """Of all that there is they are put in the order of what they were made of."""
    make = operation("make", {"a": A}, {"c": C})
    world.driver.scripts["make"] = lambda a: {"c": -a}
    await world.driver.open(flow(make, output("tell", {"c": C})), [*seeds(B, *range(MANY)), *seeds(A, 3, 1, 2)])
    for lease in reversed(await world.driver.lease(3)):
        await world.driver.finish(lease)
    heard = []
    for one in await bounded(world, world.lease("w1", 3), BOUND):
        heard.append(one.arguments()["c"])
        await bounded(world, world.report("w1", Completed(one, {"told": one.arguments()["c"]})), BOUND)
    assert heard == [-2, -1, -3]
    assert (await world.driver.end()).result == {"told": -2}, "the last in canonical order counts"


async def test_many_that_wait_for_locks_of_their_own(world: World) -> None:
    """Whether nothing but what waits is left, is known without going through all queues."""
    run, other = operation("run", {"a": A}, {"c": C}), operation("other", {"b": B}, {})
    use, again = operation("use", {"lock": LOCK}, {}), operation("again", {"lock": LOCK}, {})
    inner = compile_plan(flow(output("tell")))
    world.driver.scripts |= {
        "run": Running(lambda a: [Child("child", inner, [])], lambda endings, a: {"c": a}),
        "other": lambda b: {},
    }
    outer = flow(run, other, use, again, output("tell"), forward=Forward({"run": [C]}))
    await world.driver.open(outer, [*seeds(A, 1), *seeds(B, 1), *[Input(at, LOCK) for at in range(MANY)]], hold=True)
    await bounded(world, world.backend.close("context"), BOUND)
    for instance in ("run", "other"):
        lease = await world.driver.one()
        assert lease.instance == instance
        await bounded(world, world.driver.finish(lease), BOUND)
    await world.backend.cancel("context")
    await world.driver.drain()
    assert (await world.driver.end()).failure.reason == "Cancelled"
