"""No call keeps the store from everybody else for long: what it does is counted in commands, with a context of ten
thousand inputs and as many parameter sets that wait.

Bounded by what they are asked, and not by what is there: opening and adding (by the inputs that come along),
and data flows that run data flows (by the children that are named).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.bounds import BOUND, bounded
from tests.backends.redis.races import TELL, World, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, B, C, flow, operation, output, seeds
from tidemill.backends.redis.groups import RedisGroups
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Child, Completed, Subflow
from tidemill.plan.compile import compile_plan

MANY = 10_000
PER_INPUT = 3
SOME = 800
"""Commands of one call where it goes through some of what there is."""
LOCK = Definition("lock", "int", lock=True)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of("valkey") as found:
        yield found


async def test_with_ten_thousand_that_wait_for_a_lock(world: World) -> None:
    use = operation("use", {"a": A, "lock": LOCK}, {"b": B})
    plan = compile_plan(flow(use, output("tell")))
    given = [Input(1, LOCK), *seeds(A, *range(MANY))]
    await bounded(world, world.driver.open(plan, given, hold=True), PER_INPUT * MANY)
    assert await bounded(world, world.backend.add("context", seeds(A, *range(1000))), SOME) == 1000
    (one,) = await bounded(world, world.lease("w1"))
    await bounded(world, world.report("w1", Completed(one, {"b": 1})))
    await bounded(world, world.lease("w1"))
    await bounded(world, world.backend.close("context"))
    assert len(await bounded(world, world.backend.inputs.everything(one.context))) == MANY + 1002
    verbs: dict[str, list[Any]] = {
        "opened": ["0"],
        "states": ["context"],
        "operations": ["0"],
        "pools": [world.driver.clock.now, "default"],
        "workers": ["0"],
        "counts": [plan.digest],
        "taken": [one.context.id, 0, [MANY, 0]],
        "queue": [one.context.id, 0],
        "read": [one.context.id, 0],
        "await": ["", ["context"]],
        "collect": [0.0],
    }
    for verb, request in verbs.items():
        await bounded(world, world.client.call(verb, *request))
    await bounded(world, world.workers.lose("w1", "default"))
    await bounded(world, world.backend.cancel("context"))
    assert (await bounded(world, world.driver.end())).failure.reason == "Cancelled"


async def test_with_ten_thousand_that_one_worker_holds(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(MANY)
    held = 0
    while leased := await world.lease("w/1", 50):
        held += len(leased)
    assert held == MANY
    await bounded(world, world.workers.beat("w", 1))
    await bounded(world, world.client.call("lose", "w/1", "default", "released", ""))
    assert (await bounded(world, world.client.call("expire", "w", "1")))[1] > 0
    assert (await bounded(world, world.client.call("bye", "w")))[1] > 0
    assert await bounded(world, world.client.call("recover", 1)) > 0
    await world.workers.recover(1)
    await bounded(world, world.backend.cancel("context"))
    await bounded(world, world.driver.end())
    left = await world.redis.llen(world.client.key("ready", "default"))
    assert left == MANY
    while left:  # what was dropped is passed over in pieces, and nobody has to be told that there is more
        assert await bounded(world, world.lease("other")) == []
        after = await world.redis.llen(world.client.key("ready", "default"))
        assert after < left
        left = after


async def test_what_waits_behind_the_dropped_is_come_to(world: World) -> None:
    await world.open(3 * BOUND)
    await world.open(1, name="last")
    await world.backend.cancel("context")
    assert (await world.driver.end()).failure.reason == "Cancelled"
    leased, seconds = await world.network.exchange("w1", (), 1, world.nonce())
    while not leased:
        assert seconds is not None and seconds < 1, "nobody would look again"
        leased, seconds = await world.network.exchange("w1", (), 1, world.nonce())
    assert leased[0].context.name == "last"
    await world.workers.lose("w1", "default", released=True)
    assert await world.told("last") == [0]


async def test_with_ten_thousand_combinations_ahead(world: World) -> None:
    pair = operation("pair", {"a": A, "b": B})
    await world.driver.open(flow(pair, TELL), [*seeds(A, *range(100)), *seeds(B, *range(100))], hold=True)
    leased = await bounded(world, world.lease("w1", 100), 8 * 100)
    await bounded(world, world.client.call("taken", leased[0].context.id, 0, [99, 199]))
    await bounded(world, world.backend.close("context"))
    await bounded(world, world.backend.cancel("context"))
    await bounded(world, world.workers.lose("w1", "default"))
    await bounded(world, world.driver.end())


async def test_with_results_to_bring_into_order(world: World) -> None:
    plan = compile_plan(flow(output("tell", {"c": C})))
    await world.driver.open(plan, [*seeds(A, *range(MANY)), *seeds(C, 1, 2, 3)])
    leased = await bounded(world, world.lease("w1", 3))
    for one in leased:
        await bounded(world, world.report("w1", Completed(one, {str(one.arguments()["c"]): 1})))
    assert (await bounded(world, world.driver.end())).result == {"1": 1, "2": 1, "3": 1}


async def test_with_a_thousand_children(world: World) -> None:
    child = compile_plan(flow(output("tell")))
    await world.open()
    one = await world.one("w1")
    children = [Child(str(at), child, []) for at in range(1000)]
    await bounded(world, world.report("w1", Subflow(one, children)), SOME)
    while await bounded(world, world.client.call("chores"), SOME):
        pass
    assert await world.redis.hlen(f"{world.client.tag}:names") == 1001
    await bounded(world, world.backend.cancel("context"), SOME)
    assert await world.redis.hlen(f"{world.client.tag}:names") > 900, "most are still to be cancelled"
    while await bounded(world, world.client.call("chores"), SOME):
        pass
    assert (await bounded(world, world.driver.end())).failure.reason == "Cancelled"


async def test_with_a_thousand_that_run_data_flows_in_which_others_do(world: World) -> None:
    """Grandchildren of sixty parents: a call cancels some children, and none of them all of its own."""
    inmost = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL))
    inner = compile_plan(flow(operation("far", {"a": A}, {"b": B}), TELL))
    world.driver.scripts |= {
        "far": Running(
            lambda a: [Child(str(at), inmost, seeds(A, at)) for at in range(20)], lambda endings, a: {"b": a}
        ),
        "run": Running(lambda a: [Child(str(at), inner, seeds(A, a)) for at in range(20)], lambda endings, a: {"b": a}),
    }
    await world.driver.open(flow(operation("run", {"a": A}, {"b": B}), TELL), seeds(A, *range(3)))
    names = f"{world.client.tag}:names"
    while await world.redis.hlen(names) < 1 + 60 + 60 * 20:
        for lease in await world.driver.lease(10):
            if lease.instance != "use":
                await world.driver.finish(lease)
    await bounded(world, world.backend.cancel("context"), SOME)
    assert await world.redis.hlen(names) > 1000
    while await bounded(world, world.client.call("chores"), SOME):
        pass
    assert (await world.driver.end()).failure.reason == "Cancelled"
    assert await world.redis.hlen(names) == 0


async def test_with_many_contexts_of_a_group(world: World) -> None:
    """As few as these the server tells of all at once, whatever it was asked for."""
    plan = compile_plan(flow(operation("use", {"lock": LOCK}, {"b": B}), TELL))
    for at in range(120):
        await world.backend.open(f"c{at}", plan, [Input(one, LOCK) for one in range(20)], group="g")
    await bounded(world, RedisGroups(world.client).cancel("g"), SOME / 2)
    while await bounded(world, world.client.call("chores"), SOME):
        pass
    assert (await RedisGroups(world.client).counts("g")).contexts == {"open": 0, "succeeded": 0, "failed": 120}


async def test_what_a_failed_context_leaves_behind_is_cleared_away_in_pieces(world: World) -> None:
    """Queues of many locks and many boxes; its clean-up locks the same inputs again meanwhile."""
    tidy = operation("tidy", {"lock": LOCK}, {}, stage=Stage.CLEANUP)
    plan = compile_plan(flow(operation("use", {"lock": LOCK}, {"b": B}), tidy, TELL))
    world.driver.scripts["tidy"] = lambda lock: {}
    await world.driver.open(plan, [Input(at, LOCK) for at in range(1000)])
    (one,) = await world.lease("w1")
    await bounded(world, world.backend.cancel("context"))
    queues = [key async for key in world.redis.scan_iter(f"{world.client.tag}:q:*")]
    assert len(queues) > 500
    await bounded(world, world.report("w1", Completed(one, {"b": 1})))
    await bounded(world, world.driver.drain(), 2 * BOUND)
    assert (await world.driver.end()).failure.reason == "Cancelled"
    assert len([lease for lease in world.driver.leases if lease.instance == "tidy"]) == 1000
    while await bounded(world, world.client.call("chores")):
        pass
    left = [key async for key in world.redis.scan_iter(f"{world.client.tag}:[qlbk]:*")]
    assert left == []
