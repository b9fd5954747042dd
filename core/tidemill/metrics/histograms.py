"""Histograms that merge: the buckets are the same everywhere, so to merge is to add.

A bucket is a power of two cut in four: bucket ``i`` holds what is above ``2**((i - 1) / 4)`` and at most
``2**(i / 4)``. The sum is kept as a whole number of billionths, so adding is exact, in any order. Neighbours: `series`
keeps them, `exposition` shows them to Prometheus.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tidemill.errors import MetricError, shown

__all__ = ["ERROR", "Histogram", "bucket_of", "upper"]

STEPS = 4
"""Buckets of a doubling."""
LOWEST, HIGHEST = -30 * STEPS, 60 * STEPS
"""The first and the last bucket: a billionth, and an exabyte; what is below or above is in them."""
ERROR = 2 ** (0.5 / STEPS) - 1
"""How wrong a quantile may be, as a part of it: half a bucket, 9.1 %."""
UNIT = 10**9
"""Parts of one in which sums are counted."""
_FIRST, _SECOND, _THIRD = 2**-0.75, 2**-0.5, 2**-0.25


def bucket_of(value: float) -> int:
    """Return the bucket of a value."""
    if value <= 0:
        return LOWEST
    part, exponent = math.frexp(value)  # from 0.5 to below 1; by comparing, as a logarithm costs three times as much
    index = STEPS * exponent - (
        0 if part > _THIRD else 1 if part > _SECOND else 2 if part > _FIRST else 3 if part > 0.5 else 4
    )
    return LOWEST if index < LOWEST else HIGHEST if index > HIGHEST else index


def upper(index: int) -> float:
    """Return the largest value of a bucket."""
    return float(2 ** (index / STEPS))


class Histogram:
    """Values, by bucket: ``buckets`` has how many are in each that has any, ``total`` their sum in billionths."""

    __slots__ = ("buckets", "total")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.buckets: dict[int, int] = {}
        self.total = 0
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        """Take a value in; it has to be finite, and 0 or more."""
        index = bucket_of(value)
        self.buckets[index] = self.buckets.get(index, 0) + 1
        self.total += round(value * UNIT)

    def extend(self, billionths: list[int]) -> None:
        """Take many values in, whole numbers of billionths: sorted, which is much the cheapest way to count them."""
        billionths.sort()
        at, end, buckets = 0, len(billionths), self.buckets
        while at < end:
            index = bucket_of(billionths[at] / UNIT)
            following = bisect.bisect_right(billionths, upper(index) * UNIT, at + 1)
            buckets[index] = buckets.get(index, 0) + following - at
            at = following
        self.total += sum(billionths)

    def merge(self, other: Histogram) -> None:
        """Take all values of another in."""
        for index, many in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + many
        self.total += other.total

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.buckets.values())

    @property
    def sum(self) -> float:
        """The sum of the values."""
        return self.total / UNIT

    @property
    def mean(self) -> float | None:
        """The mean of the values; None without any."""
        count = self.count
        return self.total / UNIT / count if count else None

    def quantile(self, part: float) -> float | None:
        """Return the value that ``part`` (0 to 1) of the values do not pass, as wrong as `ERROR` says; None without
        any."""
        rank, seen = max(1, math.ceil(part * self.count)), 0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen >= rank:
                return 0.0 if index == LOWEST else float(2 ** ((index - 0.5) / STEPS))
        return None

    def below(self, value: float) -> int:
        """Return how many values are ``value`` or less, where that is the end of a bucket: a power of two."""
        last = bucket_of(value)
        return sum(many for index, many in self.buckets.items() if index <= last)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for JSON and msgpack."""
        pairs = [[index, self.buckets[index]] for index in sorted(self.buckets)]
        return {"buckets": pairs, "total": str(self.total)}  # a number of 64 bits may be too short

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Histogram:
        """Return the histogram of what `plain` returned. Raises `MetricError` (InvalidHistogram) for what is none."""
        made = cls()
        try:
            made.total = int(plain["total"])
            for index, many in plain["buckets"]:
                if type(index) is not int or not LOWEST <= index <= HIGHEST or type(many) is not int or many < 0:
                    raise ValueError(f"a bucket is [{shown(index)}, {shown(many)}]")
                made.buckets[index] = made.buckets.get(index, 0) + many
        except (KeyError, TypeError, ValueError) as error:
            said = (
                f"{shown(plain)} is no histogram: {type(error).__name__}: {error}; expected "
                f'{{"buckets": [[number from {LOWEST} to {HIGHEST}, how many]…], "total": "billionths"}}'
            )
            raise MetricError(said, reason="InvalidHistogram") from error
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and (self.buckets, self.total) == (other.buckets, other.total)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Histogram({self.count} values, sum {self.sum:g})"
