"""Rule 5: conditions open a gate, which never closes again."""

from itertools import permutations

import pytest

from tests.contract.backends import Factory
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Ran
from tests.contract.shapes import A, B, C, flow, operation, seeds
from tidemill.errors import InvalidInput
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Operation, Stage

YES, OTHER = Definition("yes", "bool"), Definition("other", "bool")
THING = Definition("thing")


class Neither:
    """A value that has no truth, like an array of several numbers."""

    def __bool__(self) -> bool:
        raise ValueError("which of them?")


def gated(*conditions: Definition, mode: str = "all") -> Operation:
    return operation("gated", {"a": A}, conditions=list(conditions), conditions_mode=mode)


def values(ran: Ran, instance: str = "gated") -> list[int]:
    return sorted(value for call in ran.calls(instance) for value in call.values())


async def test_nothing_runs_before_a_condition_has_had_a_truthy_input(driver: Driver) -> None:
    ran = await driver.run(flow(gated(YES)), {}, seeds(A, 1, 2) + seeds(YES, False, False))
    assert values(ran) == []
    assert ran.ending.parameter_sets == 0
    assert ran.result == {}


async def test_a_late_gate_opens_for_what_is_there_and_for_what_comes_later(driver: Driver) -> None:
    await driver.open(flow(gated(YES)), seeds(A, 1, 2), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(YES, True))
    assert [lease.arguments for lease in await driver.lease(9)] == [{"a": 1}, {"a": 2}]
    await driver.backend.add("context", seeds(A, 3))
    assert [lease.arguments for lease in await driver.lease(9)] == [{"a": 3}]


async def test_a_gate_never_closes(driver: Driver) -> None:
    await driver.open(flow(gated(YES)), seeds(YES, True) + seeds(A, 1), hold=True)
    await driver.backend.add("context", seeds(YES, False) + seeds(A, 2))
    await driver.backend.close("context")
    await driver.drain()
    assert values(await driver.end()) == [1, 2]


async def test_all_conditions_have_to_be_met(driver: Driver) -> None:
    await driver.open(flow(gated(YES, OTHER)), seeds(A, 1) + seeds(YES, True) + seeds(OTHER, False), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(OTHER, True))
    assert (await driver.one()).arguments == {"a": 1}


@pytest.mark.parametrize(("yes", "other", "runs"), [(True, False, [1]), (False, True, [1]), (False, False, [])])
async def test_any_condition_is_enough_where_the_operation_says_so(
    driver: Driver, yes: bool, other: bool, runs: list[int]
) -> None:
    given = seeds(A, 1) + seeds(YES, yes) + seeds(OTHER, other)
    assert values(await driver.run(flow(gated(YES, OTHER, mode="any")), {}, given)) == runs


async def test_any_runs_a_combination_once_however_many_conditions_are_met(driver: Driver) -> None:
    ran = await driver.run(
        flow(gated(YES, OTHER, mode="any")), {}, seeds(YES, True, True) + seeds(A, 1) + seeds(OTHER, True)
    )
    assert ran.calls("gated") == [{"a": 1}]


async def test_the_order_of_arrival_does_not_matter(factory: Factory) -> None:
    given = [Input(1, A), Input(2, A), Input(True, YES), Input(False, YES), Input(True, OTHER)]
    for order in permutations(given):
        clock = Clock()
        async with factory(clock) as subject:
            driver = Driver(subject, clock)
            await driver.open(flow(gated(YES, OTHER)), hold=True)
            for item in order:
                await driver.backend.add("context", [item])
            await driver.backend.close("context")
            await driver.drain()
            assert values(await driver.end()) == [1, 2], f"arrived as {list(order)}"


@pytest.mark.parametrize(("first", "second", "runs"), [(True, False, [1]), (False, True, [1]), (False, False, [])])
async def test_any_of_several_producers_meets_one_condition(
    driver: Driver, first: bool, second: bool, runs: list[int]
) -> None:
    makers = [operation(name, {"b": B}, {"is": YES}) for name in ("first", "second")]
    scripts = {"first": lambda b: {"is": first}, "second": lambda b: {"is": second}}
    ran = await driver.run(flow(*makers, gated(YES)), scripts, seeds(A, 1) + seeds(B, 0))
    assert values(ran) == runs


async def test_a_condition_is_met_from_the_origins_that_its_flow_names(driver: Driver) -> None:
    plan = flow(gated(YES), flow={"gated": InputFlow({"a": ["seed"]}, ["mail"])})
    ran = await driver.run(plan, {}, [Input(1, A), Input(True, YES), Input(False, YES, origin="mail")])
    assert values(ran) == []
    ran = await driver.run(plan, {}, [Input(1, A), Input(True, YES, origin="mail")], name="other")
    assert values(ran) == [1]


