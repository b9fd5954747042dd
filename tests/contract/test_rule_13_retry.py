"""Rule 13: ``retry`` is the number of tries, with a wait that doubles between them. A lost worker costs no try."""

import pytest

from tests.contract.driver import Driver
from tests.contract.shapes import LOCKED, A, B, flow, operation, seeds
from tidemill.model.dataflow import DataFlow
from tidemill.model.operation import Stage

TAKE = operation("take", {"a": A}, {"b": B})


def tried(retry: int, backoff: float = 0.1) -> DataFlow:
    return flow(TAKE._replace(retry=retry, backoff=backoff))


async def fail_until_the_end(driver: Driver) -> tuple[int, list[float]]:
    """Fail every try; return how many there were, and the waits between them."""
    tries, waits = 0, list[float]()
    while True:
        leased = await driver.lease()
        if leased:
            tries += 1
            await driver.fail(leased[0], f"try {tries}")
        elif (wait := driver.clock.next_in()) is not None:
            waits.append(round(wait, 9))
            driver.clock.advance()
        else:
            return tries, waits


# -- how often --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("retry", "tries"), [(0, 1), (1, 1), (2, 2), (3, 3), (7, 7)])
async def test_retry_is_the_number_of_tries(driver: Driver, retry: int, tries: int) -> None:
    await driver.open(tried(retry), seeds(A, 1))
    assert (await fail_until_the_end(driver))[0] == tries
    ran = await driver.end()
    assert ran.failure.message == f"try {tries}"
    assert ran.ending.parameter_sets == 1


async def test_a_try_that_succeeds_ends_them(driver: Driver) -> None:
    await driver.open(tried(5), seeds(A, 1))
    for _ in range(3):
        await driver.fail(await driver.one())
        driver.clock.advance()
    await driver.complete(await driver.one(), {"b": 1})
    assert driver.clock.next_in() is None
    ran = await driver.end()
    assert (ran.result, len(ran.leases), ran.ending.failures, ran.ending.inputs) == ({}, 4, (), 2)


async def test_each_parameter_set_has_its_own_tries(driver: Driver) -> None:
    await driver.open(tried(2), seeds(A, 1, 2), strict=False)
    await fail_until_the_end(driver)
    ran = await driver.end()
    assert sorted(call["a"] for call in ran.calls("take")) == [1, 1, 2, 2]
    assert sorted(one.inputs["a"] for one in ran.ending.failures) == [1, 2]


async def test_outputs_that_are_refused_are_a_failed_try(driver: Driver) -> None:
    await driver.open(tried(2), seeds(A, 1))
    await driver.complete(await driver.one(), {"unheard of": 1})
    driver.clock.advance()
    await driver.complete(await driver.one(), {"b": 1})
    assert (await driver.end()).ending.failure is None


async def test_every_try_has_the_same_inputs(driver: Driver) -> None:
    await driver.open(tried(3), seeds(A, 9))
    await fail_until_the_end(driver)
    assert (await driver.end()).calls("take") == [{"a": 9}] * 3


# -- how soon ---------------------------------------------------------------------------------------------------------


async def test_the_wait_doubles_with_each_try(driver: Driver) -> None:
    await driver.open(tried(6), seeds(A, 1))
    assert (await fail_until_the_end(driver))[1] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert driver.clock.now == pytest.approx(3.1)


async def test_the_wait_is_a_minute_at_most(driver: Driver) -> None:
    await driver.open(tried(7, backoff=10.0), seeds(A, 1))
    assert (await fail_until_the_end(driver))[1] == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


async def test_without_backoff_the_next_try_is_ready_at_once(driver: Driver) -> None:
    await driver.open(tried(3, backoff=0.0), seeds(A, 1))
    assert await fail_until_the_end(driver) == (3, [])


async def test_a_very_large_number_of_tries_is_only_a_number(driver: Driver) -> None:
    await driver.open(tried(3000, backoff=1e-300), seeds(A, 1))
    tries, waits = await fail_until_the_end(driver)
    assert (tries, len(waits), max(waits) <= 60.0) == (3000, 2999, True)


