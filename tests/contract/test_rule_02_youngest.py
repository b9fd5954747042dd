"""Rule 2: a combination is found by its youngest input, so the set of combinations is the same for every order."""

from itertools import permutations

from tests.contract.backends import Factory
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Lease
from tests.contract.shapes import A, B, C, D, flow, operation, seeds
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input


def triples(calls: list[dict[str, int]]) -> list[tuple[int, ...]]:
    return sorted(tuple(call[name] for name in sorted(call)) for call in calls)


def calls(leases: list[Lease]) -> list[tuple[str, dict[str, int]]]:
    return [(lease.instance, lease.arguments) for lease in leases]


async def arrivals(driver: Driver, inputs: list[Input]) -> list[list[tuple[int, ...]]]:
    """Add inputs one at a time to an open context and return the new combinations that each one made."""
    made = []
    for item in inputs:
        before = len(driver.leases)
        await driver.backend.add("context", [item])
        await driver.drain()
        made.append(triples([lease.arguments for lease in driver.leases[before:]]))
    return made


async def test_an_arrival_makes_only_the_combinations_in_which_it_is_the_youngest(driver: Driver) -> None:
    await driver.open(flow(operation("join", {"a": A, "b": B})), hold=True)
    given = [*seeds(A, 1), *seeds(B, 10), *seeds(A, 2), *seeds(B, 20)]
    assert await arrivals(driver, given) == [[], [(1, 10)], [(2, 10)], [(1, 20), (2, 20)]]
    await driver.backend.close("context")
    assert (await driver.end()).ending.parameter_sets == 4


async def test_an_arrival_that_can_stand_twice_is_combined_with_itself_and_with_what_is_older(driver: Driver) -> None:
    await driver.open(flow(operation("join", {"left": A, "right": A})), hold=True)
    assert await arrivals(driver, seeds(A, 1, 2, 3)) == [
        [(1, 1)],
        [(1, 2), (2, 1), (2, 2)],
        [(1, 3), (2, 3), (3, 1), (3, 2), (3, 3)],
    ]
    await driver.backend.close("context")
    assert (await driver.end()).ending.parameter_sets == 9


async def test_every_order_of_arrival_gives_the_same_combinations(factory: Factory) -> None:
    given = [*seeds(A, 1, 2), *seeds(B, 10, 20), *seeds(C, 100)]
    for order in permutations(given):
        clock = Clock()
        async with factory(clock) as subject:
            driver = Driver(subject, clock)
            await driver.open(flow(operation("join", {"a": A, "b": B, "c": C})), hold=True)
            await arrivals(driver, list(order))
            await driver.backend.close("context")
            ran = await driver.end()
        found = triples(ran.calls("join"))
        assert found == [(1, 10, 100), (1, 20, 100), (2, 10, 100), (2, 20, 100)], f"arrived as {list(order)}"


def diamond() -> DataFlow:
    left = operation("left", {"a": A}, {"b": B})
    right = operation("right", {"a": A}, {"c": C})
    return flow(left, right, operation("meet", {"b": B, "c": C}, {"d": D}))


async def test_outputs_meet_in_whatever_order_they_are_completed(factory: Factory) -> None:
    for order in permutations(range(4)):
        clock = Clock()
        async with factory(clock) as subject:
            driver = Driver(subject, clock)
            await driver.open(diamond(), seeds(A, 1, 2))
            leases = await driver.lease(4)
            assert sorted(lease.instance for lease in leases) == ["left", "left", "right", "right"]
            for at in order:
                lease = leases[at]
                name, factor = ("b", 10) if lease.instance == "left" else ("c", 100)
                await driver.complete(lease, {name: lease.arguments["a"] * factor})
            await driver.drain()
            ran = await driver.end()
        assert triples(ran.calls("meet")) == [(10, 100), (10, 200), (20, 100), (20, 200)], f"completed as {order}"
        assert ran.ending.parameter_sets == 8


async def test_the_last_of_two_outputs_is_the_one_that_finds_the_combination(driver: Driver) -> None:
    await driver.open(diamond(), seeds(A, 1))
    first, second = sorted(await driver.lease(2), key=lambda lease: lease.instance)
    await driver.complete(second, {"c": 100})
    assert await driver.lease() == []
    await driver.complete(first, {"b": 10})
    assert calls(await driver.lease()) == [("meet", {"b": 10, "c": 100})]


async def test_an_operation_that_feeds_itself_is_combined_with_each_of_its_own_outputs_once(driver: Driver) -> None:
    add = operation("add", {"a": A, "b": B}, {"sum": A})
    ran = await driver.run(
        flow(add),
        {"add": lambda a, b: {"sum": a + b} if a < 3 else None},
        seeds(A, 1) + seeds(B, 1),
    )
    assert triples(ran.calls("add")) == [(1, 1), (2, 1), (3, 1)]


async def test_many_inputs_at_once_give_what_they_give_one_by_one(driver: Driver) -> None:
    """More combinations than one step may make: what is left over is made by later ones."""
    plan = flow(operation("join", {"a": A, "b": B, "x": A}))
    ran = await driver.run(plan, {}, seeds(A, *range(12)) + seeds(B, *range(4)))
    expected = sorted((a, b, x) for a in range(12) for b in range(4) for x in range(12))
    assert triples(ran.calls("join")) == expected
    assert ran.ending.parameter_sets == 576
