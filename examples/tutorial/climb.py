"""Climb the ladder: measure the rungs, write what was measured as JSON lines, print the table, draw the plots.

`make tutorial` starts this file. The measuring is a data flow of its own: see `measuring.py`.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ladder.measure import ON_A_CLUSTER, RUNGS, available
from ladder.plots import draw
from measuring import contexts, flow
from rich.console import Console
from rich.table import Table

from tidemill import MemoryOrchestrator

__all__ = ["main", "measured", "show", "written"]

FOLDER = Path(__file__).resolve().parent
COUNTS = (1, 10, 100, 1000)
LATENCIES = (0.01, 0.1)


async def measured(latencies: Sequence[float], counts: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
    """Measure and return the table, a row for each run of a rung."""
    rows: list[dict[str, Any]] = []
    async with MemoryOrchestrator(max_ctxs=1) as orchestrator:  # one site at a time
        async with orchestrator(flow()) as octx:
            async for _, result in octx.run(*contexts(latencies, counts, names)):
                rows += result["measurement"]
    return rows


def written(rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write the measurements as JSON lines and all plots into a folder, and return the paths of the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "measurements.jsonl").write_text(lines, encoding="utf-8")
    return draw(rows, folder)


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table("rung", "requests", "latency", "seconds", "files/s", "CPU s", "MiB", "failed", box=None)
    for row in sorted(
        rows, key=lambda row: (row["latency"], row["requests"], [*RUNGS, *ON_A_CLUSTER].index(row["rung"]))
    ):
        seconds, cpu, memory = f"{row['seconds']:.2f}", f"{row['cpu']:.2f}", f"{row['memory'] / 2**20:.0f}"
        cells = row["rung"], row["requests"], row["latency"], seconds, f"{row['rate']:.1f}", cpu, memory, row["failed"]
        table.add_row(*map(str, cells))
    Console(width=100, highlight=False).print(table)


def main() -> None:
    """Read the command line, measure, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, nargs="+", default=COUNTS, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--latency", type=float, nargs="+", default=LATENCIES, metavar="S", help="(default: %(default)s)"
    )
    parser.add_argument("--rungs", nargs="+", choices=[*RUNGS, *ON_A_CLUSTER], metavar="NAME")
    parser.add_argument("--into", type=Path, default=FOLDER / "measured", help="folder to write into")
    given = parser.parse_args()
    rungs = given.rungs or available()
    for name in ON_A_CLUSTER.keys() - rungs if given.rungs is None else ():
        print(f"the rung {name} is left out: kubectl reaches no cluster with Tidemill in it")
    rows = asyncio.run(measured(given.latency, given.requests, rungs))
    paths = written(rows, given.into)
    show(rows)
    for path in paths:
        print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    main()
