"""Lineage: identities are digests of length-prefixed parts, the same for every numbering, and never shared."""

from __future__ import annotations

import base64
import hashlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import default_item, item, operation, output_channel, plan_of, planned, seed_channel
from tests.engine.worlds import ONCE, World, numbered, worlds
from tidemill.engine.lineage import LineageRecord, identity, lineage_of, parameter_set_id
from tidemill.engine.operations import Channel

DOUBLE = planned("double", "x", gives="y")
Y = output_channel(DOUBLE, "y")

KNOWN = [
    ((), "4oymiquy7qobjgx36tejs35zeqt24qpe"),
    (("a",), "hmmw7veqppw7khbqsduygxzpps3b47xb"),
    (("ab", "c"), "maovi5xczt7czb5cxot2gitfs42kav2j"),
    (("a", "bc"), "h6x2dtzpdgt4ceu35mqm6cmd645ergrc"),
    (("ä",), "5yjhphvbkiyjolbnj2khvh3idae7up4c"),
]


@pytest.mark.parametrize(("parts", "digest"), KNOWN)
def test_an_identity_is_a_known_digest(parts: tuple[str, ...], digest: str) -> None:
    assert identity(*parts) == digest


@given(st.lists(st.text()))
def test_an_identity_is_sha256_over_lengths_and_parts(parts: list[str]) -> None:
    said = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    assert identity(*parts) == base64.b32encode(hashlib.sha256(said).digest()[:20]).decode().lower()


def test_half_of_a_surrogate_pair_has_an_identity() -> None:
    assert identity("\ud800") != identity("\ud801")


@given(st.lists(st.text("ab")), st.lists(st.text("ab")))
def test_no_part_runs_into_the_next(one: list[str], other: list[str]) -> None:
    assert (identity(*one) == identity(*other)) == (one == other)


def test_a_parameter_set_is_named_by_its_operation_and_its_named_inputs() -> None:
    join = planned("join", "xy")
    assert parameter_set_id("ctx", join, ["i", "j"]) == identity("task", "ctx", "join", "2", "x", "i", "y", "j")
    assert parameter_set_id("ctx", planned("none"), []) == identity("task", "ctx", "none", "0")
    with pytest.raises(ValueError, match="zip"):
        parameter_set_id("ctx", join, ["i"])


def test_a_seed_and_what_was_made_of_it_have_known_identities() -> None:
    plain, named = item(0, 3, position=(0, 0)), item(1, 4, position=(0, 1))
    made = item(2, 6, channel=Y, parents=(plain,))
    seed_id, named_id = "jrl4o5uavjuoov2icenwedtisyo35n75", "2za4xs7s74yaqhyqy6qaoyf5qddli4si"
    set_id, made_id = "p4lwr2uyfnkghxmzhbzg33mtwtratgwv", "26cxdzkdctej5jqxcotxppcqqizsf2qp"
    assert lineage_of("ctx", [plain, named, made], {1: "my-uid"}) == [
        LineageRecord(seed_id, "number", "seed", 3),
        LineageRecord(named_id, "number", "seed", 4),
        LineageRecord(made_id, "number", ("double", "y"), 6, (seed_id,), set_id),
    ]


def test_a_record_of_a_seed_has_no_parents() -> None:
    record = LineageRecord("i", "d", "seed", 1)
    assert (record.parents, record.parameter_set) == ((), None)


def test_given_inputs_may_have_parents() -> None:
    seed = item(0)
    records = lineage_of("ctx", [seed, item(1, parents=(seed,), position=(0, 1))], {})
    assert (records[1].parents, records[1].parameter_set) == ((records[0].id,), None)


