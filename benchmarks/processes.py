"""Runs one cell of the catalogue in a fresh process and reads what it measured."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.catalogue import DFFML, TIDEMILL, Cell

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Sample:
    """What one run took. `problem` says why there is no result; `cpu` and `wall` are then what it took until there."""

    case: str
    system: str
    n: int
    units: int
    cpu: float
    """User and system seconds."""
    wall: float
    first: float
    """Seconds until the first context's result."""
    memory: int
    """Bytes that the run added to what was resident."""
    load: float
    """Load average of the machine when it began."""
    version: str = ""
    python: str = ""
    problem: str = ""


def command(cell: Cell, peer: str | None) -> list[str]:
    """The driver's command line. `peer` is the interpreter that has DFFML."""
    if cell.system in (TIDEMILL, DFFML):
        python = sys.executable if cell.system == TIDEMILL else str(peer)
        driver = ["benchmarks.drivers.flows", cell.system, cell.case.workload, str(cell.n), "--kind", cell.case.kind]
    else:
        python = sys.executable
        driver = ["benchmarks.drivers.floor", cell.system, cell.case.workload, str(cell.n)]
    return [python, "-m", *driver]


def environment() -> dict[str, str]:
    """The same for every run: no paths from outside, one order of sets and dictionaries, no warnings."""
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**plain, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}


def measure(cell: Cell, peer: str | None, timeout: float) -> Sample:
    """One run of a cell, ended after `timeout` seconds."""
    load, began, before = os.getloadavg()[0], time.perf_counter(), _children()
    problem, measures = _run(command(cell, peer), timeout)
    if problem:
        measures = {"cpu": _children() - before, "wall": time.perf_counter() - began, "first": 0.0, "memory": 0}
        measures["problem"] = problem
    measures.pop("lines", None)
    return Sample(cell.case.name, cell.system, cell.n, cell.units, load=load, **measures)


def _run(arguments: list[str], timeout: float) -> tuple[str, dict[str, Any]]:
    """(why there is no result, the measures): one of the two is empty."""
    try:
        done = subprocess.run(
            arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not done after {timeout:.0f} s", {}
    if done.returncode != 0:
        return _cause(done.stderr) or f"exit code {done.returncode}", {}
    return "", json.loads(done.stdout.splitlines()[-1])


def _cause(stderr: str) -> str:
    """The first exception of a chain of tracebacks, on one line; without one, the last line."""
    lines = stderr.strip().splitlines()
    exceptions = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return next(iter(exceptions or lines[-1:]), "").replace("|", "/")[:200]


def _children() -> float:
    """CPU seconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def start_up(arguments: list[str]) -> tuple[float, float] | None:
    """(CPU, wall) seconds of a whole command; None when it does not exist or fails."""
    began, before = time.perf_counter(), _children()
    try:
        done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else (_children() - before, time.perf_counter() - began)
