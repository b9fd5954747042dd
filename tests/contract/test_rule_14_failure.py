"""Rule 14: the first failed operation fails a strict context, which cleans up and says why. Other contexts go on."""

from typing import Any

import pytest

from tests.contract.driver import Driver, Lease, failure_of
from tests.contract.shapes import LOCKED, A, B, C, flow, multi, operation, output, seeds
from tidemill.errors import OperationFailure
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Failed

TAKE = operation("take", {"a": A}, {"b": B})
USE = operation("use", {"b": B})
TIDY = operation("tidy", stage=Stage.CLEANUP)
READ = output("read")
ALL = (TAKE, USE, TIDY, READ)


def broken(a: int) -> dict[str, int]:
    if a == 2:
        raise ValueError("two")
    return {"b": a * 10}


SCRIPTS: dict[str, Any] = {"take": broken, "read": multi("A", "B")}


# -- strict -----------------------------------------------------------------------------------------------------------


async def test_the_failure_says_which_operation_with_which_inputs(driver: Driver) -> None:
    ran = await driver.run(flow(*ALL), SCRIPTS, seeds(A, 2))
    failure = ran.failure
    assert (failure.reason, failure.message) == ("Exception", "ValueError: two")
    assert (failure.instance, failure.operation, failure.inputs) == ("take", "take", {"a": 2})
    assert (failure.context, ran.ending.context) == ("context", "context")


async def test_the_traceback_and_the_error_are_those_that_the_worker_reported(driver: Driver) -> None:
    error = ValueError("two")
    await driver.open(flow(*ALL), seeds(A, 2))
    lease = await driver.one()
    told = OperationFailure("Exception", "two", "take", "take", lease.arguments, "Traceback: …", error, "context")
    await driver.report(lease, Failed(lease.parameter_set, told))
    await driver.drain()
    failure = (await driver.end()).failure
    assert failure.traceback == "Traceback: …"
    assert failure.error is (error if driver.subject.keeps_objects else None)


async def test_the_rest_of_its_work_is_dropped_and_it_cleans_up(driver: Driver) -> None:
    await driver.open(flow(*ALL), seeds(A, 2, 1, 3))
    await driver.fail(await driver.one())
    assert [lease.instance for lease in await driver.lease(9)] == ["tidy"]
    await driver.drain()
    assert await driver.lease(9) == []
    await driver.complete(driver.holding()[0])
    ran = await driver.end()
    assert [lease.instance for lease in ran.leases] == ["take", "tidy"]
    assert ran.failure.inputs == {"a": 2}


async def test_what_waits_for_locks_or_for_a_free_place_is_dropped(driver: Driver) -> None:
    locking = operation("locking", {"x": LOCKED})
    single = operation("single", {"a": A}, concurrency=1)
    fails = operation("wrong", {"c": C})
    await driver.open(flow(locking, single, fails, TIDY), seeds(LOCKED, 1) + seeds(A, 1, 2, 3) + seeds(C, 1))
    leased = {lease.instance: lease for lease in await driver.lease(9)}
    assert sorted(leased) == ["locking", "single", "wrong"]
    await driver.fail(leased["wrong"])
    await driver.complete(leased["locking"])
    assert await driver.lease(9) == []
    await driver.complete(leased["single"])
    assert [lease.instance for lease in await driver.lease(9)] == ["tidy"]


async def test_after_a_failure_a_limited_operation_runs_again_in_other_contexts(driver: Driver) -> None:
    single = operation("single", {"a": A}, concurrency=1)
    plan = await driver.open(flow(single), seeds(A, 1, 2, 3), name="one")
    await driver.open(plan, seeds(A, 4, 5), name="two")
    await driver.fail(await driver.one())
    for expected in (4, 5):
        lease = await driver.one()
        assert (lease.context, lease.arguments["a"]) == ("two", expected)
        await driver.complete(lease)
    assert (await driver.end("one")).failure.inputs == {"a": 1}
    assert (await driver.end("two")).result == {}


async def test_what_is_leased_ends_before_the_clean_up_and_its_outputs_start_nothing(driver: Driver) -> None:
    await driver.open(flow(*ALL), seeds(A, 1, 2))
    going, failing = await driver.lease(2)
    await driver.fail(failing)
    assert await driver.lease(9) == []
    await driver.complete(going, {"b": 10})
    assert [lease.instance for lease in await driver.lease(9)] == ["tidy"]
    await driver.complete(driver.holding()[0])
    ran = await driver.end()
    assert ran.calls("use") == []
    values = sorted(record.value for record in ran.ending.lineage())
    assert (values, ran.ending.inputs) == ([1, 2, 10], 3), "what it gave is stored"


