"""Canonical order: by generation, by parents, by operation, output and place; whatever the numbering was."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import NUMBER, default_item, item, operation, output_channel, plan_of, seed_channel
from tests.engine.worlds import ONCE, World, numbered, worlds
from tidemill.engine.inputs import Item
from tidemill.engine.operations import Channel
from tidemill.engine.order import order_of_sets, ranks, readable, sorted_items

PLAN = plan_of(operation("a", "x", gives="op"), operation("b", "xy", gives="o"), operation("c", gives="o"))
A, B, C = (PLAN.instances[name] for name in "abc")
A_O, A_P, B_O, C_O = output_channel(A, "o"), output_channel(A, "p"), output_channel(B, "o"), output_channel(C, "o")


def order(*items: Item) -> list[int]:
    """Return the numbers of the items in canonical order, given all of them in the order of their numbers."""
    found = ranks(items)
    return [one.number for one in sorted_items([i for i in items if i.channel is not None], found)]


def test_seeds_come_as_they_were_given_whatever_they_are() -> None:
    given_late = item(0, origin="other", position=(0, 2))
    assert order(given_late, item(1, position=(0, 1)), item(2, position=(0, 0))) == [2, 1, 0]


def test_outputs_of_operations_without_parameters_come_after_the_seeds() -> None:
    started = [item(0, channel=C_O, position=(0, 1)), item(1, channel=C_O, position=(0, 0))]
    seed = item(2, position=(0, 9))
    assert order(*started, seed) == [2, 1, 0]


def test_a_generation_comes_after_the_one_before_it() -> None:
    seed = item(0, position=(0, 0))
    child = item(1, channel=A_O, parents=(seed,))
    grandchild = item(2, channel=A_O, parents=(child,))
    late_seed = item(3, position=(0, 1))
    late_child = item(4, channel=A_O, parents=(late_seed,))
    mixed = item(5, channel=B_O, parents=(grandchild, late_seed))
    assert order(seed, child, grandchild, late_seed, late_child, mixed) == [0, 3, 1, 4, 2, 5]
    assert ranks([seed, child, grandchild, late_seed, late_child, mixed]) == {0: 0, 3: 1, 1: 2, 4: 3, 2: 4, 5: 5}


def test_within_a_generation_parents_then_operation_output_and_place_decide() -> None:
    first, second = item(0, position=(0, 0)), item(1, position=(0, 1))
    children = [
        item(2, channel=B_O, parents=(second, first)),
        item(3, channel=A_P, parents=(second,)),
        item(4, channel=A_O, parents=(second,), position=(1, 0)),
        item(5, channel=A_O, parents=(second,), position=(0, 1)),
        item(6, channel=A_O, parents=(second,), position=(0, 0)),
        item(7, channel=B_O, parents=(first, second)),
        item(8, channel=B_O, parents=(first, first)),
        item(9, channel=A_P, parents=(first,)),
    ]
    assert order(first, second, *children) == [0, 1, 9, 8, 7, 6, 5, 4, 3, 2]


def test_a_default_ranks_before_everything_and_is_no_generation() -> None:
    seed, taken = item(0), default_item(1)
    of_seed = item(2, channel=A_O, parents=(seed,))
    of_default = item(3, channel=A_O, parents=(taken,))
    with_default = item(4, channel=B_O, parents=(taken, seed))
    found = ranks([seed, taken, of_seed, of_default, with_default])
    assert found == {0: 0, 1: -1, 3: 1, 4: 2, 2: 3}


def test_equal_values_that_count_once_come_by_their_value_after_the_other_roots() -> None:
    channel = seed_channel("seed", ONCE)
    seed, started = item(0), item(1, channel=C_O)
    high, low = item(2, 7, channel=channel), item(3, 5, channel=channel)
    assert order(seed, started, high, low) == [0, 1, 3, 2]


def test_what_counts_once_is_a_root_whoever_gave_it() -> None:
    plan = plan_of(operation("a", "x", outputs={"o": ONCE}), operation("b", "x", of=ONCE, outputs={"o": NUMBER}))
    once = output_channel(plan.instances["a"], "o")
    seed = item(0)
    child = item(1, channel=A_O, parents=(seed,))
    value = item(2, 3, channel=once, parents=(child,))
    after = item(3, channel=output_channel(plan.instances["b"], "o"), parents=(value,))
    assert order(seed, child, value, after) == [0, 2, 1, 3]


def test_what_counts_once_comes_by_origin_then_definition_then_value() -> None:
    a, b = seed_channel("a", ONCE), seed_channel("b", ONCE)
    items = [item(0, 1, channel=b), item(1, 2, channel=a), item(2, 1, channel=a), item(3, 0, channel=b)]
    assert order(*items) == [2, 1, 3, 0]
    other = seed_channel("a", ONCE._replace(name="another"))
    assert order(item(0, 1, channel=a), item(1, 9, channel=other)) == [1, 0]


def test_what_counts_once_comes_by_the_origin_that_it_stands_for() -> None:
    plan = plan_of(operation("v", "x", outputs={"o": ONCE}))
    none, *stand = (Channel(("v", "o"), ONCE, plan.instances["v"], 0, origin) for origin in (None, "A", "seed"))
    assert order(item(0, 1, channel=stand[1]), item(1, 2, channel=stand[0]), item(2, 3, channel=none)) == [2, 1, 0]
    assert order(item(0, 5, channel=none), item(1, 1, channel=seed_channel("XX"))) == [1, 0]


@given(worlds(), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_numbering(world: World, one: Random, other: Random) -> None:
    found = []
    for random in (one, other):
        items, at = numbered(world, random)
        rank_of = ranks(items)
        assert sorted(rank_of[made.number] for made in at.values()) == list(range(len(world)))  # no rank twice
        found.append([rank_of[at[place].number] for place in range(len(world))])
        for made in at.values():
            if made.channel is not None and not made.channel.definition.dedupe:
                assert all(rank_of[parent.number] < rank_of[made.number] for parent in made.parents)
    assert found[0] == found[1]


def test_a_parameter_set_stands_where_its_inputs_do() -> None:
    first, second, taken = item(4), item(2), default_item(9)
    rank_of = {4: 0, 2: 1, 9: -1}
    assert order_of_sets((second, first), rank_of) == (1, 0)
    assert order_of_sets((taken, first), rank_of) == (-1, 0)
    assert order_of_sets((item(11), second), rank_of) == (-1, 1)  # a default that was taken after the ranks were made
    assert order_of_sets((), rank_of) == ()


def test_sorting_keeps_to_the_ranks() -> None:
    items = [item(0), item(1), item(2)]
    assert sorted_items(items, {0: 2, 1: 0, 2: 1}) == [items[1], items[2], items[0]]


def test_operations_read_what_is_validated_by_definition_in_canonical_order() -> None:
    raw = item(3, origin="raw")
    assert raw.channel is not None
    raw.channel.validator = raw.channel  # it has still to be validated
    plan = plan_of(operation("a", "x", gives="o"))
    seeds = [item(0, position=(0, 1)), item(1, position=(0, 0))]
    once = item(2, 1, channel=seed_channel("seed", ONCE))
    made = item(5, channel=output_channel(plan.instances["a"], "o"), parents=(seeds[0],))
    visible = [*seeds, once, raw, default_item(4), made]
    assert [one.number for one in readable(visible, None)] == [1, 0, 2, 5]
    assert [one.number for one in readable(visible, "once")] == [2]
    assert [one.number for one in readable(visible, "number")] == [1, 0, 5]
    assert readable(visible, "other") == readable([], None) == []
