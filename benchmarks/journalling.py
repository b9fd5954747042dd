"""What a journal costs: ``python -m benchmarks.journalling [--store]``.

CPU of one no-op operation without a journal, with one, with one that is read to the end, and with metrics beside it:
in turns, so that a neighbour disturbs all alike, and as ratios to the first. With ``--store`` the same over a store of
this machine, its CPU included; with ``--lines`` the lines of Python are counted, which nothing disturbs. Neighbours:
`counting`, `drivers.meter`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Sequence
from typing import Any

import tidemill
from benchmarks.drivers.meter import Meter
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.journal.event import LIMIT, Event
from tidemill.journal.kept import Journal

__all__ = ["IN_MEMORY", "OVER_A_STORE", "WANTED", "in_memory", "over_a_store"]

WANTED = 1.15
"""What an operation may cost with journal and metrics, as a multiple of what it costs without."""
TURNS = 7
NUMBER = tidemill.Definition("number", "int")
OFF, ON, READ, ALL = "off", "journal", "journal, read", "journal and metrics"
IN_MEMORY = (OFF, ON, READ, ALL)
OVER_A_STORE = (OFF, ON)


@tidemill.op(name="nothing", inputs={"number": NUMBER}, outputs={})
async def nothing(number: int) -> None:
    """Do nothing."""


def _journal(how: str) -> Journal | None:
    def taken(events: Sequence[Event]) -> None:
        """Take events that are made, and drop them."""

    return None if how == OFF else Journal(sink=taken) if how == READ else Journal()


async def _run(octx: Any, many: int) -> None:
    inputs = [tidemill.Input(number, NUMBER) for number in range(many)]
    async for outcome in octx.outcomes(inputs):
        assert outcome.parameter_sets == many


async def in_memory(how: str, many: int, *, lines: bool = False) -> float:
    """Return the seconds of CPU, or the lines, of one operation of a run in this process."""
    chosen = tidemill.MemoryOrchestrator(metrics=how == ALL, journal=_journal(how))
    async with chosen as orchestrator, orchestrator(tidemill.DataFlow(nothing)) as octx:
        meter = Meter(lines)
        meter.begin()
        await _run(octx, many)
        return float(meter.end()["lines" if lines else "cpu"]) / many


async def over_a_store(how: str, many: int, url: str) -> float:
    """Return the seconds of CPU, of this process and of the server, of one operation of a run over a store."""
    journal = LIMIT if how == ON else None
    chosen = tidemill.RedisOrchestrator(url, durability="none", prefix=f"b{how}", journal=journal)
    async with chosen as orchestrator, orchestrator(tidemill.DataFlow(nothing)) as octx:
        server = octx.backend.client.redis
        await _run(octx, 10)
        before = await _used(server)
        meter = Meter()
        meter.begin()
        await _run(octx, many)
        cpu = float(meter.end()["cpu"]) + await _used(server) - before
        await octx.backend.journals.forget(*await octx.backend.journals.names())
        return cpu / many


async def _used(server: Any) -> float:
    said = await server.info("cpu")
    return float(said["used_cpu_user"]) + float(said["used_cpu_sys"])


def _measured(asked: argparse.Namespace) -> dict[str, float]:
    """Return what an operation costs in each way: the median of all turns."""
    ways = OVER_A_STORE if asked.store else IN_MEMORY
    found: dict[str, list[float]] = {how: [] for how in ways}
    turns = 1 if asked.lines else TURNS
    if asked.store:
        with EmbeddedStore(durability="none") as store:
            for _ in range(turns):
                for how in ways:
                    found[how].append(1e6 * asyncio.run(over_a_store(how, asked.many, store.url)))
    else:
        factor = 1.0 if asked.lines else 1e6
        for _ in range(turns):
            for how in ways:
                found[how].append(factor * asyncio.run(in_memory(how, asked.many, lines=asked.lines)))
    return {how: statistics.median(values) for how, values in found.items()}


def main() -> int:
    """Print a table, or with ``--json`` the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=10_000, help="operations of a turn")
    parser.add_argument("--store", action="store_true", help="over a store of this machine instead of in memory")
    parser.add_argument("--lines", action="store_true", help="count lines of Python instead of microseconds")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    found = _measured(asked)
    if asked.json:
        print(json.dumps(found))
        return 0
    unit = "lines" if asked.lines else "µs"
    for how, cost in found.items():
        ratio = cost / found[OFF]
        late = f" (wanted: {WANTED:.2f})" if how == ALL and ratio > WANTED else ""
        print(f"{how:<20} {cost:8.2f} {unit}  {ratio:5.2f}{late}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
