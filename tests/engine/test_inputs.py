"""Inputs inside a context: what an item says of itself, its ancestors, paths through them, and the locks it carries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import NUMBER, default_item, item, output_channel, planned, seed_channel
from tidemill.engine.inputs import FIRST, NO_LOCKS, Item, has_path, locks_of
from tidemill.model.input import Origin


def test_an_item_says_where_it_comes_from_and_what_it_is() -> None:
    double = planned("double", "x", gives="y")
    given_item = item(0, 7, origin="client")
    made = Item(3, 14, output_channel(double, "y"), (given_item,), (2, 5), frozenset({0}))
    assert (given_item.origin, given_item.definition, given_item.uid, given_item.value) == ("client", NUMBER, "0", 7)
    assert (given_item.parents, given_item.position, given_item.locks) == ((), FIRST, NO_LOCKS)
    assert (made.origin, made.definition, made.uid) == (("double", "y"), NUMBER, "3")
    assert (made.number, made.value, made.parents, made.position) == (3, 14, (given_item,), (2, 5))
    assert made.locks == {0}


def test_first_is_no_emission_and_no_element() -> None:
    assert FIRST == (0, 0)
    assert NO_LOCKS == frozenset()


def test_a_default_that_was_taken_has_no_definition() -> None:
    taken = default_item(2, "x")
    assert taken.origin == "default"
    assert taken.definition is None
    assert repr(taken) == "Item(2, default='x')"


def test_the_repr_names_number_definition_and_value() -> None:
    assert repr(item(4, 9)) == "Item(4, number=9)"


def test_ancestors_come_once_nearest_first_without_defaults() -> None:
    oldest = item(0)
    left, right = item(1, parents=(oldest,)), item(2, parents=(oldest,))
    taken = default_item(3)
    young = item(4, parents=(left, taken, right, left))
    assert [ancestor.number for ancestor in young.get_parents()] == [1, 2, 0]
    assert list(oldest.get_parents()) == []


def test_an_ancestor_behind_one_seen_before_is_still_found() -> None:
    first = item(0)
    second = item(1, parents=(first,))
    third = item(2, parents=(second, item(3)))
    assert [ancestor.number for ancestor in item(4, parents=(second, third)).get_parents()] == [1, 2, 0, 3]


def test_ancestors_after_a_default_are_not_lost() -> None:
    assert [a.number for a in item(3, parents=(default_item(0), item(1), item(2))).get_parents()] == [1, 2]


def test_a_lattice_of_ancestors_is_walked_once() -> None:
    row: tuple[Item, ...] = (item(0), item(1))
    for number in range(2, 200, 2):  # twice as many paths with each generation
        row = (item(number, parents=row), item(number + 1, parents=row))
    assert len(list(item(500, parents=row).get_parents())) == 200
    assert has_path(item(500, parents=row), ["seed"] * 100)
    assert not has_path(item(500, parents=row), ["seed"] * 101)


PATHS: list[tuple[list[Origin], bool]] = [
    ([], True),
    (["a"], True),
    (["b"], True),
    (["c"], False),
    (["a", "c"], True),
    (["b", "c"], False),
    (["b", "d"], True),
    (["a", "d"], False),
    (["a", "c", "c"], False),
    ([("a", "c")], False),
]


def test_a_path_follows_one_line_of_ancestors() -> None:
    c, d = item(0, origin="c"), item(1, origin="d")
    a, b = item(2, origin="a", parents=(c,)), item(3, origin="b", parents=(d,))
    child = item(4, origin="child", parents=(a, b))
    assert [(path, has_path(child, path)) for path, _ in PATHS] == PATHS


def test_a_path_may_go_through_any_parent_of_that_origin() -> None:
    c = item(0, origin="c")
    a_first, a_second = item(1, origin="a"), item(2, origin="a", parents=(c,))
    assert has_path(item(3, parents=(a_first, a_second)), ("a", "c"))
    assert has_path(item(3, parents=(a_second, a_first)), ("a", "c"))


def test_a_path_does_not_go_through_a_default() -> None:
    assert not has_path(item(1, parents=(default_item(0),)), ("default",))
    assert has_path(item(2, parents=(default_item(0), item(1))), ("seed",))


def test_a_path_names_outputs_as_pairs() -> None:
    double = planned("double", "x", gives="y")
    made = item(1, channel=output_channel(double, "y"), parents=(item(0),))
    assert has_path(item(2, parents=(made,)), (("double", "y"), "seed"))
    assert not has_path(item(2, parents=(made,)), (("double", "x"), "seed"))


def test_a_path_sees_through_what_was_validated() -> None:
    raw = item(1, origin="seed", parents=(item(0, origin="mail"),))
    assert raw.channel is not None
    raw.channel.validator = raw.channel  # it has still to be validated
    valid = item(2, origin="v", parents=(raw,))
    made = item(3, origin="made", parents=(valid,))
    for path in (["v"], ["seed"], ["v", "seed"], ["seed", "mail"], ["v", "seed", "mail"]):
        assert has_path(made, path), path
    assert not has_path(made, ["mail"]) and not has_path(made, ["v", "mail"])
    assert has_path(valid, ["mail"]) and has_path(valid, ["seed"])
    both = item(4, origin="both", parents=(raw, item(5, origin="other")))  # nothing that a validator gives
    assert not has_path(item(6, parents=(both,)), ["seed"])


@given(st.lists(st.frozensets(st.integers(0, 6))))
def test_the_locks_of_a_combination_are_those_of_its_inputs(sets: list[frozenset[int]]) -> None:
    assert locks_of([item(at, locks=locks) for at, locks in enumerate(sets)]) == frozenset[int]().union(*sets)


def test_equal_locks_are_shared() -> None:
    locks = frozenset({1, 2})
    assert locks_of([item(3, locks=locks), item(4, locks=locks), item(5)]) is locks
    assert locks_of([item(0), item(1)]) is NO_LOCKS


def test_a_channel_can_be_shown() -> None:
    assert repr(seed_channel()) == "Channel(seed, number)"
