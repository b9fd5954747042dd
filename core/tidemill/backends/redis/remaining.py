"""How long what a store has ready and leased will still take: what workers have measured there says so.

Neighbours: `overview` (what is left), `measures` (how long calls take), `metrics.remaining` (the sum).
"""

from __future__ import annotations

import time

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.measures import RedisMeasures
from tidemill.backends.redis.overview import Overview
from tidemill.metrics.histograms import Histogram
from tidemill.metrics.remaining import durations, seconds_left
from tidemill.runtime.measuring import short

__all__ = ["Remaining"]

FRESH = 10.0
"""Seconds for which what was measured is not read again."""


class Remaining:
    """Says it for one store, again and again."""

    def __init__(self, client: Client) -> None:
        self._measures = RedisMeasures(client)
        self._known: dict[str, tuple[float, dict[str, Histogram]]] = {}

    async def tell(self, overview: Overview) -> None:
        """Say in an overview how long what is left will take; nothing where it was not measured, or nobody works."""
        left: dict[str, int] = {}
        measured: dict[str, Histogram] = {}
        for one in overview.operations:
            counts = one.counts
            many = counts.dispatched - counts.completed - counts.failed - counts.retried
            if many > 0:
                name = f"{one.plan} {one.instance}"  # operations of several data flows may have one name
                left[name] = many
                if (found := (await self._of(one.plan)).get(one.instance)) is not None:
                    measured[name] = found
        overview.left = seconds_left(left, measured, overview.slots) if left else None

    async def _of(self, plan: str) -> dict[str, Histogram]:
        at, found = self._known.get(plan, (0.0, {}))
        if not at or time.monotonic() - at > FRESH:
            found = durations(await self._measures.read(short(plan)))
            self._known[plan] = (time.monotonic(), found)
        return found
