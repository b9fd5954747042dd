"""Histograms merge: in any order and grouping what comes out is the histogram of all values together."""

import json
import math

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import MetricError
from tidemill.metrics.histograms import ERROR, HIGHEST, LOWEST, UNIT, Histogram, bucket_of, upper

VALUES = st.lists(st.floats(min_value=0, max_value=1e15, allow_nan=False), max_size=50)


def merged(*parts: Histogram) -> Histogram:
    found = Histogram()
    for part in parts:
        found.merge(part)
    return found


@given(VALUES, VALUES, VALUES)
def test_merging_is_adding(a: list[float], b: list[float], c: list[float]) -> None:
    one, two, three = Histogram(a), Histogram(b), Histogram(c)
    assert merged(one, two) == merged(two, one) == Histogram([*b, *a])
    assert merged(merged(one, two), three) == merged(one, merged(two, three)) == Histogram([*a, *c, *b])


@given(st.lists(st.integers(min_value=0, max_value=10**18), max_size=50), VALUES)
def test_to_take_many_in_is_to_take_in_each(billionths: list[int], before: list[float]) -> None:
    found, expected = Histogram(before), Histogram([*before, *(value / UNIT for value in billionths)])
    found.extend(list(billionths))
    assert found.buckets == expected.buckets
    assert found.total == Histogram(before).total + sum(billionths)


@given(VALUES)
def test_what_went_over_json_or_msgpack_is_the_same(values: list[float]) -> None:
    found = Histogram(values)
    assert Histogram.of(json.loads(json.dumps(found.plain()))) == found
    assert Histogram.of(msgpack.unpackb(msgpack.packb(found.plain()))) == found


@given(
    st.lists(st.floats(min_value=1e-6, max_value=1e12), min_size=1, max_size=50), st.floats(min_value=0, max_value=1)
)
def test_a_quantile_is_as_wrong_as_is_said(values: list[float], part: float) -> None:
    true = sorted(values)[max(1, math.ceil(part * len(values))) - 1]
    found = Histogram(values).quantile(part)
    assert found is not None and abs(found - true) <= true * ERROR * (1 + 1e-9)


@given(st.floats(min_value=1e-8, max_value=1e17))
def test_a_value_is_in_the_bucket_that_ends_where_it_does_or_above(value: float) -> None:
    index = bucket_of(value)
    assert upper(index - 1) * (1 - 1e-12) <= value <= upper(index) * (1 + 1e-12)


@pytest.mark.parametrize("power", range(-29, 60))
def test_a_power_of_two_ends_its_bucket(power: int) -> None:
    assert upper(bucket_of(2.0**power)) == 2.0**power
    assert Histogram([2.0**power, 2.0**power * 1.01]).below(2.0**power) == 1


def test_what_is_too_small_or_large_is_in_the_outermost_buckets() -> None:
    assert [bucket_of(value) for value in (0, 1e-300, 1e300)] == [LOWEST, LOWEST, HIGHEST]
    assert Histogram([0, 0]).quantile(0.5) == 0
    assert Histogram().quantile(0.5) is None and Histogram().mean is None
    assert Histogram([1, 2, 6]).mean == 3


def test_it_says_what_it_holds() -> None:
    assert repr(Histogram([1, 2.5])) == "Histogram(2 values, sum 3.5)"
    assert Histogram([1]) != 1


@pytest.mark.parametrize(
    "plain",
    [{}, {"buckets": []}, {"buckets": 3, "total": "0"}, {"buckets": [[1]], "total": "0"},
     {"buckets": [[1, -1]], "total": "0"}, {"buckets": [[10**6, 1]], "total": "0"},
     {"buckets": [["1", 1]], "total": "0"}, {"buckets": [], "total": "much"}, []],
)  # fmt: skip
def test_what_is_no_histogram_is_refused(plain: object) -> None:
    with pytest.raises(MetricError, match="is no histogram") as refused:
        Histogram.of(plain)  # type: ignore[arg-type]
    assert refused.value.reason == "InvalidHistogram"
