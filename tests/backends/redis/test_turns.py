"""Whose turn it is: boxes wait in line, contexts do, and what a failed context has put off never comes up again."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.races import World, done, failed, world_of
from tests.contract.shapes import A, B, C, flow, operation, seeds
from tidemill.backends.redis.library import assembled
from tidemill.model.definition import Definition
from tidemill.model.flow import Forward, InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Child, Completed, Subflow
from tidemill.plan.compile import compile_plan

AHEAD = int(re.findall(r"^local CHUNK = (\d+)", assembled(), re.MULTILINE)[0])
"""Parameter sets of a context that have been taken and wait, at most."""
LOCK = Definition("lock", "int", lock=True)


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


async def test_what_comes_one_by_one_waits_in_line_too(world: World) -> None:
    """Each input makes one combination: they are not taken before there is room for them."""
    many = 3 * AHEAD
    pair = operation("pair", {"a": A, "b": B})
    await world.driver.open(flow(pair), [*seeds(B, 1), *seeds(A, *range(many))])
    assert world.driver.subject.existing() == AHEAD
    await world.driver.drain()
    ran = await world.driver.end()
    assert [call["a"] for call in ran.calls("pair")] == list(range(many))


async def test_what_waits_in_line_comes_once(world: World) -> None:
    """An input that arrives at two parameters stands in two boxes, which are walked at different times."""
    many = AHEAD + 20  # so that the first has ended before the second comes up
    await world.driver.open(flow(operation("both", {"one": A, "other": A})), seeds(A, *range(many)))
    ran, leased = list[tuple[int, int]](), await world.lease("w1", 10)
    while leased:
        calls = [one.arguments() for one in leased]
        ran += [(call["one"], call["other"]) for call in calls]
        reports = [Completed(one, None, lease=one.leases) for one in leased]
        leased, _ = await world.network.exchange("w1", reports, 10, world.nonce())
    assert sorted(ran) == [(one, other) for one in range(many) for other in range(many)]
    await world.driver.end()


async def test_the_first_that_is_still_ahead_has_not_been_taken(world: World) -> None:
    pair = operation("pair", {"a": A, "b": B})
    await world.driver.open(flow(pair), [*seeds(A, *range(100)), *seeds(B, *range(100))])
    context = await world.redis.hget(f"{world.client.tag}:names", "context")
    box, place = divmod(AHEAD, 100)
    taken = [await world.client.call("taken", context, 0, [a, 100 + box]) for a in (place - 1, place)]
    assert taken == [1, 0]
    await world.backend.cancel("context")
    await world.driver.end()


async def test_a_context_that_goes_on_and_on_lets_others_have_their_turn(world: World) -> None:
    step = operation("step", {"a": A}, {"a": A})
    steps = flow(step, flow={"step": InputFlow({"a": ["seed", {"step": "a"}]})})
    for name in ("long", "other"):
        await world.driver.open(steps, seeds(A, 0), name=name)
    (one,) = await world.lease("w1")
    turns = []
    for turn in range(30):
        turns.append(one.context.name)
        report = Completed(one, {"a": turn + 1} if one.context.name == "long" else None, lease=one.leases)
        (one,), _ = await world.network.exchange("w1", [report], 1, world.nonce())
    assert "other" in turns[:12]
    await world.network.exchange("w1", [Completed(one, None, lease=one.leases)], 0, world.nonce())
    for name in ("long", "other"):
        await world.driver.end(name)


async def test_what_a_failed_context_has_put_off_takes_no_lock_again(world: World) -> None:
    use = operation("use", {"lock": LOCK}, retry=2, backoff=5)
    clean = operation("clean", {"a": A}, stage=Stage.CLEANUP)
    await world.driver.open(flow(use, operation("fails", {"a": A}), clean), [Input(1, LOCK), *seeds(A, 1)])
    leased = await world.lease("w1", 2)
    for one in sorted(leased, key=lambda one: one.operation.instance, reverse=True):
        await world.report("w1", failed(one))
    (last,) = await world.lease("w1", 5)
    assert last.operation.instance == "clean"
    world.driver.clock.now += 5
    assert await world.lease("w1", 5) == []
    await world.report("w1", Completed(last, None))
    assert (await world.driver.end()).failure.instance == "fails"
    assert not [key for key in await world.keys() if b":q:" in key or b":l:" in key]


async def test_what_a_failed_context_had_ahead_is_gone(world: World) -> None:
    pair, clean = operation("pair", {"a": A, "b": B}), operation("clean", {"c": C}, stage=Stage.CLEANUP)
    many = seeds(A, *range(3 * AHEAD))
    await world.driver.open(flow(operation("fails", {"c": C}), pair, clean), [*seeds(C, 1), *seeds(B, 1), *many])
    await world.report("w1", failed(await world.one("w1")))
    await world.driver.drain()
    ran = await world.driver.end()
    assert ran.failure.instance == "fails"
    assert [lease.instance for lease in ran.leases] == ["clean"]


async def test_a_lease_of_the_same_number_is_another_where_the_runner_is(world: World) -> None:
    """After a failover that lost writes, a lease may have the number that it had before, until an epoch begins."""
    await world.open()
    before = await world.contents()
    late = await world.one("alone")
    await world.put_back(before)
    now = await world.one("new")
    assert now.leases == late.leases
    await world.report("alone", done(late, 1))
    assert world.refused == 1
    await world.report("new", done(now, 2))
    assert await world.told() == [2]


async def test_who_stands_in_a_queue_stands_there_once(world: World) -> None:
    """The same locked input at two parameters is one lock."""
    await world.driver.open(flow(operation("both", {"one": LOCK, "two": LOCK})), [Input(1, LOCK)])
    one = await world.one("w1")
    queue = await world.client.call("queue", one.context.id, 0)
    assert queue == [str(one.worker).encode()]
    await world.report("w1", Completed(one, None))
    await world.driver.end()


async def test_a_child_that_could_not_be_opened_lets_no_other_be_closed_early(world: World) -> None:
    """Inputs are forwarded when nothing else of the parent can give any, whatever became of children before."""
    inner = compile_plan(flow(operation("inner", {"b": B})))
    forward = Forward()
    forward.add("run", [B])
    parent = flow(operation("run", {"a": A}), operation("make", {"c": C}, {"b": B}), forward=forward)
    await world.driver.open(inner, [], name="context/run/taken", hold=True)
    await world.driver.open(parent, [*seeds(A, 1, 2), *seeds(C, 1)])
    leased = await world.lease("w1", 3)
    first, second = [one for one in leased if one.operation.instance == "run"]
    (make,) = [one for one in leased if one.operation.instance == "make"]
    await world.report("w1", Subflow(first, [Child("taken", inner, [])]))
    again = await world.one("w1")
    assert again.children is not None and again.children[0].failure is not None
    await world.report("w1", Completed(again, None))
    await world.report("w1", Subflow(second, [Child("free", inner, [])]))
    assert await world.lease("w1", 5) == []
    await world.report("w1", Completed(make, {"b": 5}))
    (one,) = await world.lease("w1", 5)
    assert (one.operation.instance, one.arguments()) == ("inner", {"b": 5})
    await world.report("w1", Completed(one, None))
    await world.report("w1", Completed(await world.one("w1"), None))
    await world.driver.end()
    await world.backend.close("context/run/taken")
    await world.driver.end("context/run/taken")
