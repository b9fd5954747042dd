"""The verbs of a context over real servers: open, add, close, cancel, lose, and what they refuse."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.shapes import A, B, flow, operation, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.errors import ContextClosed, DuplicateContext, InvalidInput
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Failed, Fenced, Lost
from tidemill.plan.compile import compile_plan

USE = operation("use", {"a": A}, {"b": B})


@pytest.fixture(params=["redis", "valkey"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Workers that play over a store."""
    clock = Clock()
    async with store(request.param, clock) as subject:
        yield Driver(subject, clock)


async def test_inputs_that_come_later_make_only_new_combinations(driver: Driver) -> None:
    await driver.open(flow(USE), seeds(A, 1), hold=True)
    await driver.drain()
    assert await driver.backend.add("context", [Input(2, A, uid="two"), Input(3, A)]) == 2
    assert await driver.backend.add("context", [Input(2, A, uid="two")]) == 0
    await driver.drain()
    await driver.backend.close("context")
    ran = await driver.end()
    assert [call["a"] for call in ran.calls("use")] == [1, 2, 3]


async def test_a_plan_that_the_store_has_lost_is_published_again(driver: Driver) -> None:
    backend = driver.backend
    assert isinstance(backend, RedisBackend)
    plan = await driver.open(flow(USE), seeds(A, 1))
    await driver.drain()
    await driver.end()
    await backend.client.redis.delete(backend.client.key("plan", plan.digest), backend.client.key("flow", plan.digest))
    assert await RedisWorkers(backend.client).recover(1)  # as after a failover to a replica that had less
    for name in ("one", "two"):
        await driver.open(plan, seeds(A, 2), name=name)
    with pytest.raises(Fenced):
        await driver.lease()
    await driver.drain()
    assert (await driver.end("one")).calls("use") == (await driver.end("two")).calls("use") == [{"a": 2}]


async def test_a_uid_stands_for_one_value(driver: Driver) -> None:
    await driver.open(flow(USE), [Input(1, A, uid="one")], hold=True)
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", [Input(2, A, uid="one")])
    assert caught.value.reason == "InputConflict"
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", [Input(2, A, parents=[Input(0, A, uid="stranger")])])
    assert caught.value.reason == "ForeignParent"
    await driver.backend.cancel("context")
    assert await driver.lease() == []  # what was dropped leaves the list as it comes up
    assert (await driver.end()).failure.reason == "Cancelled"


async def test_a_context_takes_nothing_after_its_time(driver: Driver) -> None:
    await driver.open(flow(USE), seeds(A, 1), hold=True)
    with pytest.raises(DuplicateContext):
        await driver.open(flow(USE))
    await driver.backend.close("context")
    with pytest.raises(ContextClosed) as caught:
        await driver.backend.add("context", [Input(2, A)])
    assert caught.value.reason == "IntakeClosed"
    await driver.drain()
    with pytest.raises(ContextClosed) as caught:
        await driver.backend.close("context")
    assert caught.value.reason == "RunClosed"
    await driver.end()
    for late in (driver.backend.cancel("context"), driver.backend.ending("context")):
        with pytest.raises(ContextClosed) as caught:
            await late
        assert caught.value.reason == "RunGone"


async def test_what_a_vanished_worker_held_comes_back_three_times(driver: Driver) -> None:
    await driver.open(flow(USE), seeds(A, 1))
    for _ in range(2):
        await driver.one("gone")
        assert await driver.lose("gone") == 1
    last = await driver.one()
    await driver.report(last, Lost(last.parameter_set, "it vanished"))
    failure = (await driver.end()).failure
    assert (failure.reason, failure.instance, failure.inputs) == ("Poisonous", "use", {"a": 1})
    assert driver.subject.refused() == 0
    await driver.report(last, Completed(last.parameter_set, {"b": 1}))
    assert driver.subject.refused() == 1


async def test_what_cannot_be_sent_is_refused_and_named(driver: Driver) -> None:
    anything = Definition("anything")
    with pytest.raises(InvalidInput) as caught:
        await driver.open(flow(operation("take", {"anything": anything})), [Input(object(), anything)])
    assert caught.value.reason == "NotEncodable"
    make = operation("make", {"a": A}, {"anything": anything})
    ran = await driver.run(flow(make), {"make": lambda a: {"anything": {"inner": [object()]}}}, seeds(A, 1))
    assert ran.failure.reason == "OutputNotSerialisable"
    assert "type object at /inner/0" in ran.failure.message


async def test_a_further_try_waits_and_the_output_stage_gives_the_result(driver: Driver) -> None:
    again = operation("use", {"a": A}, {"b": B}, retry=2, backoff=5)
    tell = operation("tell", {"b": B}, {}, stage=Stage.OUTPUT)
    await driver.open(flow(again, tell), seeds(A, 1))
    driver.scripts.update({"use": lambda a: {"b": a + 1}, "tell": lambda b: {"told": b}})
    first = await driver.one()
    await driver.fail(first)
    assert await driver.lease() == []
    assert driver.clock.next_in() == pytest.approx(5)
    await driver.drain()
    ran = await driver.end()
    assert ran.result == {"told": 2}
    assert ran.ending.notes == ()


async def test_an_output_operation_has_to_return_a_mapping(driver: Driver) -> None:
    tell = operation("tell", {"a": A}, {}, stage=Stage.OUTPUT)
    ran = await driver.run(flow(tell), {"tell": lambda a: [a]}, seeds(A, 1))
    assert ran.failure.reason == "OutputShape"
    lease = ran.leases[0]
    await driver.report(lease, Failed(lease.parameter_set, ran.failure))
    assert driver.subject.refused() == 1


async def test_more_becomes_ready_in_one_call_than_the_language_takes_arguments(driver: Driver) -> None:
    brings = [*seeds(A, *range(20)), *seeds(B, *range(20))]
    plan = compile_plan(flow(operation("join", {"a": A, "b": B}), seed=brings))
    names = [f"c{at}" for at in range(40)]  # of each as many are taken at once as one context may have waiting
    await asyncio.gather(*(driver.backend.open(name, plan, []) for name in names))
    leased = await driver.lease(30)
    assert {lease.instance for lease in leased} == {"join"}
    assert len(leased) == 30
