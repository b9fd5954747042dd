"""Whatever an operation gives can be printed: as JSON that every reader takes, and never endlessly."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import fractions
import json
import uuid
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.formats.values import as_json, as_text, jsonable


class Point(NamedTuple):
    x: int
    y: Any


@dataclasses.dataclass
class Holder:
    point: Point


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Said:
    def __repr__(self) -> str:
        return "Said()"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (-0.0, -0.0),
        ("ä", "ä"),
        ("\ud800", "\\ud800"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**64, 18446744073709551616),
        pytest.param(-(16**5000), "-0x1" + "0" * 5000, id="5000 digits"),
        (fractions.Fraction(1, 3), "1/3"),
        (decimal.Decimal("1.10"), "1.10"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("a/b"), "a/b"),
        (b"\x00\xff", "AP8="),
        (bytearray(b"a"), "YQ=="),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({1: {"a": ()}}, {"1": {"a": []}}),
        (Point(1, {2}), {"x": 1, "y": [2]}),
        (Holder(Point(1, 2)), {"point": {"x": 1, "y": 2}}),
        (Holder, "<class '"),
        (Said(), "Said()"),
        (Silent(), "<Silent whose repr raised RuntimeError>"),
    ],
)
def test_every_value_has_words_in_json(value: Any, expected: Any) -> None:
    found = json.loads(as_json(value))
    if value is Holder:
        assert found.startswith(expected)
    else:
        assert found == expected


def test_a_value_that_holds_itself_is_cut_where_it_repeats() -> None:
    twice: list[Any] = []
    twice.extend([twice, twice, 1])
    assert jsonable(twice) == ["[[...], [...], 1]", "[[...], [...], 1]", 1]
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    assert jsonable({"a": mapping, "b": mapping}) == {
        "a": {"self": "{'self': {...}}"},
        "b": {"self": "{'self': {...}}"},
    }


def test_what_nests_too_deep_is_cut() -> None:
    value: Any = "bottom"
    for _ in range(100_000):
        value = [value]
    found = jsonable(value)
    for _ in range(64):
        (found,) = found
    assert found == "<list whose repr raised RecursionError>"
    while isinstance(value, list):  # taken apart by hand: the interpreter would recurse
        value = value.pop()


def test_text_is_shown_to_people_as_it_is() -> None:
    assert as_text("a") == "a"
    assert as_text(["a"]) == '["a"]'


keys = st.text() | st.integers() | st.tuples(st.integers())
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.uuids()
)
anything = st.recursive(
    scalars | st.frozensets(st.integers() | st.text(), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=12,
)


@given(anything)
def test_whatever_is_printed_is_json(value: Any) -> None:
    text = as_json(value)
    assert "\n" not in text
    assert json.loads(text, parse_constant=pytest.fail) == jsonable(value)
