"""What a stub says of one call of its operation, before anybody runs it. Neighbour: `tidemill.estimating`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tidemill.errors import MetricError, shown

__all__ = ["NOTHING", "Estimate"]


class _Nothing:
    """Stands for outputs that a stub does not say."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one call is expected to need: ``seconds``, bytes of ``memory``, and what it gives.

    ``outputs`` is what the operation would return: the value itself or a mapping, as its code does it. ``items`` is for
    an operation with one list that is expanded: how many elements it has, where their values do not matter.

    Raises `MetricError` (InvalidEstimate) for a number that is negative or no number.
    """

    seconds: float | None = None
    memory: float | None = None
    outputs: Any = NOTHING
    items: int | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "memory", "items"):
            value = getattr(self, name)
            if value is None:
                continue
            whole = name != "items" or isinstance(value, int)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf or not whole:
                kind = "whole number" if name == "items" else "number"
                said = f"the estimate of {name} is {shown(value)}, expected a {kind} of 0 or more, or None if unknown"
                raise MetricError(said, reason="InvalidEstimate", path=name)
