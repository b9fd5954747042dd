"""Inputs that are forwarded go into child contexts in pieces where they, or the children, are many: nothing shows it
but the length of a call. The library of the bounds has a command for each input that is looked at.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.bounds import bounded
from tests.backends.redis.races import World, done, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, B, C, flow, multi, operation, output, seeds
from tidemill.backends.redis import client
from tidemill.backends.redis.groups import RedisGroups
from tidemill.model.definition import Definition
from tidemill.model.flow import Forward
from tidemill.networks.implementations import Child, Completed, Subflow
from tidemill.plan.compile import compile_plan
from tools.lua_mutants import Mutant

MANY = 1_000
CHILDREN = 8
BOUND = 1_000
"""Commands of one call, and inputs that it looks at."""
N = Definition("n", "int")
RUN, MAKE = operation("run", {"a": A}, {"c": C}), operation("make", {"n": N}, {"b": B})
READ = compile_plan(flow(output("read")))
OUTER = compile_plan(flow(RUN, MAKE, output("tell"), forward=Forward({"run": [B]})))
LOOKED_AT = Mutant(
    "looked-at",
    "inputs",
    "function I.header(c, number)\n",
    "function I.header(c, number)\n  redis.call('EXISTS', c.hash)\n",
    (),
)


def pieces(many: int) -> list[Mutant]:
    """Return the changes with which a call looks at so few inputs, and gives a child so few."""
    return [
        Mutant("at-once", "forwarding", "local AT_ONCE = 128", f"local AT_ONCE = {many}", ()),
        Mutant("feed", "forwarding", "local FEED = 64", f"local FEED = {many}", ()),
        Mutant("merged", "sorting", "local MERGED = 64", f"local MERGED = {many}", ()),
    ]


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Workers that play over a store of which a call does ``many``, or all at once with each look a command."""
    mark = request.node.get_closest_marker("parametrize")
    many = request.node.callspec.params.get("many") if mark else None
    source = vars(client)["assembled"]()
    for one in [LOOKED_AT] if many is None else pieces(many):
        source = one.apply(source)
    monkeypatch.setattr(client, "assembled", lambda: source)
    async with world_of(request.param) as found:
        found.backend._keeps = False
        yield found


def scripted(world: World, children: int) -> list[Any]:
    """Have ``run`` run so many children; return where what they have read will be."""
    heard: list[Any] = []

    def outputs(endings: Any, a: int) -> dict[str, int]:
        heard.extend(ending.result for ending in endings)
        return {"c": a}

    world.driver.scripts |= {
        "run": Running(lambda a: [Child(f"{a}-{at}", READ, []) for at in range(children)], outputs),
        "make": lambda n: {"b": -n},
        "read": multi("B"),
        "tell": multi("C"),
    }
    return heard


async def made_in_any_order(world: World, many: int, runs: int = 1) -> list[int]:
    """Open a context of which everything is done but that which is forwarded; return that in canonical order."""
    await world.backend.open("context", OUTER, [*seeds(B, 7), *seeds(N, *range(many)), *seeds(A, *range(runs))])
    made: list[Completed] = []
    while leased := await world.lease("w1", 64):
        for one in leased:
            if one.operation.instance == "run":
                children = world.driver.scripts["run"].children(**one.arguments())
                await world.report("w1", Subflow(one, children))
            else:
                made.append(done(one, -one.arguments()["n"]))
    random.Random(many).shuffle(made)
    for at in range(0, many - 1, 100):
        await world.network.exchange("w1", made[at : min(at + 100, many - 1)], 0, world.nonce())
    await bounded(world, world.report("w1", made[-1]))
    return [7, *[-n for n in range(many)]]


@pytest.mark.parametrize("many", [1, 2, 7])
async def test_nothing_depends_on_where_what_is_forwarded_is_cut(world: World, many: int) -> None:
    heard = scripted(world, 2)
    given = await made_in_any_order(world, 20, runs=3)
    await world.driver.drain()
    assert (await world.driver.end()).result == {"C": [0, 1, 2]}
    assert heard == [{"B": given}] * 6


@pytest.mark.parametrize("many", [2])
async def test_a_context_ends_while_it_forwards(world: World, many: int) -> None:
    scripted(world, 2)
    await made_in_any_order(world, 20, runs=3)
    await world.client.call("chores")
    await world.backend.cancel("context")
    await RedisGroups(world.client).chores()
    assert (await world.driver.end()).failure.reason == "Cancelled"
    assert not [key for key in await world.keys() if b":c:" in key or b":parents" in key or b":chores" in key]


@pytest.mark.parametrize("many", [2])
async def test_what_comes_while_it_is_forwarded_is_forwarded_no_more(world: World, many: int) -> None:
    heard = scripted(world, 2)
    given = await made_in_any_order(world, 5)
    await world.backend.add("context", seeds(B, 100))
    await world.driver.drain()
    assert (await world.driver.end()).result == {"C": [0]}
    assert heard == [{"B": given}] * 2


async def test_with_a_thousand_that_are_forwarded_into_each_child(world: World) -> None:
    heard = scripted(world, CHILDREN)
    given = await made_in_any_order(world, MANY)
    while await bounded(world, world.client.call("chores"), BOUND):
        pass
    await world.driver.drain()
    assert (await world.driver.end()).result == {"C": [0]}
    assert heard == [{"B": given}] * CHILDREN