def test_outputs_of_one_parameter_set_share_it_and_differ_by_output_and_place() -> None:
    both = planned("both", "x", gives="yz")
    y, z = output_channel(both, "y"), output_channel(both, "z")
    seed = item(0)
    outputs = [
        item(at + 1, channel=channel, parents=(seed,), position=position)
        for at, (channel, position) in enumerate([(y, (0, 0)), (z, (0, 0)), (y, (0, 1)), (y, (1, 0))])
    ]
    records = lineage_of("ctx", [seed, *outputs], {})[1:]
    set_id = identity("task", "ctx", "both", "1", "x", identity("seed", "ctx", "seed", "number", "0"))
    assert [record.parameter_set for record in records] == [set_id] * 4
    assert [record.id for record in records] == [
        identity("out", set_id, "y", "0", "0"),
        identity("out", set_id, "z", "0", "0"),
        identity("out", set_id, "y", "0", "1"),
        identity("out", set_id, "y", "1", "0"),
    ]


def test_a_default_stands_as_such_and_has_no_record() -> None:
    made = item(1, channel=Y, parents=(default_item(0),))
    (record,) = lineage_of("ctx", [made.parents[0], made], {})
    assert record.parents == ("default",)
    assert record.parameter_set == identity("task", "ctx", "double", "1", "x", "default")


def test_a_value_that_counts_once_is_named_by_its_value() -> None:
    plan = plan_of(operation("once", "x", outputs={"o": ONCE}))
    channel = output_channel(plan.instances["once"], "o")
    first, second = item(0), item(1, position=(0, 1))
    ids = [
        lineage_of("ctx", [first, second, item(2, value, channel=channel, parents=(parent,))], {})[2].id
        for value, parent in ((5, first), (5, second), (6, first))
    ]
    assert ids[0] == ids[1] == identity("value", "ctx", "('once', 'o')", "", "once", "5")
    assert ids[2] == identity("value", "ctx", "('once', 'o')", "", "once", "6")


def test_a_value_that_counts_once_counts_for_each_origin_that_it_stands_for() -> None:
    plan = plan_of(operation("v", "x", outputs={"o": ONCE}))
    channels = [Channel(("v", "o"), ONCE, plan.instances["v"], 0, origin) for origin in (None, "mail", ("a", "b"))]
    records = lineage_of("ctx", [item(at, 5, channel=channel) for at, channel in enumerate(channels)], {})
    spelt = ["", "mail", "('a', 'b')"]
    assert [one.id for one in records] == [identity("value", "ctx", "('v', 'o')", by, "once", "5") for by in spelt]
    assert {(one.parents, one.parameter_set) for one in records} == {((), None)}


def test_seeds_with_and_without_a_uid_never_share_an_identity() -> None:
    seeds = [item(0, position=(0, 0)), item(1, position=(0, 1)), item(2, position=(0, 2), origin="client")]
    records = lineage_of("ctx", seeds, {1: "number/0"})
    assert len({record.id for record in records}) == 3
    assert records[2].id == identity("seed", "ctx", "client", "number", "2")


def test_what_is_given_in_the_name_of_an_output_is_a_seed() -> None:
    given_one = item(0, channel=seed_channel(("double", "y")))
    (record,) = lineage_of("ctx", [given_one], {})
    assert (record.origin, record.parents, record.parameter_set) == (("double", "y"), (), None)
    assert record.id == identity("seed", "ctx", "('double', 'y')", "number", "0")


def test_contexts_share_no_identity() -> None:
    items = [item(0), item(1, channel=Y, parents=(item(0),))]
    one, other = (lineage_of(context, items, {}) for context in ("one", "other"))
    assert {record.id for record in one}.isdisjoint(record.id for record in other)
    assert one[1].parameter_set != other[1].parameter_set


@given(worlds(), st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_identities_do_not_depend_on_the_numbering(world: World, one: Random, other: Random) -> None:
    found = []
    for random in (one, other):
        items, at = numbered(world, random)
        records = dict(
            zip([i.number for i in items if i.channel is not None], lineage_of("ctx", items, {}), strict=True)
        )
        found.append([records[at[place].number] for place in range(len(world))])
        assert len({record.id for record in records.values()}) == len(world)
    assert found[0] == found[1]
