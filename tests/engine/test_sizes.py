"""How large and how deep a value is: boundaries, every kind of container, values that contain themselves."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill import Limits
from tidemill.engine.implementations import too_large

LARGE = ("OutputTooLarge", "the value has more than {} bytes, the limit value_bytes")
DEEP = ("TooDeep", "the value nests deeper than {} levels, the limit value_depth")


def large(limit: int) -> tuple[str, str]:
    return LARGE[0], LARGE[1].format(limit)


def deep(limit: int) -> tuple[str, str]:
    return DEEP[0], DEEP[1].format(limit)


SIZES: list[tuple[Any, int]] = [
    ("", 0),
    ("abc", 3),
    (b"abc", 3),
    (bytearray(b"ab"), 2),
    (5, 8),
    (None, 8),
    (1.5, 8),
    ([], 8),
    ([1, 2], 24),
    ((1, 2), 24),
    ({1, 2}, 24),
    (frozenset({1, 2}), 24),
    ({"a": "bc"}, 11),
    (MappingProxyType({"ab": [1]}), 26),
    (["a", ["b", ["cd"]]], 28),
    ([[1]] * 2, 40),
]
DEPTHS: list[tuple[Any, int]] = [
    ("abc", 0),
    (5, 0),
    ([], 1),
    ([1, 2], 1),
    ({}, 1),
    ({"a": 1}, 1),
    ([[1]], 2),
    ([1, [2], 3], 2),
    ({"a": {"b": {}}}, 3),
    ({(1, 2): 3}, 2),
    (([frozenset({1})],), 3),
    (MappingProxyType({"a": {1}}), 2),
]


@pytest.mark.parametrize(("value", "size"), [(value, size) for value, size in SIZES if size > 1])
def test_the_size_counts_strings_and_eight_for_anything_else(value: Any, size: int) -> None:
    assert too_large(value, Limits(value_bytes=size)) is None
    assert too_large(value, Limits(value_bytes=size, value_depth=99)) is None
    assert too_large(value, Limits(value_bytes=size - 1)) == large(size - 1)
    assert too_large(value, Limits(value_bytes=size - 1, value_depth=99)) == large(size - 1)


@pytest.mark.parametrize(("value", "depth"), DEPTHS)
def test_the_depth_counts_lists_and_mappings_within_each_other(value: Any, depth: int) -> None:
    assert too_large(value, Limits(value_depth=max(1, depth))) is None
    assert too_large(value, Limits(value_depth=max(1, depth), value_bytes=999)) is None
    if depth > 1:
        assert too_large(value, Limits(value_depth=depth - 1)) == deep(depth - 1)
        assert too_large(value, Limits(value_depth=depth - 1, value_bytes=999)) == deep(depth - 1)


def test_without_limits_everything_fits() -> None:
    assert too_large([["x" * 1000]], Limits()) is None


def cyclic() -> list[Any]:
    """A list that contains itself, twice."""
    value: list[Any] = []
    value += [value, value]
    return value


def test_a_value_that_contains_itself_passes_every_limit() -> None:
    assert too_large(cyclic(), Limits(value_bytes=1000)) == large(1000)
    assert too_large(cyclic(), Limits(value_depth=64)) == deep(64)
    assert too_large(cyclic(), Limits(value_depth=64, value_bytes=1000)) == large(1000)


def test_what_is_shared_counts_as_often_as_it_stands_there() -> None:
    value: list[Any] = [1]
    for _ in range(200):  # 2**200 leaves
        value = [value, value]
    assert too_large(value, Limits(value_bytes=10_000)) == large(10_000)
    assert too_large(value, Limits(value_depth=201)) is None
    assert too_large(value, Limits(value_depth=200)) == deep(200)


values = st.recursive(
    st.text(max_size=5) | st.binary(max_size=5) | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def measured(value: Any) -> tuple[int, int]:
    """Size and depth, by recursion."""
    if isinstance(value, (str, bytes)):
        return len(value), 0
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if not isinstance(value, list):
        return 8, 0
    inner = [measured(item) for item in value]
    return 8 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)


@given(values, st.integers(1, 60), st.integers(1, 4))
def test_both_limits_hold_for_any_value(value: Any, bytes_: int, levels: int) -> None:
    size, depth = measured(value)
    assert (too_large(value, Limits(value_bytes=bytes_)) is None) == (size <= bytes_)
    assert (too_large(value, Limits(value_depth=levels)) is None) == (depth <= levels)
    both = too_large(value, Limits(value_bytes=bytes_, value_depth=levels))
    assert (both is None) == (size <= bytes_ and depth <= levels)
