"""Rule 10: each element of an expanded output becomes an input; a generator gives inputs while it still runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.driver import Driver
from tests.contract.shapes import A, B, C, flow, multi, operation, output, seeds
from tidemill.model.definition import Definition
from tidemill.model.operation import Operation

MAKE = operation("make", {"a": A}, {"b": B}, expand=["b"])
USE = operation("use", {"b": B})
STREAM = operation("stream", {"a": A}, {"b": B})


def used(driver: Driver) -> list[int]:
    """Return what `use` was called with, in the order of the leases."""
    return [lease.arguments["b"] for lease in driver.leases if lease.instance == "use"]


class Breaking:
    """An iterable that breaks after its first element."""

    def __iter__(self) -> Iterator[int]:
        yield 1
        raise RuntimeError("the source has gone")


class Indexed:
    """A sequence by the old protocol alone, which is no iterable to a type checker."""

    def __getitem__(self, at: int) -> int:
        return [1, 2][at]


# -- expand -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        lambda values: dict.fromkeys(values).keys(),
        iter,
        lambda values: (value for value in values),
        lambda values: map(int, values),
    ],
    ids=["list", "tuple", "keys", "iterator", "generator", "map"],
)
async def test_each_element_of_an_iterable_becomes_an_input_in_its_order(driver: Driver, kind: Any) -> None:
    ran = await driver.run(flow(MAKE, USE), {"make": lambda a: {"b": kind([3, 1, 2])}}, seeds(A, 1))
    assert [call["b"] for call in ran.calls("use")] == [3, 1, 2]
    assert ran.ending.inputs == 4


@pytest.mark.parametrize("nothing", [{"b": []}, {"b": ()}, {"b": set()}, {"b": None}, {}, None])
async def test_an_empty_list_none_and_what_is_missing_give_nothing(driver: Driver, nothing: Any) -> None:
    ran = await driver.run(flow(MAKE, USE), {"make": lambda a: nothing}, seeds(A, 1))
    assert ran.calls("use") == []
    assert (ran.result, ran.ending.inputs) == ({}, 1)


@pytest.mark.parametrize(
    "wrong",
    ["123", b"123", bytearray(b"123"), {1: 2}, 7, 1.5, True, object(), Indexed()],
    ids=lambda wrong: type(wrong).__name__,
)
async def test_what_is_no_list_of_inputs_is_refused(driver: Driver, wrong: Any) -> None:
    ran = await driver.run(flow(MAKE, USE), {"make": lambda a: {"b": wrong}}, seeds(A, 1))
    assert (ran.failure.reason, ran.failure.instance) == ("OutputShape", "make")
    assert ran.failure.message.startswith("make.b is expanded, so it has to be a list of inputs; it is ")
    assert ran.calls("use") == []


async def test_equal_elements_are_as_many_inputs(driver: Driver) -> None:
    ran = await driver.run(flow(MAKE, USE), {"make": lambda a: {"b": [5, 5, 5]}}, seeds(A, 1))
    assert [call["b"] for call in ran.calls("use")] == [5, 5, 5]


async def test_lists_within_the_list_are_not_expanded(driver: Driver) -> None:
    rows = A._replace(name="rows", primitive="array")
    make, use = operation("make", {"a": A}, {"row": rows}, expand=["row"]), operation("use", {"row": rows})
    ran = await driver.run(flow(make, use), {"make": lambda a: {"row": [[1, 2], [3]]}}, seeds(A, 1))
    assert [call["row"] for call in ran.calls("use")] == [[1, 2], [3]]


async def test_an_output_that_is_not_expanded_is_one_input_beside_one_that_is(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"b": B, "c": C}, expand=["b"])
    join = operation("join", {"b": B, "c": C})
    ran = await driver.run(flow(make, join), {"make": lambda a: {"b": [1, 2], "c": 9}}, seeds(A, 1))
    assert ran.calls("join") == [{"b": 1, "c": 9}, {"b": 2, "c": 9}]


@pytest.mark.parametrize(
    ("listed", "reason"),
    [([1, 2, "three"], "TypeMismatch"), (Breaking(), "OutputShape"), ([1, None, "three"], "TypeMismatch")],
    ids=["wrong last", "breaks", "none among them"],
)
async def test_of_a_list_with_one_bad_element_nothing_is_stored(driver: Driver, listed: Any, reason: str) -> None:
    ran = await driver.run(flow(MAKE, USE), {"make": lambda a: {"b": listed}}, seeds(A, 1), strict=False)
    assert [(one.instance, one.reason) for one in ran.ending.failures] == [("make", reason)]
    assert (ran.calls("use"), ran.ending.inputs) == ([], 1)


async def test_of_a_list_of_which_one_cannot_be_compared_nothing_is_stored(driver: Driver) -> None:
    endless: list[Any] = []
    endless.append(endless)
    once = Definition("once", "array", dedupe="value")
    make = operation("make", {"a": A}, {"x": once}, expand=["x"], retry=2, backoff=0.0)
    use = operation("use", {"x": once})
    ran = await driver.run(flow(make, use), {"make": lambda a: {"x": [[1], endless]}}, seeds(A, 1), strict=False)
    assert [(one.instance, one.reason) for one in ran.ending.failures] == [("make", "NotComparable")]
    assert (ran.calls("use"), ran.ending.inputs, len(ran.calls("make"))) == ([], 1, 2)


@pytest.mark.parametrize("returned", [{"b": [1], "bee": 2}, [1], "b", 3])
async def test_what_is_no_mapping_of_the_outputs_is_refused(driver: Driver, returned: Any) -> None:
    ran = await driver.run(flow(MAKE, USE), {"make": lambda a: returned}, seeds(A, 1))
    assert ran.failure.reason == "OutputShape"
    assert ran.failure.message.startswith('"make" has to return a mapping with keys out of {b}, or None; ')
    assert ran.ending.inputs == 1


# -- generators -------------------------------------------------------------------------------------------------------


async def test_what_a_generator_yields_starts_work_while_it_still_runs(driver: Driver) -> None:
    await driver.open(flow(STREAM, USE), seeds(A, 1))
    stream = await driver.one("slow")
    await driver.emit(stream, 0, {"b": 10})
    first = await driver.one("other")
    assert (first.instance, first.arguments) == ("use", {"b": 10})
    await driver.complete(first)
    assert driver.holding() == [stream]
    await driver.emit(stream, 1, {"b": 11})
    assert (await driver.one("other")).arguments == {"b": 11}


async def test_the_stage_waits_for_a_generator_with_nothing_else_to_do(driver: Driver) -> None:
    after = output("after")
    driver.scripts["after"] = multi("B")
    await driver.open(flow(STREAM, USE, after), seeds(A, 1))
    stream = await driver.one()
    await driver.emit(stream, 0, {"b": 10})
    await driver.finish(await driver.one("other"))
    assert await driver.lease(5) == []
    await driver.complete(stream)
    await driver.drain()
    assert (await driver.end()).result == {"B": [10]}


async def test_each_yielded_mapping_may_have_a_list_to_expand(driver: Driver) -> None:
    def stream(a: int) -> Iterator[Any]:
        yield {"b": [1, 2]}
        yield None
        yield {"b": []}
        yield {}
        yield {"b": [3]}

    ran = await driver.run(flow(MAKE, USE), {"make": stream}, seeds(A, 1))
    assert [call["b"] for call in ran.calls("use")] == [1, 2, 3]


async def test_what_a_generator_yields_is_read_in_the_order_of_emissions_and_elements(driver: Driver) -> None:
    def stream(a: int) -> Iterator[Any]:
        yield {"b": [30, 10]}
        yield {"b": [20]}

    ran = await driver.run(flow(MAKE, output("read")), {"make": stream, "read": multi("B")}, seeds(A, 1))
    assert ran.result == {"B": [30, 10, 20]}


async def test_what_a_generator_gave_before_it_failed_stays(driver: Driver) -> None:
    await driver.open(flow(STREAM, USE), seeds(A, 1), strict=False)
    stream = await driver.one()
    await driver.emit(stream, 0, {"b": 10})
    await driver.fail(stream)
    await driver.drain()
    ran = await driver.end()
    assert (used(driver), [one.instance for one in ran.ending.failures]) == ([10], ["stream"])


async def test_a_generator_that_yields_something_wrong_fails_there(driver: Driver) -> None:
    await driver.open(flow(STREAM, USE), seeds(A, 1), strict=False)
    stream = await driver.one()
    await driver.emit(stream, 0, {"b": 10})
    await driver.emit(stream, 1, {"b": "eleven"})
    driver.drop(stream)  # its worker hears of it and stops it
    refused = driver.subject.refused()
    await driver.emit(stream, 2, {"b": 12})
    assert driver.subject.refused() == refused + 1
    await driver.drain()
    ran = await driver.end()
    assert used(driver) == [10]
    assert [(one.instance, one.reason) for one in ran.ending.failures] == [("stream", "TypeMismatch")]


# -- again ------------------------------------------------------------------------------------------------------------


async def lose(driver: Driver, how: str) -> None:
    """Let the worker w1 lose the one thing that it holds."""
    (held,) = driver.held["w1"]
    match how:
        case "vanished":
            await driver.lose("w1")
        case "process":
            await driver.lost(held)
        case "released":
            await driver.release(held)
        case _:
            await driver.fail(held)


def retried(operation: Operation) -> Operation:
    return operation._replace(retry=2, backoff=0.0)


@pytest.mark.parametrize("how", ["vanished", "process", "released", "failed"])
async def test_a_rerun_after_a_loss_stores_nothing_twice(driver: Driver, how: str) -> None:
    await driver.open(flow(retried(STREAM), USE), seeds(A, 1))
    first = await driver.one()
    for emission in range(2):
        await driver.emit(first, emission, {"b": 10 + emission})
    await lose(driver, how)
    again = [lease for lease in await driver.lease(9, "w2") if lease.instance == "stream"]
    (again_stream,) = again
    assert again_stream.number == 2
    for emission in range(4):
        await driver.emit(again_stream, emission, {"b": 10 + emission})
    await driver.complete(again_stream)
    for lease in driver.holding():
        await driver.complete(lease)
    await driver.drain()
    ran = await driver.end()
    assert sorted(used(driver)) == [10, 11, 12, 13]
    assert (ran.ending.failure, ran.ending.inputs) == (None, 5)
    records = ran.ending.lineage()
    assert len({record.id for record in records}) == len(records) == 5


async def test_the_first_worker_says_nothing_more_once_another_runs_the_generator(driver: Driver) -> None:
    await driver.open(flow(STREAM, USE), seeds(A, 1))
    first = await driver.one()
    await driver.emit(first, 0, {"b": 10})
    await driver.lose("w1")
    again = next(lease for lease in await driver.lease(2, "w2") if lease.instance == "stream")
    await driver.emit(first, 1, {"b": 666})
    assert driver.subject.refused() == 1
    await driver.emit(again, 0, {"b": 10})
    await driver.emit(again, 1, {"b": 11})
    for lease in driver.holding():
        await driver.complete(lease)
    await driver.drain()
    await driver.end()
    assert used(driver) == [10, 11]
