"""Rule 12: an input that has to be validated is for its validator alone, until that has returned the value."""

from typing import Any

import pytest

from tests.contract.driver import Driver
from tests.contract.shapes import A, B, multi, operation, output, seeds
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Operation, Stage

RAW = Definition("raw", "int", validate="check")
CHECK = operation("check", {"x": RAW}, {"ok": RAW}, validator=True)
TAKE = operation("take", {"r": RAW})


def wired(*operations: Operation, **sources: list[Any]) -> DataFlow:
    """Return a data flow in which `check` takes seeds, and the first parameter of each other operation the sources
    given for it."""
    entries = {"check": InputFlow({"x": ["seed"]})}
    for one in operations:
        if one.instance in sources:
            entries[one.instance] = InputFlow({next(iter(one.inputs)): sources[one.instance]})
    return DataFlow(*operations, flow={one.instance: entries.get(one.instance, InputFlow()) for one in operations})


def doubled(x: int) -> dict[str, int]:
    return {"ok": x * 2}


def even(x: int) -> dict[str, int]:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return {"ok": x}


# -- whom it is for ---------------------------------------------------------------------------------------------------


async def test_only_the_validator_gets_what_is_not_validated(driver: Driver) -> None:
    await driver.open(wired(CHECK, TAKE, take=["seed"]), seeds(RAW, 1))
    assert [(lease.instance, lease.arguments) for lease in await driver.lease(9)] == [("check", {"x": 1})]


@pytest.mark.parametrize("sources", [["seed"], [{"check": "ok"}], ["seed", {"check": "ok"}], [{"seed": ["raw"]}]])
async def test_the_validated_value_matches_where_the_raw_one_would(driver: Driver, sources: list[Any]) -> None:
    ran = await driver.run(wired(CHECK, TAKE, take=sources), {"check": doubled}, seeds(RAW, 1, 2))
    assert ran.calls("check") == [{"x": 1}, {"x": 2}]
    assert ran.calls("take") == [{"r": 2}, {"r": 4}]


async def test_a_parameter_of_another_origin_gets_neither(driver: Driver) -> None:
    ran = await driver.run(wired(CHECK, TAKE, take=["elsewhere"]), {"check": doubled}, seeds(RAW, 1))
    assert (ran.calls("check"), ran.calls("take")) == ([{"x": 1}], [])


@pytest.mark.parametrize("word", ["upload", "a word with spaces", "seed ", "check", ""])
async def test_an_input_of_any_origin_is_validated_whoever_takes_it(driver: Driver, word: str) -> None:
    other = operation("other", {"r": RAW})
    given = [Input(3, RAW, origin=word)]
    dataflow = wired(CHECK, TAKE, other, take=["seed"], other=[word])
    ran = await driver.run(dataflow, {"check": doubled}, given)
    assert ran.calls("check") == [{"x": 3}]
    assert (ran.calls("take"), ran.calls("other")) == ([], [{"r": 6}])


async def test_an_origin_that_nobody_names_leads_to_the_validator_and_no_further(driver: Driver) -> None:
    ran = await driver.run(
        wired(CHECK, TAKE, take=["seed"]), {"check": doubled}, [Input(3, RAW, origin="made up"), *seeds(RAW, 4)]
    )
    assert ran.calls("check") == [{"x": 3}, {"x": 4}]
    assert ran.calls("take") == [{"r": 8}]


async def test_an_output_is_validated_too_and_matches_as_that_output(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"out": RAW})
    other = operation("other", {"r": RAW})
    dataflow = wired(CHECK, TAKE, make, other, make=["seed"], take=[{"make": "out"}], other=["seed"])
    ran = await driver.run(dataflow, {"make": lambda a: {"out": a}, "check": doubled}, seeds(A, 5))
    assert (ran.calls("check"), ran.calls("take"), ran.calls("other")) == ([{"x": 5}], [{"r": 10}], [])


async def test_a_validator_may_give_another_definition(driver: Driver) -> None:
    check = operation("check", {"x": RAW}, {"ok": B}, validator=True)
    take = operation("take", {"b": B})
    ran = await driver.run(wired(check, take, take=["seed"]), {"check": doubled}, seeds(RAW, 1) + seeds(B, 7))
    assert sorted(call["b"] for call in ran.calls("take")) == [2, 7]


async def test_an_ancestor_path_sees_through_the_validator(driver: Driver) -> None:
    use, take, other = (
        operation("use", {"r": RAW}, {"b": B}), operation("take", {"b": B}), operation("other", {"r": RAW})
    )  # fmt: skip
    dataflow = DataFlow(
        CHECK, use, take, other,
        flow={
            "check": InputFlow({"x": ["seed"]}), "use": InputFlow({"r": ["seed"]}),
            "take": InputFlow({"b": [[{"use": "b"}, "seed"]]}), "other": InputFlow({"r": [["seed", "seed"]]}),
        },
    )  # fmt: skip
    ran = await driver.run(dataflow, {"check": doubled, "use": lambda r: {"b": r}}, seeds(RAW, 5))
    assert (ran.calls("take"), ran.calls("other")) == ([{"b": 10}], [{"r": 10}])


async def test_each_input_is_validated_once_and_never_what_came_of_it(driver: Driver) -> None:
    ran = await driver.run(wired(CHECK, TAKE, take=["seed"]), {"check": doubled}, seeds(RAW, 1, 1))
    assert ran.calls("check") == [{"x": 1}, {"x": 1}]
    assert (ran.ending.inputs, ran.ending.parameter_sets) == (4, 4)


