"""Operations that give something else each time they run: what was taken first counts, whoever ran it and how often."""

from typing import Any

import pytest

from tests.contract.driver import Driver, Lease
from tests.contract.shapes import A, B, flow, multi, operation, output, seeds
from tidemill.networks.implementations import Completed, Emitted

MAKE = operation("make", {"a": A}, {"b": B}, expand=["b"])
USE = operation("use", {"b": B})
READ = output("read")


async def rerun(driver: Driver) -> tuple[Lease, Lease]:
    """Lease the one parameter set of `make` to w1, which is held to have vanished with it, and then to w2."""
    driver.scripts["read"] = multi("B")
    await driver.open(flow(MAKE, USE, READ), seeds(A, 1))
    first = await driver.one()
    assert await driver.lose("w1") == 1
    second = await driver.one("w2")
    assert (first.instance, second.instance) == ("make", "make")
    assert first.arguments == second.arguments == {"a": 1}
    return first, second


async def refused(driver: Driver, worker: str, *reports: Any) -> None:
    before = driver.subject.refused()
    assert await driver.cycle(worker, reports, 0) == []
    assert driver.subject.refused() == before + len(reports)


async def ends_with(driver: Driver, values: list[int]) -> None:
    await driver.drain("w3")
    ran = await driver.end()
    assert ran.result == {"B": values}
    assert [call["b"] for call in ran.calls("use")] == values
    assert (ran.ending.inputs, ran.ending.failures) == (1 + len(values), ())


@pytest.mark.parametrize("other", [[1, 2], [3], [], None])
async def test_the_outputs_of_the_rerun_stand_when_the_first_worker_speaks_after_it(driver: Driver, other: Any) -> None:
    first, second = await rerun(driver)
    await driver.complete(second, {"b": [1, 2]})
    await refused(driver, "w1", Completed(first.parameter_set, {"b": other}, (), first.number))
    await ends_with(driver, [1, 2])


@pytest.mark.parametrize("other", [[1, 2], [3], [], None])
async def test_who_was_held_to_have_vanished_is_not_heard_before_the_rerun_either(driver: Driver, other: Any) -> None:
    first, second = await rerun(driver)
    await refused(driver, "w1", Completed(first.parameter_set, {"b": other}, (), first.number))
    await driver.complete(second, {"b": [1, 2]})
    await ends_with(driver, [1, 2])


async def test_what_a_generator_gave_before_its_worker_vanished_is_not_given_anew(driver: Driver) -> None:
    driver.scripts["read"] = multi("B")
    await driver.open(flow(MAKE._replace(expand=[]), USE, READ), seeds(A, 1))
    first = await driver.one()
    await driver.emit(first, 0, {"b": 1})
    use = await driver.one("w3")
    await driver.complete(use)
    assert await driver.lose("w1") == 1
    second = await driver.one("w2")
    assert (use.instance, second.instance) == ("use", "make")
    await driver.emit(second, 0, {"b": 111})
    await driver.emit(second, 1, {"b": 2})
    await refused(driver, "w1", Emitted(first.parameter_set, 1, {"b": 222}, first.number))
    await driver.complete(second)
    await ends_with(driver, [1, 2])


async def test_a_second_completion_of_the_same_worker_with_other_outputs_is_refused(driver: Driver) -> None:
    _, second = await rerun(driver)
    await driver.complete(second, {"b": [1]})
    await refused(driver, "w2", Completed(second.parameter_set, {"b": [9]}, (), second.number))
    await ends_with(driver, [1])
