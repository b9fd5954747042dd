"""Rule 11: an operation without inputs runs once, when its stage starts and its gate is open."""

import pytest

from tests.contract.driver import Driver
from tests.contract.shapes import A, B, C, flow, multi, operation, output, seeds
from tidemill.model.definition import Definition
from tidemill.model.operation import Stage

START = operation("start", {}, {"a": A})
TAKE = operation("take", {"a": A})
GATED = operation("start", {}, {"a": A}, conditions=[B])


async def test_it_runs_once_without_any_inputs_in_the_context(driver: Driver) -> None:
    ran = await driver.run(flow(START, TAKE), {"start": lambda: {"a": 7}})
    assert ran.calls("start") == [{}]
    assert ran.calls("take") == [{"a": 7}]
    assert ran.ending.parameter_sets == 2


async def test_it_runs_once_however_many_inputs_come(driver: Driver) -> None:
    await driver.open(flow(START, TAKE), seeds(A, 1, 2), hold=True)
    driver.scripts["start"] = lambda: {"a": 7}
    await driver.drain()
    await driver.backend.add("context", seeds(A, 3))
    await driver.drain()
    await driver.backend.close("context")
    ran = await driver.end()
    assert ran.calls("start") == [{}]
    assert sorted(call["a"] for call in ran.calls("take")) == [1, 2, 3, 7]


async def test_it_is_ready_before_what_is_given(driver: Driver) -> None:
    await driver.open(flow(TAKE, START), seeds(A, 1))
    assert [lease.instance for lease in await driver.lease(5)] == ["start", "take"]


async def test_it_runs_while_the_intake_is_open(driver: Driver) -> None:
    await driver.open(flow(START), hold=True)
    await driver.complete(await driver.one())
    assert await driver.lease() == []
    await driver.backend.close("context")
    assert (await driver.end()).calls("start") == [{}]


async def test_each_context_runs_its_own(driver: Driver) -> None:
    plan = await driver.open(flow(START), name="one")
    await driver.open(plan, name="two")
    await driver.drain()
    assert [(lease.context, lease.instance) for lease in driver.leases] == [("one", "start"), ("two", "start")]


async def test_two_of_them_run_once_each(driver: Driver) -> None:
    ran = await driver.run(flow(START, operation("other", {}, {"b": B})), {})
    assert sorted(lease.instance for lease in ran.leases) == ["other", "start"]


# -- behind a gate ----------------------------------------------------------------------------------------------------


async def test_behind_a_gate_it_runs_once_the_gate_opens(driver: Driver) -> None:
    await driver.open(flow(GATED), seeds(B, 0), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(B, 1))
    assert (await driver.one()).instance == "start"
    await driver.backend.add("context", seeds(B, 2, 0, 3))
    assert await driver.lease() == []


@pytest.mark.parametrize("values", [(), (0,), (0, 0)])
async def test_behind_a_gate_that_stays_shut_it_never_runs(driver: Driver, values: tuple[int, ...]) -> None:
    ran = await driver.run(flow(GATED), {}, seeds(B, *values))
    assert (ran.calls("start"), ran.result) == ([], {})


async def test_an_output_opens_the_gate(driver: Driver) -> None:
    check = operation("check", {"c": C}, {"b": B})
    ran = await driver.run(flow(GATED, check), {"check": lambda c: {"b": c}}, seeds(C, 0, 1, 2))
    assert ran.calls("start") == [{}]


@pytest.mark.parametrize(("mode", "runs"), [("all", 0), ("any", 1)])
async def test_of_two_conditions_all_have_to_hold_or_any(driver: Driver, mode: str, runs: int) -> None:
    gated = operation("start", conditions=[B, C], conditions_mode=mode)
    ran = await driver.run(flow(gated), {}, seeds(B, 1) + seeds(C, 0))
    assert len(ran.calls("start")) == runs


# -- in later stages --------------------------------------------------------------------------------------------------


async def test_clean_up_without_inputs_starts_with_its_stage(driver: Driver) -> None:
    await driver.open(flow(TAKE, operation("tidy", stage=Stage.CLEANUP)), seeds(A, 1))
    take = await driver.one()
    assert (take.instance, await driver.lease()) == ("take", [])
    await driver.complete(take)
    assert [lease.instance for lease in await driver.lease(5)] == ["tidy"]
    assert await driver.lease(5) == []


async def test_the_stages_without_inputs_follow_each_other_in_an_empty_context(driver: Driver) -> None:
    operations = (output("read"), operation("tidy", stage=Stage.CLEANUP), operation("work"))
    ran = await driver.run(flow(*operations), {"read": multi("A")}, name="empty")
    assert [lease.instance for lease in ran.leases] == ["work", "tidy", "read"]


async def test_an_output_operation_without_inputs_runs_once_and_its_result_is_the_result(driver: Driver) -> None:
    ran = await driver.run(flow(TAKE, output("read")), {"read": multi("A")}, seeds(A, 1, 2))
    assert ran.calls("read") == [{}]
    assert ran.result == {"A": [1, 2]}


@pytest.mark.parametrize("stage", [Stage.CLEANUP, Stage.OUTPUT])
async def test_a_gate_that_opened_in_an_earlier_stage_is_open_when_the_later_one_starts(
    driver: Driver, stage: Stage
) -> None:
    late = operation("late", stage=stage, conditions=[A])
    await driver.open(flow(TAKE, late), seeds(A, 1))
    take = await driver.one()
    assert await driver.lease() == []
    await driver.complete(take)
    assert (await driver.one()).instance == "late"


@pytest.mark.parametrize("stage", [Stage.CLEANUP, Stage.OUTPUT])
async def test_in_a_later_stage_a_gate_that_is_shut_is_shut(driver: Driver, stage: Stage) -> None:
    ran = await driver.run(flow(TAKE, operation("late", stage=stage, conditions=[A])), {}, seeds(A, 0))
    assert ran.calls("late") == []


async def test_what_clean_up_gives_opens_the_gate_of_another_clean_up(driver: Driver) -> None:
    first = operation("first", {}, {"b": B}, stage=Stage.CLEANUP)
    second = operation("second", stage=Stage.CLEANUP, conditions=[B])
    ran = await driver.run(flow(first, second), {"first": lambda: {"b": 1}})
    assert [lease.instance for lease in ran.leases] == ["first", "second"]


async def test_what_clean_up_gives_starts_nothing_of_the_stage_before(driver: Driver) -> None:
    tidy = operation("tidy", {}, {"a": A, "b": B}, stage=Stage.CLEANUP)
    ran = await driver.run(flow(TAKE, GATED, tidy), {"tidy": lambda: {"a": 1, "b": 1}})
    assert [lease.instance for lease in ran.leases] == ["tidy"]


async def test_parameters_that_take_their_defaults_are_inputs_and_no_autostart(driver: Driver) -> None:
    given = Definition("given", "int", default=5)
    await driver.open(flow(operation("take", {"x": given})), hold=True)
    assert await driver.lease() == []
    await driver.backend.close("context")
    assert (await driver.one()).arguments == {"x": 5}
