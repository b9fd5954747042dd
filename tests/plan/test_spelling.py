"""Values that a data flow brings and that have no spelling of their own are told by their place, or spelt after all."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tidemill import DataFlow, Definition, Input, InvalidFlow, Operation, compile_plan
from tidemill.plan.digest import canonical

THING = Definition("thing", "generic")
TAKE = Operation("take", inputs={"thing": THING})


class Mute:
    def __repr__(self) -> str:
        raise ValueError("no words")


def nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(10 * sys.getrecursionlimit()):
        value = [value]
    return value


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("made", "reason", "said"),
    [
        (nested, "TooDeep", "nests too deep"),
        (endless, "TooDeep", "contains itself"),
        (Mute, "NotComparable", "ValueError('no words')"),
    ],
)
def test_a_seed_and_a_configuration_without_a_spelling_are_told(made: Any, reason: str, said: str) -> None:
    seed = [Input(1, THING), Input(made(), THING)]
    with pytest.raises(InvalidFlow) as caught:
        compile_plan(DataFlow(TAKE, seed=seed, configs={"take": {"value": made()}}))
    assert [(found.reason, found.path) for found in caught.value.problems] == [
        (reason, "/seed/1/value"),
        (reason, "/configs/take"),
    ]
    assert all(said in found.message for found in caught.value.problems)


def test_a_default_without_a_spelling_is_told_too() -> None:
    with pytest.raises(InvalidFlow) as caught:
        compile_plan(DataFlow(Operation("take", inputs={"thing": THING._replace(default=endless())})))
    assert (caught.value.reason, caught.value.path) == ("TooDeep", "")


@pytest.mark.parametrize("value", [10**5000, -(10**5000), {10**5000: 1}], ids=["huge", "negative", "as a key"])
def test_a_number_of_thousands_of_digits_has_a_spelling(value: Any) -> None:
    assert compile_plan(DataFlow(TAKE, seed=[Input(value, THING)])).digest.startswith("sha256:")


def test_huge_numbers_that_differ_are_spelt_differently() -> None:
    huge: int = 10**5000
    assert len({canonical(value) for value in (huge, huge + 1, -huge, hex(huge), {huge: 0}, {hex(huge): 0})}) == 6
