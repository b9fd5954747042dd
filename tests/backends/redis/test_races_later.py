"""Races of naive designs, the second half: ends, names, plans, cancellation, memory, retries, child contexts, clocks.

What R25 and so on are, and where those are that are missing here, says `test_races.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.backends.redis.races import (
    TELL,
    World,
    done,
    failed,
    lost_replies,
    naive_in,
    naive_is_caught,
    race,
    world_of,
)
from tests.contract.driver import Running
from tests.contract.shapes import A, B, flow, operation, output, seeds
from tidemill.backends.redis.library import LAYOUT, assembled
from tidemill.backends.redis.overview import RedisOverview
from tidemill.networks.implementations import Child, Emitted, Subflow
from tidemill.plan.compile import compile_plan

CYCLE = "redis.register_function({ function_name = 'tidemill_1_cycle', callback = step(cycle), flags = DRAINS })"
DRAINING_ADD = "redis.register_function({ function_name = 'tidemill_1_add', callback = step(add), flags = DRAINS })"
MANY_YEARS = 1e10


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


# -- R25 to R28: what is gone, what has the same name, what is edited -------------------------------------------------


@race(
    (
        "reports",
        "local r = P.holds(c, report[3], worker, report[4])",
        "if not c then redis.call('SET', key('c', report[2]), '') end\n"
        "  local r = P.holds(c, report[3], worker, report[4])",
    )
)
async def test_r25_a_zombie_brings_nothing_back(world: World) -> None:
    await world.open()
    late = await world.one("zombie")
    await world.workers.lose("zombie", "default")
    await world.told()
    for _ in range(3):
        await world.report("zombie", done(late, 1))
    assert world.refused == 3
    names = [key.decode() for key in await world.keys()]
    assert not [name for name in names if ":c:" in name or ":held:" in name]


@race(("submitting", "local id = S.new_id()", "local id = '7'"))
async def test_r26_one_of_the_same_name_is_another(world: World) -> None:
    await world.open()
    late = await world.one("runner")
    await world.workers.lose("runner", "default")
    assert await world.told() == [0]
    world.driver.ended.clear()
    await world.open()
    now = await world.one("runner")
    await world.report("runner", done(late, 1))
    assert world.refused == 1
    await world.report("runner", done(now, 2))
    assert await world.told() == [2]


@race(
    ("state", "local plan = plans[digest]", "local plan = nil"),
    ("state", "if not c or c.raw ~= raw[1] then", "if true then"),
    ("state", "redis.call('GET', key('plan', digest))", "redis.call('GET', key('plan', 'current'))"),
    ("contexts", "redis.call('SET', key('plan', a[1]), a[2])", "redis.call('SET', key('plan', 'current'), a[2])"),
)
async def test_r27_a_context_keeps_the_plan_that_it_was_opened_with(world: World) -> None:
    use = operation("use", {"a": A}, {"b": B})
    await world.driver.open(flow(use, TELL), hold=True)
    edited = flow(operation("use", {"b": B}, {"a": A}), operation("other", {"a": A}), TELL)
    await world.backend.publish(compile_plan(edited))
    await world.backend.add("context", seeds(A, 5))
    await world.backend.close("context")
    assert await world.told() == [5]


@race(("submitting", "return own(a[1], owner[1]) and 'OK' or 'DUPLICATE'", "return 'DUPLICATE'"))
async def test_r28_whoever_is_not_sure_opens_and_closes_again(world: World) -> None:
    await world.backend.publish(compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL)))
    with pytest.MonkeyPatch.context() as patched:
        made = lost_replies(world, patched, "submit", 2)
        await world.open()
    assert len(made) == 3
    for _ in range(2):
        await world.backend.close("context")
    assert await world.told() == [0]


@race(
    (
        "submitting",
        "redis.call('LRANGE', inbox, 0, a[2] - 1)",
        "redis.call('LPOP', inbox, a[2]) or {}",
    )
)
async def test_r28_an_ending_whose_reply_is_lost_is_told_again(world: World) -> None:
    plan = compile_plan(flow(TELL))
    await world.backend.publish(plan)
    request = ["context", plan.digest, [], True, False, False]
    assert await world.client.call("submit", "me", [request], 60.0, False, 0.0) == [b"OK"]
    await world.driver.drain()
    told = [await world.client.call("endings", "me", 10, [], False) for _ in range(3)]
    assert told[0] == told[1] == told[2]
    assert [name for name, _ in told[0]] == [b"context"]
    assert await world.client.call("endings", "me", 10, ["context"], False) == []


# -- R31, R32: cancellation -------------------------------------------------------------------------------------------


@race(("stages", "c.failed_stage, c.stage = c.stage, ''", "c.failed_stage = ''"))
async def test_r31_after_a_cancellation_nothing_starts(world: World) -> None:
    again = operation("again", {"b": B})
    await world.driver.open(flow(operation("use", {"a": A}, {"b": B}), again, TELL), seeds(A, 1, 2))
    one = await world.one("w1")
    await world.backend.cancel("context")
    assert await world.lease("w2", 5) == []
    await world.report("w1", done(one, 5))
    assert await world.lease("w2", 5) == []
    ran = await world.driver.end()
    assert ran.failure.reason == "Cancelled"


@race(("stages", "if following == 'output' and c.failure ~= '' then following = nil end", ""))
async def test_r32_a_context_is_cancelled_or_it_is_not(world: World) -> None:
    outcomes = set()
    for turn in range(8):
        name = f"turn {turn}"
        await world.open(name=name)
        one = await world.one("w1")
        calls = [world.report("w1", done(one, 5)), world.backend.cancel(name)]
        await asyncio.gather(*calls[:: 1 if turn % 2 else -1])
        await world.driver.drain()
        ran = await world.driver.end(name)
        assert ran.failure.reason == "Cancelled"
        outcomes.add(bool(ran.calls("tell")))
    assert outcomes == {False}


# -- R33 to R36: functions, rolling updates, memory -------------------------------------------------------------------


async def test_r33_functions_outlive_the_script_cache(world: World) -> None:
    await world.open()
    await world.redis.script_flush()
    assert await world.told() == [0]


def one_library(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next layout load its functions into the library of this one."""
    monkeypatch.setattr("tests.backends.redis.test_races_later.LIBRARY", f"tidemill_{LAYOUT}")