async def test_what_a_generator_gives_after_the_failure_starts_nothing(driver: Driver) -> None:
    await driver.open(flow(*ALL), seeds(A, 1, 2))
    going, failing = await driver.lease(2)
    await driver.emit(going, 0, {"b": 10})
    await driver.fail(failing)
    await driver.emit(going, 1, {"b": 11})
    assert await driver.lease(9) == []
    await driver.complete(going)
    await driver.drain()
    ran = await driver.end()
    assert [lease.instance for lease in ran.leases] == ["take", "take", "tidy"]


async def test_what_is_leased_and_lost_or_handed_back_after_the_failure_is_dropped(driver: Driver) -> None:
    await driver.open(flow(*ALL), seeds(A, 1, 2, 3, 4))
    failing, handed, lost, retried = await driver.lease(4)
    await driver.fail(failing)
    await driver.release(handed)
    await driver.lost(lost)
    await driver.fail(retried)
    await driver.drain()
    ran = await driver.end()
    assert [lease.instance for lease in ran.leases] == ["take"] * 4 + ["tidy"]
    assert ran.failure.inputs == {"a": 1}


async def test_of_several_failures_the_first_is_the_reason_and_the_others_are_recorded(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1, 2))
    first, second = await driver.lease(2)
    await driver.fail(second, "second")
    await driver.fail(first, "first")
    ran = await driver.end()
    assert ran.failure.message == "second"
    assert [one.message for one in ran.ending.failures] == ["first"]


async def test_a_failed_context_takes_no_output_stage_and_has_no_result(driver: Driver) -> None:
    ran = await driver.run(flow(*ALL), SCRIPTS, seeds(A, 2))
    assert (ran.ending.result, ran.calls("read"), ran.calls("tidy")) == (None, [], [{}])


async def test_a_context_that_is_held_open_fails_all_the_same(driver: Driver) -> None:
    await driver.open(flow(*ALL), seeds(A, 2), hold=True)
    await driver.fail(await driver.one())
    await driver.drain()
    assert (await driver.end()).failure.instance == "take"


async def test_clean_up_sees_what_there_was_when_its_context_failed(driver: Driver) -> None:
    tidy = operation("tidy", {"b": B}, stage=Stage.CLEANUP)
    ran = await driver.run(flow(TAKE, tidy), SCRIPTS, seeds(A, 1, 2))
    assert ran.calls("tidy") == [{"b": 10}]


# -- others -----------------------------------------------------------------------------------------------------------


async def test_other_contexts_go_on(driver: Driver) -> None:
    driver.scripts.update(SCRIPTS)
    plan = await driver.open(flow(*ALL), seeds(A, 2, 1), name="bad")
    await driver.open(plan, seeds(A, 1, 3), name="good")
    await driver.drain()
    assert (await driver.end("bad")).failure.inputs == {"a": 2}
    assert (await driver.end("good")).result == {"A": [1, 3], "B": [10, 30]}


# -- not strict -------------------------------------------------------------------------------------------------------


async def test_without_strict_it_is_recorded_and_the_context_goes_on(driver: Driver) -> None:
    ran = await driver.run(flow(*ALL), SCRIPTS, seeds(A, 1, 2, 3), strict=False)
    assert ran.result == {"A": [1, 2, 3], "B": [10, 30]}
    (failure,) = ran.ending.failures
    assert (failure.instance, failure.inputs, failure.message) == ("take", {"a": 2}, "ValueError: two")
    assert ran.calls("use") == [{"b": 10}, {"b": 30}]


async def test_without_strict_every_failure_is_recorded(driver: Driver) -> None:
    ran = await driver.run(flow(*ALL), SCRIPTS, seeds(A, 2, 2, 2), strict=False)
    assert [one.inputs for one in ran.ending.failures] == [{"a": 2}] * 3
    assert ran.result == {"A": [2, 2, 2], "B": []}


async def test_without_strict_a_failure_gives_its_locks_back(driver: Driver) -> None:
    first, second = operation("first", {"x": LOCKED}), operation("second", {"x": LOCKED})
    await driver.open(flow(first, second), seeds(LOCKED, 1), strict=False)
    await driver.fail(await driver.one())
    assert (await driver.one()).instance == "second"


