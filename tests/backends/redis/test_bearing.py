"""Many children of one parameter set are opened piece by piece, and nothing shows it but the length of a call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.races import TELL, World, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, B, C, flow, multi, operation, output, seeds
from tidemill.backends.redis.groups import RedisGroups
from tidemill.model.flow import Forward
from tidemill.networks.implementations import Child
from tidemill.plan.compile import compile_plan
from tools.lua_mutants import Mutant, changed

INNER = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL))
RUN = operation("run", {"a": A}, {"b": B})


@pytest.fixture(params=[("redis", 1), ("valkey", 1), ("valkey", 3)])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Workers that play over a store that opens so many children at once."""
    kind, piece = request.param
    source = changed(Mutant("pieces", "bearing", "local BORN = 32", f"local BORN = {piece}", ()))
    monkeypatch.setattr("tidemill.backends.redis.client.assembled", lambda: source)
    async with world_of(kind) as found:
        yield found


def scripted(world: World, children: list[Child]) -> list[Any]:
    """Have ``run`` run these; return where their endings will be."""
    heard: list[Any] = []

    def outputs(endings: Any, a: int) -> dict[str, int]:
        heard.extend(endings)
        return {"b": len(endings)}

    world.driver.scripts["run"] = Running(lambda a: children, outputs)
    return heard


async def left(world: World) -> list[bytes]:
    return [
        key for key in await world.keys() if any(kind in key for kind in (b":staged:", b":holds:", b":parents", b":c:"))
    ]


async def test_endings_come_in_the_order_of_the_children(world: World) -> None:
    heard = scripted(world, [Child(f"c{at}", INNER, seeds(A, at)) for at in range(10)])
    await world.driver.open(flow(RUN, TELL), seeds(A, 1))
    assert await world.told() == [10]
    assert [ending.result for ending in heard] == [{"B": [at]} for at in range(10)]
    await RedisGroups(world.client).chores()
    assert await left(world) == []


async def test_a_name_that_two_children_have_is_the_first_ones(world: World) -> None:
    heard = scripted(world, [Child("same", INNER, seeds(A, at)) for at in range(4)])
    await world.driver.open(flow(RUN, TELL), seeds(A, 1))
    assert await world.told() == [4]
    assert heard[0].result == {"B": [0]}
    assert [ending.failure.reason for ending in heard[1:]] == ["DuplicateContext"] * 3


async def test_those_that_are_not_open_when_their_parent_fails_never_are(world: World) -> None:
    scripted(world, [Child(f"c{at}", INNER, seeds(A, at)) for at in range(10)])
    await world.driver.open(flow(RUN, TELL), seeds(A, 1))
    await world.driver.finish(await world.driver.one())
    await world.backend.cancel("context")
    await RedisGroups(world.client).chores()
    await world.driver.drain()
    assert (await world.driver.end()).failure.reason == "Cancelled"
    counted = await world.backend.counts(INNER)
    assert counted["use"].taken <= 3
    assert await left(world) == []


async def test_a_group_is_dropped_while_children_are_opened(world: World) -> None:
    scripted(world, [Child(f"c{at}", INNER, seeds(A, at)) for at in range(10)])
    await world.backend.open("context", compile_plan(flow(RUN, TELL)), seeds(A, 1), group="g")
    await world.driver.finish(await world.driver.one())
    groups = RedisGroups(world.client)
    await groups.drop("g")
    await groups.chores()
    assert await left(world) == []


async def test_inputs_are_forwarded_when_all_children_are_open(world: World) -> None:
    """To each of them the same, and all that there ever were."""
    run = operation("run", {"a": A}, {"c": C})
    more = operation("more", {"a": A}, {"b": B})
    inner = compile_plan(flow(output("tell", {"b": B})))
    given: list[int] = []
    world.driver.scripts |= {"more": lambda a: {"b": a + 10}, "tell": multi("B")}
    children = [Child(f"c{at}", inner, []) for at in range(5)]

    def outputs(endings: Any, a: int) -> dict[str, int]:
        given.extend(len(ending.result) for ending in endings)
        return {"c": a}

    world.driver.scripts["run"] = Running(lambda a: children, outputs)
    outer = flow(run, more, output("tell"), forward=Forward({"run": [B]}))
    await world.driver.open(outer, seeds(A, 1))
    await world.driver.drain()
    await world.driver.end()
    assert len(given) == 5
    assert len(set(given)) == 1
