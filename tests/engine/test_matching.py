"""The youngest-input rule against the full product, for random arrivals; boxes are walked in order and in pieces."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import item, planned
from tidemill.engine.inputs import Item
from tidemill.engine.matching import Box, Candidates, arrive, everything
from tidemill.plan.plan import PlannedOperation

OPERATIONS = [planned("op", "abcd"[:count]) for count in range(5)]
Numbers = tuple[int, ...]


def walk(box: Box, candidates: Candidates) -> list[Numbers]:
    """Take all combinations out of a box and return the numbers of their inputs."""
    return [tuple(chosen.number for chosen in box.take(candidates)) for _ in range(box.left)]


def candidates_of(*rows: list[int]) -> Candidates:
    return [[item(number) for number in row] for row in rows]


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    """How many parameters, and for each arriving input the parameters at which it may stand."""
    count = draw(st.integers(1, 4))
    places = st.sets(st.integers(0, count - 1), min_size=1).map(sorted)
    return count, draw(st.lists(places, max_size=7))


@given(arrivals())
def test_every_combination_comes_out_exactly_once(made: tuple[int, list[list[int]]]) -> None:
    count, places = made
    operation = OPERATIONS[count]
    candidates: Candidates = [[] for _ in range(count)]
    found: list[Numbers] = []
    for number, at in enumerate(places):
        fresh: list[Numbers] = []
        for box in arrive(operation, candidates, at, item(number)):
            assert box.operation is operation
            fresh += walk(box, candidates)
        assert all(max(combination) == number for combination in fresh)  # each is found by its youngest input
        found += fresh
    full = itertools.product(*[[n for n, at in enumerate(places) if place in at] for place in range(count)])
    assert sorted(found) == sorted(full)
    assert len(found) == len(set(found))


@given(arrivals(), st.randoms())
def test_a_box_may_wait_while_others_arrive(made: tuple[int, list[list[int]]], random: Random) -> None:
    count, places = made
    candidates: Candidates = [[] for _ in range(count)]
    boxes = [box for number, at in enumerate(places) for box in arrive(OPERATIONS[count], candidates, at, item(number))]
    random.shuffle(boxes)
    found = sorted(combination for box in boxes for combination in walk(box, candidates))
    full = itertools.product(*[[n for n, at in enumerate(places) if place in at] for place in range(count)])
    assert found == sorted(full)


@given(arrivals(), st.integers(0, 7))
def test_what_arrived_before_the_start_is_found_at_the_start(made: tuple[int, list[list[int]]], start: int) -> None:
    count, places = made
    candidates: Candidates = [[] for _ in range(count)]
    found: list[Numbers] = []
    for number, at in enumerate(places):
        if number == start:
            box = everything(OPERATIONS[count], candidates)
            found += walk(box, candidates) if box is not None else []
        boxes = arrive(OPERATIONS[count], candidates, at, item(number), number >= start)
        assert number >= start or boxes == []
        found += [combination for box in boxes for combination in walk(box, candidates)]
    if start >= len(places):
        box = everything(OPERATIONS[count], candidates)
        found += walk(box, candidates) if box is not None else []
    full = itertools.product(*[[n for n, at in enumerate(places) if place in at] for place in range(count)])
    assert sorted(found) == sorted(full)


ARRIVALS: list[tuple[list[int], list[Numbers], list[list[tuple[int, int]]]]] = [
    # places of the arrival, combinations in their order, ranges of the boxes
    ([0], [(9, 2), (9, 3)], [[(2, 3), (0, 2)]]),
    ([1], [(0, 9), (1, 9)], [[(0, 2), (2, 3)]]),
    ([0, 1], [(9, 2), (9, 3), (9, 9), (0, 9), (1, 9)], [[(2, 3), (0, 3)], [(0, 2), (2, 3)]]),
]


@pytest.mark.parametrize(("places", "combinations", "ranges"), ARRIVALS)
def test_an_arrival_meets_the_older_before_it_and_the_not_younger_after_it(
    places: list[int], combinations: list[Numbers], ranges: list[list[tuple[int, int]]]
) -> None:
    candidates = candidates_of([0, 1], [2, 3])
    boxes = arrive(OPERATIONS[2], candidates, places, item(9))
    assert [list(box.ranges) for box in boxes] == ranges
    assert [combination for box in boxes for combination in walk(box, candidates)] == combinations
    assert [[it.number for it in row] for row in candidates] == [
        [0, 1, 9] if 0 in places else [0, 1],
        [2, 3, 9] if 1 in places else [2, 3],
    ]


def test_an_arrival_that_meets_nobody_makes_no_box() -> None:
    candidates = candidates_of([], [])
    assert arrive(OPERATIONS[2], candidates, [0], item(0)) == []
    assert len(arrive(OPERATIONS[2], candidates, [1], item(1))) == 1


def test_an_operation_that_is_not_active_only_collects() -> None:
    candidates = candidates_of([])
    assert arrive(OPERATIONS[1], candidates, [0], item(0), False) == []
    assert [it.number for it in candidates[0]] == [0]
    assert len(arrive(OPERATIONS[1], candidates, [0], item(1))) == 1


def test_a_box_is_taken_with_the_last_parameter_fastest() -> None:
    candidates = candidates_of([0, 1, 2], [10, 11], [20, 21, 22])
    box = Box(OPERATIONS[3], [(1, 3), (0, 1), (1, 3)])
    assert (box.size, box.left, box.next) == (4, 4, 0)
    assert walk(box, candidates) == [(1, 10, 21), (1, 10, 22), (2, 10, 21), (2, 10, 22)]
    assert (box.size, box.left, box.next) == (4, 0, 4)


def test_a_box_can_be_walked_in_pieces_while_the_lists_grow() -> None:
    candidates = candidates_of([0, 1], [10, 11])
    box = everything(OPERATIONS[2], candidates)
    assert box is not None
    found = [box.take(candidates)]
    assert box.left == 3
    candidates[0].append(item(5))
    candidates[1].append(item(15))
    found += [box.take(candidates) for _ in range(box.left)]
    assert [[it.number for it in chosen] for chosen in found] == [[0, 10], [0, 11], [1, 10], [1, 11]]


def test_the_parameters_of_a_box_and_the_candidates_have_to_agree() -> None:
    with pytest.raises(ValueError, match="zip"):
        Box(OPERATIONS[2], [(0, 1), (0, 1)]).take(candidates_of([0]))


def test_an_operation_without_parameters_has_one_combination() -> None:
    box = everything(OPERATIONS[0], [])
    assert box is not None
    assert (box.size, box.take([]), box.left) == (1, (), 0)


def test_everything_is_nothing_where_a_parameter_has_no_candidate() -> None:
    assert everything(OPERATIONS[2], candidates_of([0, 1], [])) is None
    box = everything(OPERATIONS[2], candidates_of([0, 1], [2]))
    assert box is not None
    assert (list(box.ranges), box.operation) == ([(0, 2), (0, 1)], OPERATIONS[2])


def test_a_huge_product_is_a_small_box() -> None:
    rows: Candidates = [[item(n) for n in range(1000)] for _ in range(4)]
    box = everything(OPERATIONS[4], rows)
    assert box is not None and isinstance(box.operation, PlannedOperation)
    assert box.size == 10**12
    box.next = 10**12 - 1
    last: tuple[Item, ...] = box.take(rows)
    assert [it.number for it in last] == [999, 999, 999, 999]