# -- in later stages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.CLEANUP, Stage.OUTPUT])
@pytest.mark.parametrize("strict", [True, False])
async def test_a_failure_in_a_later_stage_fails_a_strict_context(driver: Driver, stage: Stage, strict: bool) -> None:
    late = operation("late", stage=stage)
    await driver.open(flow(TIDY, late), strict=strict)
    for lease in await driver.lease(1) if stage is Stage.OUTPUT else []:
        await driver.complete(lease)
    by_name = {lease.instance: lease for lease in await driver.lease(2)}
    await driver.fail(by_name["late"])
    for lease in driver.holding():
        await driver.complete(lease)
    ending = (await driver.end()).ending
    recorded = [ending.failure] if strict else list(ending.failures)
    assert [one.instance for one in recorded if one] == ["late"]
    assert ending.result == (None if strict else {})


async def test_a_failed_clean_up_drops_nothing_of_the_others(driver: Driver) -> None:
    more = operation("more", {"a": A}, {"b": B}, stage=Stage.CLEANUP)
    last = operation("last", {"b": B}, stage=Stage.CLEANUP)
    await driver.open(flow(TIDY, more, last, READ), seeds(A, 1, 2))
    for lease in await driver.lease(9):
        await (driver.fail(lease) if lease.instance == "tidy" else driver.complete(lease, {"b": 1}))
    await driver.drain()
    ran = await driver.end()
    assert [lease.instance for lease in ran.leases] == ["more", "more", "tidy", "last", "last"]
    assert ran.failure.instance == "tidy"


async def test_clean_up_that_fails_after_the_processing_did_is_recorded_beside_it(driver: Driver) -> None:
    await driver.open(flow(*ALL), seeds(A, 2))
    await driver.fail(await driver.one(), "first")
    await driver.fail(await driver.one(), "second")
    ran = await driver.end()
    assert (ran.failure.message, [one.message for one in ran.ending.failures]) == ("first", ["second"])


async def test_a_failed_output_operation_leaves_no_result_of_the_others(driver: Driver) -> None:
    await driver.open(flow(READ, output("other"), TIDY))
    await driver.complete(await driver.one())
    leases = {lease.instance: lease for lease in await driver.lease(9)}
    await driver.complete(leases["other"], {"x": 1})
    await driver.fail(leases["read"])
    ran = await driver.end()
    assert (ran.failure.instance, ran.ending.result, len(ran.calls("tidy"))) == ("read", None, 1)


async def test_without_strict_the_other_output_operations_make_the_result(driver: Driver) -> None:
    await driver.open(flow(READ, output("other")), strict=False)
    leases = {lease.instance: lease for lease in await driver.lease(9)}
    await driver.fail(leases["read"])
    await driver.complete(leases["other"], {"x": 1})
    assert (await driver.end()).result == {"other": {"x": 1}}


async def test_what_an_output_operation_returns_has_to_be_a_mapping(driver: Driver) -> None:
    ran = await driver.run(flow(READ), {"read": lambda: [1]})
    assert (ran.failure.reason, ran.failure.instance) == ("OutputShape", "read")
    assert ran.failure.message.startswith('the output operation "read" has to return a mapping; it returned ')


# -- cancelled --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [True, False])
async def test_a_cancelled_context_drops_its_work_and_cleans_up(driver: Driver, held: bool) -> None:
    await driver.open(flow(*ALL), seeds(A, 1, 2), hold=held)
    going = await driver.one()
    await driver.backend.cancel("context")
    assert await driver.lease(9) == []
    await stop(driver, going)
    assert (await driver.one()).instance == "tidy"
    await driver.complete(driver.holding()[0])
    ran = await driver.end()
    assert (ran.failure.reason, ran.failure.message) == ("Cancelled", 'the context "context" was cancelled')


async def stop(driver: Driver, lease: Lease) -> None:
    """Have the worker report that what it was told to stop has stopped."""
    await driver.report(lease, Failed(lease.parameter_set, failure_of(lease, "stopped", "Cancelled")))


async def test_cancelled_twice_it_ends_once(driver: Driver) -> None:
    await driver.open(flow(TAKE), seeds(A, 1))
    going = await driver.one()
    await driver.backend.cancel("context")
    await driver.backend.cancel("context")
    await driver.report(going, Completed(going.parameter_set, None))
    ran = await driver.end()
    assert ran.failure.reason == "Cancelled"
