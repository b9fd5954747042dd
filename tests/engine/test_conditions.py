"""Conditions: which input satisfies a group, and when all groups together open the gate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.making import ANYTHING, TEXT, item, operation, plan_of
from tidemill import InputFlow
from tidemill.engine.conditions import is_open, satisfies
from tidemill.engine.inputs import Item
from tidemill.engine.operations import Door
from tidemill.model.input import Origin

PLAN = plan_of(
    operation("free", "x"),
    operation("gated", "x", conditions=[TEXT, ANYTHING]),
    operation("either", "x", conditions=[TEXT, ANYTHING], conditions_mode="any"),
    flow={
        "free": InputFlow(inputs={"x": ["seed"]}),
        "gated": InputFlow(inputs={"x": ["seed"]}, conditions=["seed"]),
        "either": InputFlow(inputs={"x": ["seed"]}, conditions=["seed"]),
    },
)
Paths = tuple[tuple[Origin, ...], ...]


def door(paths: Paths = ()) -> Door:
    return Door(PLAN.instances["gated"], 0, paths)


@pytest.mark.parametrize(
    ("value", "truthy"),
    [(1, True), ("no", True), ([0], True), (0, False), ("", False), (None, False), (False, False), ({}, False)],
)
def test_a_truthy_value_satisfies(value: Any, truthy: bool) -> None:
    assert satisfies(door(), item(0, value)) is truthy


class Neither:
    """Has no truth value."""

    def __bool__(self) -> bool:
        raise ValueError("ask any() or all()")


def test_what_is_neither_true_nor_false_is_raised_on() -> None:
    with pytest.raises(ValueError, match="ask any"):
        satisfies(door(), item(0, Neither()))


def descendant() -> Item:
    grandparent = item(0, origin="old")
    return item(2, True, origin="young", parents=(item(1, origin="middle", parents=(grandparent,)),))


@pytest.mark.parametrize(
    ("paths", "satisfied"),
    [
        ((), True),
        ((("middle",),), True),
        ((("middle", "old"),), True),
        ((("old",),), False),
        ((("old",), ("middle",)), True),
        ((("old",), ("middle", "middle")), False),
    ],
)
def test_an_input_has_to_descend_as_one_of_the_sources_asks(paths: Paths, satisfied: bool) -> None:
    assert satisfies(door(paths), descendant()) is satisfied


def test_the_truth_of_what_descends_otherwise_is_not_asked() -> None:
    assert satisfies(door((("old",),)), item(0, Neither())) is False


def test_a_gate_is_open_when_every_group_is_satisfied() -> None:
    gated, either = PLAN.instances["gated"], PLAN.instances["either"]
    assert (len(gated.gate), len(either.gate)) == (2, 1)
    assert [is_open(gated, frozenset(found)) for found in ((), (0,), (1,), (0, 1))] == [False, False, False, True]
    assert [is_open(either, frozenset(found)) for found in ((), (0,))] == [False, True]
    assert is_open(PLAN.instances["free"], frozenset())