LIBRARY = "tidemill_77"


@race(patch=one_library)
async def test_r34_the_next_layout_lives_beside_this_one(world: World) -> None:
    await world.open()
    following = assembled().replace(f"tidemill_{LAYOUT}_", "tidemill_77_")
    await world.redis.function_load(following.replace(f"name=tidemill_{LAYOUT}\n", f"name={LIBRARY}\n"), replace=True)
    try:
        async with asyncio.timeout(60):
            try:
                assert await world.told() == [0]
            except ResponseError as error:
                pytest.fail(f"the functions of this layout are gone: {error}")
    finally:
        await world.redis.function_delete(LIBRARY)


@asynccontextmanager
async def out_of_memory(world: World) -> AsyncIterator[None]:
    """Let the server have no memory left for what may wait."""
    await world.redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        await world.redis.config_set("maxmemory", 0)


@race(("contexts", "redis.register_function('tidemill_1_add', step(add))", DRAINING_ADD))
async def test_r35_what_adds_work_is_refused_as_a_whole_when_memory_is_short(world: World) -> None:
    await world.driver.open(flow(operation("use", {"a": A}, {"b": B}), TELL), hold=True)
    before = await world.contents()
    async with out_of_memory(world):
        with pytest.raises(ResponseError, match="maxmemory"):
            await world.client.call("add", "context", [])
        with pytest.raises(ResponseError, match="maxmemory"):
            await world.client.call("submit", "me", [], 1.0, False, 0.0)
    assert await world.contents() == before
    await world.backend.close("context")
    await world.driver.drain()
    await world.driver.end()


@race(("work", CYCLE, "redis.register_function('tidemill_1_cycle', step(cycle))"))
async def test_r36_what_is_done_is_taken_when_memory_is_short(world: World) -> None:
    await world.open()
    one = await world.one("w1")
    async with out_of_memory(world):
        await world.report("w1", done(one, 7))
    assert await world.told() == [7]


def impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a full store be an error for whoever waits, as the client library has it."""
    monkeypatch.setattr("tidemill.backends.redis.client.OutOfMemoryError", KeyError)
    monkeypatch.setattr("tidemill.backends.redis.patience.PAUSING", ())


@race(patch=impatient)
async def test_r36_ends_are_heard_and_read_when_memory_is_short(world: World) -> None:
    await world.open()
    async with out_of_memory(world):
        assert await world.told() == [0]


@race(patch=impatient)
async def test_r36_who_opens_contexts_waits_for_memory(world: World) -> None:
    use = compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL))
    await world.backend.publish(use)
    async with out_of_memory(world):
        opening = asyncio.create_task(world.driver.open(use, seeds(A, 3)))
        ready, _ = await asyncio.wait([opening], timeout=0.3)
        assert not ready, opening.exception()
    await opening
    assert await world.told() == [3]


# -- R37 to R39: tries, children, operations that give something else -------------------------------------------------


@race(("settle", "redis.call('ZADD', K.delayed, now + wait, c.id .. ' ' .. r.id)", ""))
async def test_r37_a_further_try_is_in_the_store(world: World) -> None:
    await world.open(1, retry=2, backoff=5)
    await world.report("dies", failed(await world.one("dies")))
    await world.workers.lose("dies", "default")
    assert await world.lease("other") == []
    world.driver.clock.now += 5
    await world.report("other", done(await world.one("other"), 7))
    assert await world.told() == [7]


@race(
    ("reports", "  P.hold(c, r, false)\n  r.worker = ''\n  P.freed", "  P.freed"),
    ("reports", "  c.leased = c.leased - 1\n", ""),
    (
        "children",
        "r.state, r.waiting, r.endings, r.children = 'parent', ",
        "r.state, r.waiting, r.endings, r.children = 'leased', ",
    ),
)
async def test_r38_a_parent_that_crashes_leaves_no_orphan(world: World) -> None:
    child = compile_plan(flow(operation("inner", {"a": A}, {"b": B}), output("tell")))
    parent = operation("use", {"a": A}, {"b": B})
    await world.driver.open(flow(parent, TELL), seeds(A, 1))
    one = await world.one("dies")
    children = [Child("child", child, seeds(A, 2))]
    with pytest.MonkeyPatch.context() as patched:
        lost_replies(world, patched, "cycle", 2)
        await world.report("dies", Subflow(one, children))
    await world.workers.lose("dies", "default")
    assert await world.redis.hlen(f"{world.client.tag}:names") == 2
    world.driver.scripts["inner"] = lambda a: {"b": a}
    world.driver.scripts["use"] = Running(lambda a: children, lambda endings, a: {"b": endings[0].result["B"][0]})
    assert await world.told() == [2]
    assert await world.redis.hlen(f"{world.client.tag}:names") == 0


@race(("reports", "if emission ~= r.emitted then return end", "if emission > r.emitted then return end"))
async def test_r39_what_was_given_first_counts(world: World) -> None:
    await world.open()
    one = await world.one("first")
    await world.report("first", Emitted(one, 0, {"b": 1}))
    await world.workers.lose("first", "default")
    again = await world.one("second")
    again.emitted = 0  # an operation that begins anew gives everything anew
    await world.report("second", Emitted(again, 0, {"b": 100}))
    await world.report("second", Emitted(again, 1, {"b": 2}))
    await world.driver.lose("second")
    world.driver.scripts["use"] = lambda a: None
    assert await world.told() == [1, 2]


# -- R41 to R44: whoever looks, whoever lacks, whoever has another clock ----------------------------------------------


@race(("watching", "  return { c.name, c.plan,", "  c.open, c.dirty = c.leased, true\n  return { c.name, c.plan,"))
async def test_r41_whoever_looks_changes_nothing(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(3)
    await world.one("w/1")
    before = await world.contents()
    await RedisOverview(world.client).look()
    looks: dict[str, list[Any]] = {"opened": ["0"], "operations": ["0"], "pools": [0, "default"], "workers": ["0"]}
    for verb, request in looks.items():
        await world.client.call(verb, *request)
    await world.client.call("states", "context")
    assert await world.contents() == before
    await world.workers.bye("w")
    assert await world.told() == [0, 1, 2]


@race(("leases", "redis.call('LPOP', key('ready', pool), ", "redis.call('LPOP', key('ready', 'default'), "))
async def test_r43_nobody_is_handed_what_is_for_another_pool(world: World) -> None:
    await world.open()
    world.network.pool = "gpu"
    assert await world.lease("w1") == []
    world.network.pool = "default"
    assert await world.told() == [0]


@race(
    (
        "workers",
        "  S.collect(a[4], SEEN)\n",
        "  for _, one in ipairs(redis.call('HKEYS', K.beats)) do\n"
        "    if a[4] > 1e9 and one ~= a[1] then W.depart(one, 'lost', '') end\n  end\n",
    )
)
async def test_r44_clocks_that_differ_take_nothing_from_anybody(world: World) -> None:
    for worker in ("w", "other"):
        await world.workers.hello(worker, {})
    await world.open(2)
    one, other = await world.lease("w/1", 2)
    for at, now in enumerate((MANY_YEARS, -MANY_YEARS, 0.0), start=1):
        world.driver.clock.now = now
        assert await world.lease("other/1", 5) == []
        assert await world.workers.beat("other", at, now) is not None
    await world.report("w/1", done(one, 4), done(other, 5))
    assert world.refused == 0
    for worker in ("w", "other"):
        await world.workers.bye(worker)
    assert await world.told() == [4, 5]


@pytest.mark.parametrize("name", naive_in(__name__))
async def test_the_naive_variant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await naive_is_caught(name, monkeypatch)
