"""Judge packages: names, wheels, sdists, or installed distributions; ten well-known ones when none are given.

`make run` starts this file. The exit code says whether the run worked, not what the verdicts are.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import distributions

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from shouldi import index, operations, table, verdict
from shouldi.dataflow import DATAFLOW

from tidemill import Input, MemoryOrchestrator

TEN = ("attrs", "certifi", "click", "colorama", "docopt", "idna", "jinja2", "packaging", "requests", "tabulate")
PROBE = "packaging"
THRESHOLDS = {
    "grave": (int, "grave bandit findings above which it is a no"),
    "average": (float, "average complexity above which it is a maybe"),
    "worst": (float, "complexity of one block above which it is a maybe"),
    "vulnerabilities": (int, "known vulnerabilities above which it is a no"),
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ends the program with exit code 2 when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Should I install this package? Ten well-known ones are judged when none is named.",
        epilog="examples: run.py colorama   run.py tomli==2.0.1 dist/mine.whl installed:rich   run.py --json click",
    )
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="NAME, NAME==VERSION, a file, installed:NAME")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    parser.add_argument("--offline", action="store_true", help="use no network: judge what is installed")
    parser.add_argument("--notes", action="store_true", help="also print what changes no verdict")
    defaults = verdict.Thresholds()
    for name, (kind, text) in THRESHOLDS.items():
        parser.add_argument(f"--max-{name}", type=kind, metavar="N", help=f"{text} ({getattr(defaults, name):g})")
    options = parser.parse_args(arguments)
    options.thresholds = {n: v for n in THRESHOLDS if (v := getattr(options, f"max_{n}")) is not None}
    try:
        verdict.Thresholds.of(options.thresholds)
    except ValueError as error:
        parser.error(str(error))
    return options


def installed_ten() -> list[str]:
    """The first ten installed distributions, but for the one that runs this."""
    found = sorted({found.name.lower() for found in distributions() if found.name} - {"tidemill"})
    return [f"installed:{name}" for name in found[: len(TEN)]]


def choose(packages: Sequence[str], offline: bool) -> tuple[list[str], str | None]:
    """The packages to judge, and why they are not the usual ten when they were expected to be."""
    if packages:
        return list(dict.fromkeys(packages)), None
    if offline:
        return installed_ten(), "no network was to be used, so these ten are installed here"
    try:
        index.project_page(index.find_index(), PROBE)
    except index.IndexUnavailable as error:
        return installed_ten(), f"{error}; so these ten are installed here"
    return list(TEN), None


async def judge(packages: Sequence[str], *, offline: bool, thresholds: dict[str, float]) -> AsyncIterator[table.Row]:
    """Run the data flow, one context for each package, and give the rows as the contexts end."""
    sets = {
        package: [
            Input(value=package, definition=operations.PACKAGE),
            Input(value=offline, definition=operations.OFFLINE),
            Input(value=thresholds, definition=operations.THRESHOLDS),
        ]
        for package in packages
    }
    async with MemoryOrchestrator() as orchestrator, orchestrator(DATAFLOW) as running:
        async for outcome in running.outcomes(sets):
            if outcome.failure is not None:
                why = f"{outcome.failure.instance} failed ({outcome.failure.reason}): {outcome.failure.message}"
                yield table.failed_row(outcome.name, why, outcome.elapsed)
            else:
                yield table.row_of(outcome.name, outcome.result or {}, outcome.elapsed)


async def collect(packages: Sequence[str], options: argparse.Namespace, console: Console) -> list[table.Row]:
    """All rows, in the order of `packages`, with a progress bar where `console` is a terminal.

    A request to terminate cancels it, so that the cleanup stages run and no child process stays.
    """
    if task := asyncio.current_task():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rows: dict[str, table.Row] = {}
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("judging", total=len(packages))
        async for row in judge(packages, offline=options.offline, thresholds=options.thresholds):
            rows[row.package] = row
            progress.update(bar, advance=1, description=f"judged {row.package}")
    return [rows[package] for package in packages]


def show(rows: list[table.Row], options: argparse.Namespace) -> None:
    """Print the rows to standard output: JSON when asked for, else a table on a terminal, else plain lines."""
    if options.json:
        print(json.dumps([row.as_dict() for row in rows], indent=2, ensure_ascii=True))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        console.print(table.as_table(rows))
    else:
        print("\n".join(table.as_lines(rows)))
    reasons = table.reason_lines(rows, notes=options.notes)
    print("\n".join(["", *reasons]) if reasons else "", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Judge what the arguments name; 0 when every package has a verdict, 1 when an operation failed, 128 + signal."""
    options = parse(arguments)
    errors = Console(stderr=True, highlight=False, markup=False, emoji=False)
    packages, why = choose(options.packages, options.offline)
    if why:
        errors.print(why, soft_wrap=True)
    try:
        rows = asyncio.run(collect(packages, options, errors))
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        errors.print("stopped before all packages were judged")
        return 128 + (signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
    show(rows, options)
    return 1 if any(row.verdict == table.FAILED for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