async def test_a_condition_can_be_the_input_of_the_operation_itself(driver: Driver) -> None:
    same = operation("gated", {"a": A}, conditions=[A])
    assert values(await driver.run(flow(same), {}, seeds(A, 0, 5, 0))) == [0, 0, 5]


async def test_an_operation_without_parameters_runs_once_when_its_gate_opens(driver: Driver) -> None:
    start = operation("start", {}, {"c": C}, conditions=[YES])
    await driver.open(flow(start, operation("take", {"c": C})), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(YES, True, True))
    leased = await driver.lease(9)
    assert [(lease.instance, lease.arguments) for lease in leased] == [("start", {})]


async def test_a_gate_of_a_later_stage_is_open_if_its_condition_was_met_in_an_earlier_one(driver: Driver) -> None:
    tidy = operation("tidy", {"a": A}, conditions=[YES], stage=Stage.CLEANUP)
    shut = operation("shut", {"a": A}, conditions=[OTHER], stage=Stage.CLEANUP)
    make = operation("make", {"a": A}, {"is": YES})
    ran = await driver.run(flow(make, tidy, shut), {"make": lambda a: {"is": a == 2}}, seeds(A, 1, 2))
    assert (values(ran, "tidy"), values(ran, "shut")) == ([1, 2], [])


async def test_a_given_value_that_is_neither_true_nor_false_fails_its_context(driver: Driver) -> None:
    if not driver.subject.keeps_objects:
        with pytest.raises(InvalidInput, match="type Neither") as caught:
            await driver.open(flow(gated(THING)), seeds(A, 1) + seeds(THING, Neither()))
        assert caught.value.reason == "NotEncodable"
        return
    await driver.open(flow(gated(THING)), seeds(A, 1) + seeds(THING, Neither()))
    assert await driver.lease() == []
    failure = (await driver.end()).failure
    assert failure.reason == "ConditionType"
    assert failure.message == 'the condition "thing" of "gated" is neither true nor false: which of them?'


async def test_an_output_that_is_neither_true_nor_false_fails_its_context_and_no_other(driver: Driver) -> None:
    make = operation("make", {"b": B}, {"thing": THING})
    plan = flow(make, gated(THING))
    await driver.open(plan, seeds(A, 1) + seeds(B, 1), name="good")
    scripts = {"make": lambda b: {"thing": Neither() if b == 2 else 1}}
    ran = await driver.run(plan, scripts, seeds(A, 1) + seeds(B, 2), name="bad")
    if driver.subject.keeps_objects:
        assert ran.failure.reason == "ConditionType"
        assert ran.failure.message == 'the condition "thing" of "gated" is neither true nor false: which of them?'
    else:
        assert (ran.failure.reason, ran.failure.instance) == ("OutputNotSerialisable", "make")
    assert values(ran) == []
    good = await driver.end("good")
    assert (values(good), good.result) == ([1], {})


async def test_sources_that_give_no_condition_of_the_operation_have_to_be_met_one_by_one(driver: Driver) -> None:
    left, right = operation("left", {"b": B}, {"done": B}), operation("right", {"b": B}, {"done": B})
    sources = {"left": InputFlow({"b": ["seed"]}), "right": InputFlow({"b": ["seed"]})}
    gate = InputFlow({"a": ["seed"]}, [{"left": "done"}, {"right": "done"}])
    for mode, runs in (("all", []), ("any", [1])):
        plan = flow(left, right, gated(YES, mode=mode), flow={**sources, "gated": gate})
        scripts = {"left": lambda b: {"done": b}, "right": lambda b: {"done": 0}}
        assert values(await driver.run(plan, scripts, seeds(A, 1) + seeds(B, 5), name=mode)) == runs
    plan = flow(left, right, gated(YES), flow={**sources, "gated": gate})
    scripts = {"left": lambda b: {"done": b}, "right": lambda b: {"done": b}}
    assert values(await driver.run(plan, scripts, seeds(A, 1) + seeds(B, 5), name="both")) == [1]


async def test_a_condition_with_a_path_is_met_by_what_has_the_path(driver: Driver) -> None:
    yes = Definition("yes", "bool")
    operations = [
        operation("make", {"a": A}, {"yes": yes}),
        operation("other", {"b": B}, {"a": A}),
        operation("go", {"c": C}, conditions=[yes]),
    ]
    flows = {
        "make": InputFlow({"a": ["seed", {"other": "a"}]}),
        "other": InputFlow({"b": ["seed"]}),
        "go": InputFlow({"c": ["seed"]}, [[{"make": "yes"}, {"other": "a"}]]),
    }
    scripts = {"make": lambda a: {"yes": True}, "other": lambda b: {"a": b}}
    plan = flow(*operations, flow=flows)
    without = await driver.run(plan, scripts, [*seeds(A, 1), *seeds(C, 1)], name="without")
    assert without.calls("go") == []
    along = await driver.run(plan, scripts, [*seeds(B, 1), *seeds(C, 1)], name="along")
    assert along.calls("go") == [{"c": 1}]
