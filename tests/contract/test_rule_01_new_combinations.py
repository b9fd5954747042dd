"""Rule 1: an input that enters a context is combined with all others of it, and each combination runs once."""

from tests.contract.driver import Driver
from tests.contract.shapes import A, B, C, flow, operation, seeds


def pairs(calls: list[dict[str, int]]) -> list[tuple[int, ...]]:
    return sorted(tuple(call[name] for name in sorted(call)) for call in calls)


async def test_every_combination_of_two_definitions_runs_once(driver: Driver) -> None:
    ran = await driver.run(flow(operation("join", {"a": A, "b": B})), {}, seeds(A, 1, 2, 3) + seeds(B, 10, 20))
    assert pairs(ran.calls("join")) == [(1, 10), (1, 20), (2, 10), (2, 20), (3, 10), (3, 20)]
    assert ran.ending.parameter_sets == 6


async def test_two_parameters_of_one_definition_give_all_ordered_combinations(driver: Driver) -> None:
    ran = await driver.run(flow(operation("join", {"left": A, "right": A})), {}, seeds(A, 1, 2))
    assert pairs(ran.calls("join")) == [(1, 1), (1, 2), (2, 1), (2, 2)]


async def test_three_parameters_of_one_definition_give_all_ordered_combinations(driver: Driver) -> None:
    ran = await driver.run(flow(operation("join", {"x": A, "y": A, "z": A})), {}, seeds(A, 1, 2, 3))
    assert len(pairs(ran.calls("join"))) == len(set(pairs(ran.calls("join")))) == 27


async def test_an_output_is_combined_with_what_was_there_before_it(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"b": B})
    ran = await driver.run(
        flow(make, operation("join", {"a": A, "b": B})), {"make": lambda a: {"b": a * 10}}, seeds(A, 1, 2)
    )
    assert pairs(ran.calls("join")) == [(1, 10), (1, 20), (2, 10), (2, 20)]


async def test_an_input_for_several_operations_starts_each_of_them(driver: Driver) -> None:
    ran = await driver.run(
        flow(operation("one", {"a": A}), operation("two", {"x": A}), operation("other", {"c": C})), {}, seeds(A, 1)
    )
    assert ran.calls("one") == [{"a": 1}]
    assert ran.calls("two") == [{"x": 1}]
    assert ran.calls("other") == []


async def test_inputs_of_different_contexts_never_meet(driver: Driver) -> None:
    plan = await driver.open(flow(operation("join", {"a": A, "b": B})), seeds(A, 1, 2), name="left", hold=True)
    await driver.open(plan, seeds(B, 10, 20), name="right", hold=True)
    await driver.drain()
    assert driver.leases == []
    await driver.backend.add("left", seeds(B, 30))
    await driver.drain()
    assert [(lease.context, lease.arguments) for lease in driver.leases] == [
        ("left", {"a": 1, "b": 30}),
        ("left", {"a": 2, "b": 30}),
    ]
    for name in ("left", "right"):
        await driver.backend.close(name)
        assert (await driver.end(name)).ending.failure is None


async def test_an_operation_of_a_later_stage_does_not_start_with_an_input(driver: Driver) -> None:
    from tidemill.model.operation import Stage

    late = operation("late", {"a": A}, stage=Stage.CLEANUP)
    await driver.open(flow(operation("first", {"a": A}), late), seeds(A, 1))
    first = await driver.one()
    assert first.instance == "first"
    assert await driver.lease() == []
    await driver.complete(first)
    assert (await driver.one()).instance == "late"
