"""Stages: which one follows, and what the result of a context is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.making import operation, plan_of
from tidemill import Stage
from tidemill.engine.stages import after, result_of
from tidemill.plan.plan import Plan


@pytest.mark.parametrize(
    ("stage", "failed", "following"),
    [
        (Stage.PROCESSING, False, Stage.CLEANUP),
        (Stage.PROCESSING, True, Stage.CLEANUP),
        (Stage.CLEANUP, False, Stage.OUTPUT),
        (Stage.CLEANUP, True, None),
        (Stage.OUTPUT, False, None),
        (Stage.OUTPUT, True, None),
    ],
)
def test_the_stage_after(stage: Stage, failed: bool, following: Stage | None) -> None:
    assert after(stage, failed) is following


def plan(*names: str) -> Plan:
    """One operation that works, between output operations of these names."""
    return plan_of(operation("m", "x"), *(operation(name, "x", stage=Stage.OUTPUT) for name in names))


NONE, ONE, TWO = plan(), plan("a"), plan("z", "a")  # a is number 0, m number 1 (or 0), z number 2


@pytest.mark.parametrize(
    ("made_of", "returned", "result"),
    [
        (NONE, [], {}),
        (ONE, [], {}),
        (ONE, [(0, {"k": 1})], {"k": 1}),
        (ONE, [(0, {"k": 1, "l": 1}), (0, {"k": 2}), (0, {"m": 3})], {"k": 2, "l": 1, "m": 3}),
        (ONE, [(0, None), (0, {"k": 1}), (0, None)], {"k": 1}),
        (ONE, [(0, None)], {}),
        (TWO, [], {}),
        (TWO, [(2, {"k": 1})], {"z": {"k": 1}}),
        (TWO, [(2, {"k": 1}), (0, {"k": 2}), (2, {"k": 3})], {"a": {"k": 2}, "z": {"k": 3}}),
        (TWO, [(0, None), (2, {})], {"a": {}, "z": {}}),
    ],
)
def test_the_result_of_a_context(made_of: Plan, returned: list[tuple[int, Any]], result: dict[str, Any]) -> None:
    assert result_of(made_of, returned) == result


def test_several_results_stand_in_the_order_of_their_names() -> None:
    assert list(result_of(TWO, [(2, {}), (0, {})])) == ["a", "z"]


def test_what_was_returned_is_not_changed() -> None:
    first = {"k": 1}
    assert result_of(ONE, [(0, first), (0, {"l": 2})]) == {"k": 1, "l": 2}
    assert first == {"k": 1}
