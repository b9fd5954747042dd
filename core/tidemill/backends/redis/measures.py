"""What was counted and measured, in the store: processes add what they have, and whoever looks on reads the sums.

A data flow has one hash, with a number for each counter, gauge and bucket of a histogram. Neighbours:
`functions/measuring.lua`, `metrics.series`, and whoever runs a pump.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from redis.exceptions import RedisError

from tidemill.backends.redis.client import Client
from tidemill.errors import StoreError
from tidemill.metrics.histograms import UNIT, Histogram
from tidemill.metrics.series import Recorder

__all__ = ["EVERY", "KEPT", "RedisMeasures"]

EVERY = 5.0
"""Seconds between two times that a process says what it has measured."""
KEPT = 14 * 86400
"""Seconds that what was measured of a data flow is kept after the last time that somebody has added to it."""
AT_ONCE = 200
"""Numbers that one call adds."""
FAREWELL = 2.0
"""Seconds that the store has in the end to take what is left."""
SUM = "sum"

Told = Callable[[list[list[Any]]], None]

logger = logging.getLogger("tidemill.metrics")


class RedisMeasures:
    """The sums in one store."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._adding: set[asyncio.Task[None]] = set()

    async def add(self, taken: Iterable[Any]) -> None:
        """Add what a recorder has given out (`Recorder.take`). What the store does not take is lost, and logged."""
        by_flow: dict[str, list[list[Any]]] = {}
        for row in taken:
            if row[4]:  # of a data flow
                by_flow.setdefault(row[4], []).extend(_numbers(row))
        for dataflow, numbers in by_flow.items():
            for at in range(0, len(numbers), AT_ONCE):
                try:
                    left = await self._client.call("measure", dataflow, KEPT, *numbers[at : at + AT_ONCE])
                except (RedisError, OSError, StoreError) as error:
                    logger.warning("what was measured is not in the store: %s: %s", type(error).__name__, error)
                    return
                if left:
                    logger.warning("the store has no room for %d numbers that %s has counted", left, dataflow)

    async def read(self, dataflow: str) -> Recorder:
        """Return all that was measured of the data flow that metrics name so."""
        found = Recorder()
        found.merge(_rows(dataflow, [pair async for pair in self._fields(dataflow)]))
        return found

    async def since(self, before: Mapping[str, Mapping[str, str]]) -> Recorder:
        """Return what was measured of data flows since `numbers` returned what it did; gauges as they are now."""
        found = Recorder()
        for dataflow, first in before.items():
            now = await self.numbers(dataflow)
            found.merge(_rows(dataflow, _grown(first, now)))
        return found

    async def numbers(self, dataflow: str) -> dict[str, str]:
        """Return what is kept of a data flow, for `since`."""
        return {field: number async for field, number in self._fields(dataflow)}

    async def _fields(self, dataflow: str) -> AsyncIterator[tuple[str, str]]:
        cursor, seen = "0", set()
        while True:
            answer = await self._client.call("measured", dataflow, cursor)
            for field, number in zip(answer[1][::2], answer[1][1::2], strict=True):
                if field not in seen:
                    seen.add(field)
                    yield field.decode(), number.decode()
            cursor = answer[0].decode()
            if cursor == "0":
                return

    @contextlib.asynccontextmanager
    async def adding(self, recorder: Recorder, also: Told | None = None) -> AsyncIterator[None]:
        """Add what a recorder has, now and then for as long as this is entered, and once more when it is left.

        ``also`` is called with what is added.
        """
        ending = asyncio.Event()

        async def add() -> None:
            last = False
            while not last:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY):
                        await ending.wait()
                last = ending.is_set()
                await self.add_from(recorder, also)

        task = asyncio.create_task(add())
        try:
            yield
        finally:
            ending.set()
            await asyncio.wait([task], timeout=FAREWELL)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def add_from(self, recorder: Recorder, also: Told | None = None) -> None:
        """Add what a recorder has now; see `adding`. Whoever does not wait for it loses nothing: it goes on."""
        taken = recorder.take()
        if also is not None and taken:
            also(taken)
        task = asyncio.create_task(self.add(taken))
        self._adding.add(task)
        task.add_done_callback(self._adding.discard)
        await asyncio.shield(task)


def _numbers(row: list[Any]) -> list[list[Any]]:
    """Return what is to be done to the fields of the hash."""
    name, kind, _, labels, _, operation, values, value = row
    series = json.dumps([name, kind, operation, labels, values], separators=(",", ":"))
    if kind != "histogram":
        return [[f"{series}\n", "=" if kind == "gauge" else "+", repr(value)]]
    found = Histogram.of(value)
    numbers = [[f"{series}\n{index}", "+", str(many)] for index, many in sorted(found.buckets.items())]
    return [*numbers, [f"{series}\n{SUM}", "+", repr(found.sum)]]


def _rows(dataflow: str, fields: Iterable[tuple[str, str]]) -> Iterable[list[Any]]:
    """Return what fields of the hash say, for `Recorder.merge`."""
    rows: dict[str, list[Any]] = {}
    for raw, number in fields:
        series, _, part = raw.partition("\n")
        try:
            name, kind, operation, labels, values = json.loads(series)
            row = rows.setdefault(series, [name, kind, "", labels, dataflow, operation, values, None])
            if kind == "histogram":
                row[7] = row[7] or {"buckets": [], "total": "0"}
                if part == SUM:
                    row[7]["total"] = str(round(float(number) * UNIT))
                else:
                    row[7]["buckets"].append([int(part), round(float(number))])
            else:
                value = float(number)
                row[7] = int(value) if value.is_integer() else value
        except ValueError as error:  # somebody else has written there
            logger.warning("%r is nothing that was measured: %s", raw, error)
    return rows.values()


def _grown(before: Mapping[str, str], now: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the fields that have grown, by how much, and those that are no sums as they are."""
    for field, number in now.items():
        try:
            kind = json.loads(field.partition("\n")[0])[1]
            more = Decimal(number) - Decimal(before.get(field, "0"))
        except (ArithmeticError, LookupError, TypeError, ValueError):
            yield field, number  # which is told where it is read
            continue
        if kind == "gauge" or more < 0:  # what is less than it was has begun anew
            yield field, number
        elif more:
            yield field, str(more)
