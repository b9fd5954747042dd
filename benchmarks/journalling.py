"""What a journal and metrics cost: ``python -m benchmarks.journalling [--store]``.

CPU of one no-op operation without either, with each, with both, and with a journal that is read to the end; as ratios
to the first, of many operations in one context and of chains of three in contexts of their own. Each is the median
of fresh processes, which take turns, every second round backwards, so that a neighbour disturbs all alike. With
``--store`` what a journal costs over a store of this machine, its CPU included; with ``--lines`` the lines of Python
are counted, which nothing disturbs. Neighbours: `counting`, `drivers.meter`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tidemill
from benchmarks.drivers.meter import Meter
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.journal.event import LIMIT, Event
from tidemill.journal.kept import Journal

__all__ = ["CASES", "IN_MEMORY", "OVER_A_STORE", "WANTED", "in_memory", "over_a_store"]

WANTED = 1.15
"""What an operation may cost with journal and metrics, as a multiple of what it costs without."""
TURNS = 9
NUMBER, MORE, MOST = (tidemill.Definition(name, "int") for name in ("number", "more", "most"))
OFF, MEASURED, ON, READ, ALL = "off", "metrics", "journal", "journal, read", "journal and metrics"
IN_MEMORY = (OFF, MEASURED, ON, READ, ALL)
OVER_A_STORE = (OFF, ON)
OPERATIONS, CHAINS = "operations", "chains"
CASES = {OPERATIONS: "operations in one context", CHAINS: "operations in chains of three, each in a context"}


@tidemill.op(name="nothing", inputs={"number": NUMBER}, outputs={})
async def nothing(number: int) -> None:
    """Do nothing."""


@tidemill.op(name="first", inputs={"number": NUMBER}, outputs={"more": MORE})
async def first(number: int) -> dict[str, int]:
    """Give what it is given."""
    return {"more": number}


@tidemill.op(name="second", inputs={"more": MORE}, outputs={"most": MOST})
async def second(more: int) -> dict[str, int]:
    """Give what it is given."""
    return {"most": more}


@tidemill.op(name="third", inputs={"most": MOST}, outputs={})
async def third(most: int) -> None:
    """Do nothing."""


def _journal(how: str) -> Journal | None:
    def taken(events: Sequence[Event]) -> None:
        """Take events that are made, and drop them."""

    if how in (OFF, MEASURED):
        return None
    return Journal(sink=taken) if how == READ else Journal()


async def _run(octx: Any, many: int, case: str = OPERATIONS) -> None:
    inputs = [tidemill.Input(number, NUMBER) for number in range(many if case == OPERATIONS else many // 3)]
    sets = [inputs] if case == OPERATIONS else [[one] for one in inputs]
    called = 0
    async for outcome in octx.outcomes(*sets):
        called += outcome.parameter_sets
    assert called == len(inputs) * (1 if case == OPERATIONS else 3)


async def in_memory(how: str, many: int, case: str = OPERATIONS, *, lines: bool = False) -> float:
    """Return the seconds of CPU, or the lines, of one operation of a run in this process."""
    chosen = tidemill.MemoryOrchestrator(metrics=how in (MEASURED, ALL), journal=_journal(how))
    flow = tidemill.DataFlow(nothing) if case == OPERATIONS else tidemill.DataFlow(first, second, third)
    async with chosen as orchestrator, orchestrator(flow) as octx:
        await _run(octx, 30, case)
        meter = Meter(lines)
        meter.begin()
        await _run(octx, many, case)
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


def _over_a_store(many: int, turns: int) -> dict[str, float]:
    """Return what an operation costs over a store in each way."""
    found: dict[str, list[float]] = {how: [] for how in OVER_A_STORE}
    with EmbeddedStore(durability="none") as store:
        for _ in range(turns):
            for how in OVER_A_STORE:
                found[how].append(1e6 * asyncio.run(over_a_store(how, many, store.url)))
    return {how: statistics.median(values) for how, values in found.items()}


def _in_processes(case: str, many: int, turns: int) -> dict[str, float]:
    """Return what an operation costs in memory in each way: the median of processes that take turns."""
    found: dict[str, list[float]] = {how: [] for how in IN_MEMORY}
    for turn in range(turns):
        for how in IN_MEMORY if turn % 2 == 0 else reversed(IN_MEMORY):
            found[how].append(1e6 * _in_a_process(how, many, case))
    return {how: statistics.median(values) for how, values in found.items()}


def _in_a_process(how: str, many: int, case: str) -> float:
    command = [sys.executable, "-m", "benchmarks.journalling", "--only", how, "--case", case, "--many", str(many)]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def _measured(asked: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return what an operation costs, by case and way."""
    if asked.store:
        return {OPERATIONS: _over_a_store(asked.many, asked.turns)}
    cases = [asked.case] if asked.case else list(CASES)
    if asked.lines:
        return {
            case: {how: asyncio.run(in_memory(how, asked.many, case, lines=True)) for how in IN_MEMORY}
            for case in cases
        }
    return {case: _in_processes(case, asked.many, asked.turns) for case in cases}


def _print(case: str, found: dict[str, float], unit: str) -> None:
    print(CASES[case])
    for how, cost in found.items():
        print(f"  {how:<20} {cost:8.2f} {unit}  {cost / found[OFF]:5.2f}")
    if ALL in found:
        more = 100 * (found[ALL] / found[OFF] - 1)
        met = "met" if found[ALL] <= WANTED * found[OFF] else "not met"
        print(f"  goal: journal and metrics add {100 * (WANTED - 1):.0f} % at most: {met} ({more:+.1f} % {unit})")


def main() -> int:
    """Print a table for each case and whether its goal is met, or with ``--json`` the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=9_000, help="operations of a turn")
    parser.add_argument("--turns", type=int, default=TURNS, help="how often each way is measured")
    parser.add_argument("--case", choices=sorted(CASES), help="this one only")
    parser.add_argument("--store", action="store_true", help="over a store of this machine instead of in memory")
    parser.add_argument("--lines", action="store_true", help="count lines of Python instead of microseconds")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", choices=IN_MEMORY, help="print the seconds of one operation in this way, once")
    asked = parser.parse_args()
    if asked.only:
        print(asyncio.run(in_memory(asked.only, asked.many, asked.case or OPERATIONS)))
        return 0
    found = _measured(asked)
    if asked.json:
        print(json.dumps(found))
        return 0
    for case, costs in found.items():
        _print(case, costs, "lines" if asked.lines else "µs of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
