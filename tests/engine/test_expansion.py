"""Bounded work: how much room a backlog leaves, and which boxes go over the limit."""

from __future__ import annotations

import pytest

from tests.engine.making import planned
from tidemill.engine.expansion import CHUNK, LOW_WATER, room, too_many
from tidemill.engine.matching import Box

PAIR = planned("pair", "xy")


@pytest.mark.parametrize(("backlog", "left"), [(0, 256), (1, 255), (64, 192), (255, 1), (256, 0), (257, 0), (9999, 0)])
def test_the_room_is_what_the_backlog_leaves(backlog: int, left: int) -> None:
    assert room(backlog) == left


def test_work_is_made_before_it_runs_out() -> None:
    assert (CHUNK, LOW_WATER) == (256, 64)


def box(x: int, y: int) -> Box:
    return Box(PAIR, [(2, 2 + x), (0, y)])


@pytest.mark.parametrize(
    ("taken", "limit"), [(0, None), (10**9, None), (0, 12), (0, 13), (1, 13), (88, 100), (0, 1_000_000)]
)
def test_what_keeps_to_the_limit_is_taken(taken: int, limit: int | None) -> None:
    assert too_many(taken, box(3, 4), limit) is None


@pytest.mark.parametrize(
    ("taken", "limit", "message"),
    [
        (0, 11, 'operation "pair" would need 12 parameter sets (new combinations of x: 3, y: 4); limit 11'),
        (89, 100, 'operation "pair" would need 101 parameter sets (new combinations of x: 3, y: 4); limit 100'),
        (5, 1, 'operation "pair" would need 17 parameter sets (new combinations of x: 3, y: 4); limit 1'),
    ],
)
def test_what_would_pass_the_limit_is_refused_with_its_numbers(taken: int, limit: int, message: str) -> None:
    assert too_many(taken, box(3, 4), limit) == message


def test_a_box_whose_ranges_do_not_fit_its_operation_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        too_many(0, Box(PAIR, [(0, 2)]), 1)