async def test_while_it_waits_others_go_on(driver: Driver) -> None:
    await driver.open(tried(2), seeds(A, 1, 2))
    await driver.fail(await driver.one())
    other = await driver.one()
    assert other.arguments == {"a": 2}
    await driver.complete(other)
    assert await driver.lease() == []
    assert driver.clock.next_in() == pytest.approx(0.1)
    driver.clock.advance()
    assert (await driver.one()).arguments == {"a": 1}


async def test_the_stage_waits_for_the_next_try(driver: Driver) -> None:
    await driver.open(flow(TAKE._replace(retry=2), operation("tidy", stage=Stage.CLEANUP)), seeds(A, 1))
    await driver.fail(await driver.one())
    assert await driver.lease() == []
    driver.clock.advance()
    again = await driver.one()
    assert (again.instance, again.number) == ("take", 2)
    await driver.complete(again)
    assert (await driver.one()).instance == "tidy"


async def test_while_it_waits_it_holds_no_locks(driver: Driver) -> None:
    first = operation("first", {"x": LOCKED}, retry=2)
    await driver.open(flow(first, operation("second", {"x": LOCKED})), seeds(LOCKED, 1))
    held = await driver.one()
    assert (held.instance, await driver.lease()) == ("first", [])
    await driver.fail(held)
    other = await driver.one()
    assert other.instance == "second"
    await driver.complete(other)
    await driver.drain()
    assert (await driver.end()).ending.failure is None


async def test_a_wait_that_ends_after_its_context_has_failed_starts_nothing(driver: Driver) -> None:
    await driver.open(tried(2), seeds(A, 1))
    await driver.fail(await driver.one())
    await driver.backend.cancel("context")
    driver.clock.advance()
    assert await driver.lease() == []
    ran = await driver.end()
    assert (ran.failure.reason, len(ran.leases)) == ("Cancelled", 1)


# -- lost workers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vanishes", [True, False], ids=["the worker", "its process"])
async def test_a_lost_worker_costs_no_try(driver: Driver, vanishes: bool) -> None:
    await driver.open(tried(1), seeds(A, 1))
    for _ in range(2):
        held = await driver.one()
        await (driver.lose("w1") if vanishes else driver.lost(held))
    assert driver.clock.next_in() is None, "nobody waits after a lost worker"
    await driver.complete(await driver.one(), {"b": 1})
    ran = await driver.end()
    assert (ran.result, len(ran.leases), ran.ending.inputs) == ({}, 3, 2)


async def test_lost_workers_leave_all_tries_and_the_first_wait(driver: Driver) -> None:
    await driver.open(tried(3), seeds(A, 1))
    for _ in range(2):
        await driver.lost(await driver.one())
    assert await fail_until_the_end(driver) == (3, [0.1, 0.2])


async def test_handing_back_costs_nothing_however_often(driver: Driver) -> None:
    await driver.open(tried(1), seeds(A, 1))
    for _ in range(20):
        await driver.release(await driver.one())
    await driver.complete(await driver.one())
    assert (await driver.end()).ending.failure is None


@pytest.mark.parametrize("retry", [1, 10])
async def test_three_lost_workers_are_held_against_the_parameter_set(driver: Driver, retry: int) -> None:
    await driver.open(tried(retry), seeds(A, 1))
    for _ in range(3):
        await driver.lost(await driver.one(), "killed by signal 9")
    failure = (await driver.end()).failure
    assert (failure.reason, failure.instance, failure.inputs) == ("Poisonous", "take", {"a": 1})
    assert failure.message == (
        "3 workers vanished with it, so it is held to be the cause; the last one: killed by signal 9"
    )
    assert driver.clock.next_in() is None


async def test_workers_lost_with_others_are_not_held_against_it(driver: Driver) -> None:
    await driver.open(tried(1), seeds(A, 1, 2, 3))
    for _ in range(3):
        await driver.lost(await driver.one())
    for lease in await driver.lease(9):
        await driver.complete(lease)
    assert (await driver.end()).ending.failure is None


async def test_a_worker_that_vanishes_with_several_is_lost_once_for_each(driver: Driver) -> None:
    await driver.open(tried(1), seeds(A, 1, 2), strict=False)
    for _ in range(3):
        assert len(await driver.lease(2)) == 2
        assert await driver.lose("w1") == 2
    ran = await driver.end()
    assert sorted((one.reason, one.inputs["a"]) for one in ran.ending.failures) == [("Poisonous", 1), ("Poisonous", 2)]
