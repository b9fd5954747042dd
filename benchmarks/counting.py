"""What it costs to count and to be measured: ``python -m benchmarks.counting``.

CPU of one call of each instrument, and of one no-op operation in memory with and without metrics, in turns so that a
neighbour disturbs both alike. With ``--lines`` the lines of Python executed are counted, which nothing disturbs.
Neighbour: `drivers.meter`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Callable

import tidemill
from benchmarks.drivers.meter import Meter
from tidemill import metrics
from tidemill.metrics.calls import calling
from tidemill.metrics.series import Recorder

__all__ = ["INSTRUMENTS", "WANTED", "instrument", "operations"]

WANTED = 2.0
"""Microseconds that a call may take at most."""
TURNS = 9
NUMBER = tidemill.Definition("number", "int")
_PAGES = metrics.counter("pages_total", "Pages")
_STATUS = metrics.counter("statuses_total", "Pages by status", "status")
_ITEMS = metrics.gauge("queue_items", "Items that wait")
_SIZES = metrics.histogram("page_bytes", "Sizes of pages")

INSTRUMENTS: dict[str, Callable[[], None]] = {
    "counter": lambda: _PAGES.inc(),
    "counter with a label": lambda: _STATUS.inc(status="200"),
    "gauge": lambda: _ITEMS.set(3),
    "histogram": lambda: _SIZES.observe(1234),
    "progress": lambda: metrics.progress(3, 10),
}
"""One use of each."""


@tidemill.op(name="nothing", inputs={"number": NUMBER}, outputs={})
async def nothing(number: int) -> None:
    """Do nothing."""


def instrument(name: str, many: int, *, lines: bool = False) -> float:
    """Return the seconds of CPU, or the lines, of one use of an instrument."""
    use = INSTRUMENTS[name]
    with calling(Recorder().scope("dataflow", "operation")):
        use()
        meter = Meter(lines)
        meter.begin()
        for _ in range(many):
            use()
        found = meter.end()
    return float(found["lines" if lines else "cpu"]) / many


async def operations(many: int, *, measured: bool, lines: bool = False) -> float:
    """Return the seconds of CPU, or the lines, of one operation of a run."""
    async with tidemill.MemoryOrchestrator(metrics=measured) as orchestrator:
        async with orchestrator(tidemill.DataFlow(nothing)) as octx:
            meter = Meter(lines)
            meter.begin()
            async for outcome in octx.outcomes([tidemill.Input(number, NUMBER) for number in range(many)]):
                assert outcome.parameter_sets == many
            return float(meter.end()["lines" if lines else "cpu"]) / many


def main() -> int:
    """Print a table, or with ``--json`` the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=20_000, help="uses, and operations, of a turn")
    parser.add_argument("--lines", action="store_true", help="count lines of Python instead of microseconds")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    factor = 1.0 if asked.lines else 1e6
    turns = 1 if asked.lines else TURNS
    found = {
        name: factor * min(instrument(name, asked.many, lines=asked.lines) for _ in range(turns))
        for name in INSTRUMENTS
    }
    runs: dict[str, list[float]] = {"operation, not measured": [], "operation, measured": []}
    for _ in range(turns):
        for name, measured in zip(runs, (False, True), strict=True):
            runs[name].append(factor * asyncio.run(operations(asked.many, measured=measured, lines=asked.lines)))
    found |= {name: statistics.median(values) for name, values in runs.items()}
    if asked.json:
        print(json.dumps(found))
        return 0
    for name, cost in found.items():
        late = " (more than wanted)" if not asked.lines and name in INSTRUMENTS and cost > WANTED else ""
        print(f"{name:<24} {cost:8.2f} {'lines' if asked.lines else 'µs'}{late}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
