"""Groups over real servers: what is counted, and what happens to all contexts of one together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.races import TELL, World, done, failed, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, B, flow, operation, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.groups import GroupCounts, RedisGroups
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import ContextClosed
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.networks.implementations import Child, Lost
from tidemill.orchestrator.submitting import submit
from tidemill.plan.compile import compile_plan

LOCK = Definition("lock", "int", lock=True)
TEXT = Definition("text", "str")
FLOW = flow(operation("use", {"a": A}, {"b": B}), TELL)
TAKING = ("taken", "dispatched", "leased", "completed", "failed", "retried")


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


@pytest.fixture
def groups(world: World) -> RedisGroups:
    """The groups of the store."""
    return RedisGroups(world.client)


async def opened(world: World, group: str, name: str, many: int = 1, **keywords: Any) -> None:
    """Open a context of a group with so many parameter sets of ``use``."""
    plan = compile_plan(flow(operation("use", {"a": A}, {"b": B}, **keywords), TELL))
    await world.backend.open(name, plan, seeds(A, *range(many)), group=group)


async def names(groups: RedisGroups, group: str, state: Any) -> list[str]:
    return sorted([name async for name in groups.names(group, state)])


def said(counts: GroupCounts) -> dict[str, list[int]]:
    """Return the counts of each operation, in their order."""
    return {one.instance: [getattr(one.counts, word) for word in TAKING] for one in counts.operations}


async def test_a_group_counts_what_is_of_it_and_nothing_else(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one", 3)
    await opened(world, "other", "two", 5)
    await opened(world, "", "three", 7)
    backend = RedisBackend(world.client, silent=True)  # endings stay until somebody asks for them
    assert [one async for one in submit(backend, FLOW, {"four": seeds(A, 1)}, group="submitted")] == ["four"]
    counts = await groups.counts("g")
    assert (counts.contexts, counts.state) == ({"open": 1, "succeeded": 0, "failed": 0}, "active")
    assert said(counts) == {"use": [3, 3, 0, 0, 0, 0]}
    assert await names(groups, "g", "open") == ["one"]
    await world.driver.drain()
    counts = await groups.counts("g")
    assert counts.contexts == {"open": 0, "succeeded": 1, "failed": 0}
    assert said(counts) == {"use": [3, 3, 3, 3, 0, 0], "tell": [1, 1, 1, 1, 0, 0]}
    assert counts.operations[0].pool == "default"
    assert said(await groups.counts("other"))["use"][0] == 5
    assert await groups.counts("nobody") == GroupCounts()
    assert await names(groups, "submitted", "succeeded") == ["four"]
    assert await names(groups, "submitted", "open") == await names(groups, "submitted", "failed") == []
    assert await world.backend.endings.forget(["four"]) == 1
    assert await names(groups, "submitted", "succeeded") == []
    assert (await groups.counts("submitted")).contexts["succeeded"] == 1


async def test_samples_say_what_failed_and_are_few(world: World, groups: RedisGroups) -> None:
    def use(a: int) -> Any:
        raise ValueError("é" * 1000)

    world.driver.scripts["use"] = use
    for at in range(12):
        await opened(world, "g", f"c{at}")
    leases = [await world.one("w1") for _ in range(12)]
    await world.report("w1", *[failed(one) for one in leases])
    counts = await groups.counts("g")
    assert counts.contexts == {"open": 0, "succeeded": 0, "failed": 12}
    assert len(counts.samples) == 10
    assert len({name for name, _ in counts.samples}) == 10
    name, failure = counts.samples[0]
    assert (failure.reason, failure.message, failure.instance, failure.context) == ("Exception", "boom", "use", name)
    assert said(counts)["use"] == [12, 12, 12, 0, 12, 0]


async def test_a_failure_that_was_survived_is_a_sample_too(world: World, groups: RedisGroups) -> None:
    plan = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL))
    await world.backend.open("c", plan, seeds(A, 1), strict=False, group="g")
    await world.report("w1", failed(await world.one("w1")))
    await world.driver.drain()
    counts = await groups.counts("g")
    assert counts.contexts["succeeded"] == 1
    assert [(name, failure.reason) for name, failure in counts.samples] == [("c", "Exception")]


async def test_messages_of_samples_are_cut_between_letters(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "c")
    await groups.cancel("g", "Stopped", "x" + "é" * 1000)
    [(_, failure)] = (await groups.counts("g")).samples
    assert failure.message == "x" + "é" * 511


async def test_nothing_of_what_is_suspended_is_leased(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one", 3)
    await opened(world, "", "two", 1)
    first = await world.one("w1")
    assert first.context.name == "one"
    await groups.suspend("g")
    await groups.suspend("g")
    leased = await world.lease("w2", 10)
    assert [one.context.name for one in leased] == ["two"]
    await world.report("w2", done(leased[0], 1))
    await world.report("w1", done(first, 0))  # what is leased goes on to its end
    await opened(world, "g", "three", 2)
    assert [one.operation.instance for one in await world.lease("w2", 10)] == ["tell"]
    counts = await groups.counts("g")
    assert (counts.state, counts.aside, counts.contexts["open"]) == ("suspended", 4, 2)
    assert said(counts)["use"] == [5, 3, 1, 1, 0, 0]
    await groups.resume("g")
    counts = await groups.counts("g")
    assert (counts.state, counts.aside, said(counts)["use"][1]) == ("active", 0, 5)
    await world.workers.lose("w2", "default", released=True)
    assert await world.told("one") == [0, 1, 2]
    assert await world.told("three") == [0, 1]


async def test_whoever_is_idle_is_called_when_a_group_is_resumed(world: World, groups: RedisGroups) -> None:
    await groups.suspend("g")  # before there is anything of it
    await opened(world, "g", "one")
    assert await world.lease("w1") == []
    bell = world.client.key("wake", "w1")
    assert not await world.redis.exists(bell)
    await groups.resume("g")
    assert await world.redis.exists(bell)
    assert await world.told("one") == [0]


async def test_what_is_put_aside_is_counted_as_dispatched_once(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one", 5, concurrency=2)
    for _ in range(3):
        await groups.suspend("g")
        assert await world.lease("w1", 10) == []
        assert not any(map(int, await world.redis.hvals(f"{world.client.tag}:running")))
        await groups.resume("g")
    assert await world.told("one") == [0, 1, 2, 3, 4]
    assert said(await groups.counts("g"))["use"] == [5, 5, 5, 5, 0, 0]


async def test_who_is_suspended_keeps_no_place_from_others(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one", 3, concurrency=1)
    await opened(world, "h", "two", 1, concurrency=1)
    await groups.suspend("g")
    leased = await world.lease("w1", 5) or await world.lease("w1", 5)
    assert [one.context.name for one in leased] == ["two"]
    assert (await groups.counts("g")).aside == 3
    await world.report("w1", done(leased[0], 0))
    await groups.resume("g")
    assert await world.told("one") == [0, 1, 2]


async def test_a_further_try_waits_for_its_group(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one", 1, retry=2, backoff=1.0)
    await world.report("w1", failed(await world.one("w1")))
    await groups.suspend("g")
    world.driver.clock.now += 10
    assert await world.lease("w1") == []
    assert (await groups.counts("g")).aside == 1
    assert not await world.redis.exists(f"{world.client.tag}:delayed")
    await groups.resume("g")
    assert (await world.one("w1")).tries == 1
    await world.workers.lose("w1", "default", released=True)
    assert await world.told("one") == [0]


async def test_what_is_handed_back_to_a_suspended_group_is_put_aside(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one")
    one = await world.one("w1")
    await groups.suspend("g")
    await world.report("w1", Lost(one, "gone"))
    assert await world.lease("w2") == []
    await groups.resume("g")
    assert (await world.one("w2")).lost == 1
    await world.workers.lose("w2", "default", released=True)
    assert await world.told("one") == [0]


async def test_locks_hold_across_a_suspension(world: World, groups: RedisGroups) -> None:
    plan = compile_plan(flow(operation("use", {"a": A, "lock": LOCK}, {"b": B}), TELL))
    world.driver.scripts["use"] = lambda a, lock: {"b": a}
    await world.backend.open("one", plan, [Input(1, LOCK), *seeds(A, 1, 2, 3)], group="g")
    one = await world.one("w1")
    await groups.suspend("g")
    await world.report("w1", done(one, 1))
    assert await world.lease("w1", 5) == []
    await groups.resume("g")
    world.driver.ancestors = True
    assert await world.told("one") == [1, 2, 3]


async def test_many_are_resumed_in_pieces(world: World, groups: RedisGroups) -> None:
    await groups.suspend("g")
    for at in range(10):
        await opened(world, "g", f"c{at}", 60)
    assert (await groups.counts("g")).aside == 600
    assert await world.client.call("resume", "g") == 600 - 128
    await groups.chores()  # whoever calls next goes on, should nobody ask for it any more
    assert (await groups.counts("g")).aside == 0
    leased = 0
    while some := await world.lease("w1", 100):
        leased += len(some)
    assert leased == 600


async def running(world: World, name: str, group: str) -> None:
    """Open a context that runs three others."""
    inner = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL))
    children = [Child(f"child{at}", inner, seeds(A, at)) for at in range(3)]
    world.driver.scripts["run"] = Running(lambda a: children, lambda endings, a: {"b": len(endings)})
    await world.backend.open(
        name, compile_plan(flow(operation("run", {"a": A}, {"b": B}), TELL)), seeds(A, 1), group=group
    )


async def test_children_are_of_the_group_of_their_parent(world: World, groups: RedisGroups) -> None:
    await running(world, "parent", "g")
    await world.driver.finish(await world.driver.one())
    await groups.suspend("g")
    assert await world.lease("w1", 5) == []
    counts = await groups.counts("g")
    assert (counts.contexts["open"], counts.aside) == (1, 3)
    assert await names(groups, "g", "open") == ["parent"]
    await groups.resume("g")
    assert await world.told("parent") == [3]
    assert (await groups.counts("g")).contexts == {"open": 0, "succeeded": 1, "failed": 0}
    assert said(await groups.counts("g"))["use"][3] == 3


async def kinds(world: World) -> set[str]:
    return {key.decode()[len(world.client.tag) + 1 :].split(":")[0] for key in await world.keys()}


SEEN = {"plan", "flow", "serial", "counts", "refused", "running", "idle", "runners", "last"}
"""What a store has of contexts that it had once."""


async def many_kinds(world: World, group: str) -> list[ParameterSet]:
    """Have a group with what is ready, leased, delayed, parked, put aside, waiting for locks, with candidates of its
    own, with large values and children, and over; return what is leased."""
    await running(world, "parent", group)
    await world.driver.finish(await world.driver.one())
    use = operation("use", {"a": A, "lock": LOCK}, {"b": B}, retry=2, backoff=5.0)
    for at in range(3):
        await world.backend.open(
            f"locked{at}", compile_plan(flow(use, TELL)), [Input(1, LOCK), *seeds(A, *range(100))], group=group
        )
    await opened(world, group, "parked", 5, concurrency=2)
    blobs = compile_plan(flow(operation("read", {"text": TEXT}, {"b": B}), TELL))
    await world.backend.open("blobs", blobs, [Input("x" * 100_000, TEXT)], group=group)
    backend = RedisBackend(world.client, silent=True)
    assert [one async for one in submit(backend, FLOW, {"over": seeds(A, 1)}, group=group)] == ["over"]
    await world.backend.cancel("over")
    leased: list[ParameterSet] = []
    while len({one.context.name for one in leased}) < 5:
        leased += await world.lease("w1", 1)
    await world.report("w1", failed(leased.pop(3)))
    return leased


async def test_of_a_group_that_is_dropped_nothing_is_left(world: World, groups: RedisGroups) -> None:
    """And no worker ever comes."""
    leased = await many_kinds(world, "g")
    await opened(world, "", "spared", 2)
    await groups.suspend("g")
    locked = next(at for at, one in enumerate(leased) if one.context.name.startswith("locked"))
    await world.report("w1", done(leased.pop(locked), 1))
    before = await kinds(world)
    assert {"delayed", "parked", "aside", "q", "l", "k", "blob", "holds", "ended", "ready", "held", "c"} <= before
    await groups.drop("g")
    assert await groups.counts("g") == GroupCounts()
    left = await kinds(world) - SEEN
    assert left - {"inbox", "wake"} == {"names", "c", "ready", "held", "due"}
    spared = await world.redis.hgetall(f"{world.client.tag}:names")
    assert list(spared) == [b"spared"]
    held = await world.redis.hkeys(world.client.key("held", "w1"))
    assert len(held) == len(leased)
    refused = world.refused
    await world.report("w1", *[done(one, 1) for one in leased])
    assert world.refused == refused + len(leased)
    assert not any(map(int, await world.redis.hvals(f"{world.client.tag}:running")))
    assert await world.told("spared") == [0, 1]
    assert not await kinds(world) & {
        "c",
        "ready",
        "held",
        "names",
        "blob",
        "refs",
        "holds",
        "parked",
        "chores",
        "clearing",
    }


async def test_who_waits_for_a_context_that_is_dropped_hears_of_it(world: World, groups: RedisGroups) -> None:
    await opened(world, "g", "one")
    told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    world.backend.mail.crashed = told.set_result
    assert await world.client.call("await", "another", ["one"]) == [b"OPEN"]
    await groups.drop("g")
    assert await world.client.call("endings", "another", 10, [], True) == [[b"one", b""]]
    assert await world.client.call("endings", "another", 10, ["one"], True) == []
    async with asyncio.timeout(120):
        assert isinstance(await told, ContextClosed)


async def test_a_group_is_dropped_by_whoever_calls_when_nobody_waits(world: World, groups: RedisGroups) -> None:
    for at in range(150):
        await opened(world, "g", f"c{at}", 2)
    assert await world.client.call("drop", "g") == 1
    with pytest.raises(ContextClosed):
        await opened(world, "g", "late")
    assert (await groups.counts("g")).state == "dropped"
    calls = 0
    while await world.redis.exists(world.client.key("group", "g")):
        assert await world.lease("w1") == []
        calls += 1
    assert 3 < calls < 600
    assert (await groups.counts("g")).state == "active"
    await opened(world, "g", "again")
    assert await world.told("again") == [0]


async def test_a_group_of_which_there_is_nothing_is_dropped_at_once(world: World, groups: RedisGroups) -> None:
    before = await world.keys()
    await groups.drop("g")
    await groups.resume("g")
    assert await world.keys() == before


async def test_what_is_ready_of_others_keeps_its_order_when_a_group_is_dropped(
    world: World, groups: RedisGroups
) -> None:
    for at in range(40):
        await opened(world, "g" if at % 2 else "", f"c{at}", 20)
    await groups.drop("g")
    assert await world.redis.llen(world.client.key("ready", "default")) == 20 * 20
    leased = [one.context.name for _ in range(8) for one in await world.lease("w1", 50)]
    assert leased == [f"c{at}" for at in range(0, 40, 2) for _ in range(20)]