async def test_combinations_are_of_what_has_been_validated(driver: Driver) -> None:
    join = operation("join", {"left": RAW, "right": RAW})
    dataflow = DataFlow(
        CHECK, join,
        flow={"check": InputFlow({"x": ["seed"]}), "join": InputFlow({"left": ["seed"], "right": ["seed"]})},
    )  # fmt: skip
    ran = await driver.run(dataflow, {"check": doubled}, seeds(RAW, 1, 2))
    assert sorted((call["left"], call["right"]) for call in ran.calls("join")) == [(2, 2), (2, 4), (4, 2), (4, 4)]


async def test_what_is_validated_descends_from_what_was_given(driver: Driver) -> None:
    ran = await driver.run(wired(CHECK), {"check": doubled}, seeds(RAW, 1))
    given, made = ran.ending.lineage()
    assert (given.value, given.origin, made.value, made.origin) == (1, "seed", 2, ("check", "ok"))
    assert made.parents == (given.id,)


# -- what waits for it ------------------------------------------------------------------------------------------------


async def test_the_gate_opens_with_the_validated_value(driver: Driver) -> None:
    gated = operation("gated", {"a": A}, conditions=[RAW])
    dataflow = DataFlow(
        CHECK, gated, flow={"check": InputFlow({"x": ["seed"]}), "gated": InputFlow({"a": ["seed"]}, ["seed"])}
    )  # fmt: skip
    await driver.open(dataflow, seeds(A, 1) + seeds(RAW, 1))
    check = await driver.one()
    assert (check.instance, await driver.lease()) == ("check", [])
    await driver.complete(check, {"ok": 1})
    assert (await driver.one()).instance == "gated"


async def test_the_gate_stays_shut_when_the_validated_value_is_false(driver: Driver) -> None:
    gated = operation("gated", {"a": A}, conditions=[RAW])
    dataflow = DataFlow(
        CHECK, gated, flow={"check": InputFlow({"x": ["seed"]}), "gated": InputFlow({"a": ["seed"]}, ["seed"])}
    )  # fmt: skip
    ran = await driver.run(dataflow, {"check": lambda x: {"ok": 0}}, seeds(A, 1) + seeds(RAW, 1))
    assert ran.calls("gated") == []


@pytest.mark.parametrize(("given", "taken"), [({"ok": 8}, [8]), (None, [5])])
async def test_a_default_waits_for_what_is_being_validated(driver: Driver, given: Any, taken: list[int]) -> None:
    raw = RAW._replace(default=5)
    check = operation("check", {"x": raw}, {"ok": raw}, validator=True)
    await driver.open(wired(check, operation("take", {"r": raw}), take=["seed"]), seeds(raw, 1))
    held = await driver.one()
    assert (held.instance, await driver.lease()) == ("check", [])
    await driver.complete(held, given)
    await driver.drain()
    assert [call["r"] for call in (await driver.end()).calls("take")] == taken


async def test_output_operations_read_what_has_been_validated_and_nothing_else(driver: Driver) -> None:
    ran = await driver.run(
        wired(CHECK, output("read")),
        {"check": lambda x: {"ok": x * 2} if x > 1 else None, "read": multi("raw")},
        seeds(RAW, 1, 2, 3),
    )
    assert ran.result == {"raw": [4, 6]}


async def test_what_clean_up_gives_is_validated_in_no_later_stage(driver: Driver) -> None:
    tidy = operation("tidy", {}, {"r": RAW}, stage=Stage.CLEANUP)
    ran = await driver.run(wired(CHECK, tidy, output("read")), {"tidy": lambda: {"r": 1}, "read": multi("raw")})
    assert (ran.calls("check"), ran.result) == ([], {"raw": []})


# -- when it fails ----------------------------------------------------------------------------------------------------


async def test_a_failing_validator_fails_a_strict_context(driver: Driver) -> None:
    ran = await driver.run(wired(CHECK, TAKE, take=["seed"]), {"check": even}, seeds(RAW, 3))
    assert (ran.failure.instance, ran.failure.inputs, ran.failure.message) == (
        "check",
        {"x": 3},
        "ValueError: 3 is odd",
    )
    assert ran.calls("take") == []


async def test_without_strict_what_its_validator_refuses_is_used_by_nobody(driver: Driver) -> None:
    ran = await driver.run(
        wired(CHECK, TAKE, output("read"), take=["seed"]), {"check": even, "read": multi("raw")}, seeds(RAW, 2, 3, 4),
        strict=False,
    )  # fmt: skip
    assert ran.calls("take") == [{"r": 2}, {"r": 4}]
    assert [one.inputs for one in ran.ending.failures] == [{"x": 3}]
    assert ran.result == {"raw": [2, 4]}


async def test_a_validator_that_returns_none_drops_the_value_without_a_failure(driver: Driver) -> None:
    ran = await driver.run(wired(CHECK, TAKE, take=["seed"]), {"check": lambda x: None}, seeds(RAW, 1))
    assert (ran.result, ran.calls("take"), ran.ending.failures) == ({}, [], ())


async def test_a_validator_is_tried_again_like_any_operation(driver: Driver) -> None:
    check = CHECK._replace(retry=2)
    await driver.open(wired(check, TAKE, take=["seed"]), seeds(RAW, 1))
    await driver.fail(await driver.one())
    assert driver.clock.advance()
    driver.scripts["check"] = doubled
    await driver.drain()
    assert (await driver.end()).calls("take") == [{"r": 2}]
