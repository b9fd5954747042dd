"""One rung measured from outside: time, processor and memory of it and of all that it starts.

Memory is the sum over all its processes of what belongs to them (PSS: pages that several share are counted once),
looked at many times a second; the highest sum is kept. Where the system does not tell PSS it is the resident size.
The site is not part of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from ladder.program import FOLDER

__all__ = ["ON_A_CLUSTER", "RUNGS", "Measurement", "available", "measure", "memory_of"]

RUNGS = {
    "serial": "r01_serial.py",
    "threads": "r02_threads.py",
    "processes": "r03_processes.py",
    "subprocess": "r04_subprocess.py",
    "event loop": "r05_event_loop.py",
    "director": "r06_director.py",
    "prev pointers": "r07_prev_pointers.py",
    "data flow": "r08_data_flow.py",
    "many workers": "r09_many_workers.py",
}
"""The programs of the rungs that need nothing but this machine, in their order."""

ON_A_CLUSTER = {"kubernetes": "r10_kubernetes.py"}
"""Those that need a cluster with Tidemill in it, the one that kubectl means; their site is there before they begin."""

_EVERY = 0.02
_LONGEST = 900.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run of a rung took. ``seconds`` and ``cpu`` are in seconds, ``memory`` is in bytes at its highest."""

    rung: str
    requests: int
    latency: float
    seconds: float
    cpu: float
    memory: int
    done: int
    failed: int

    @property
    def rate(self) -> float:
        """Files that came in a second."""
        return self.done / self.seconds

    def as_dict(self) -> dict[str, object]:
        """Return it as a line of the table."""
        return {**asdict(self), "rate": round(self.rate, 3)}


def memory_of(process: psutil.Process) -> int:
    """Return the bytes of memory that a process has and all that it has started."""
    total = 0
    try:
        tree = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for one in tree:
        try:
            total += _pss(one.pid) or one.memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue
    return total


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class _Watch(threading.Thread):
    """Looks at a process until it is told to stop, and keeps the highest memory."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.highest = 0
        self.ended = threading.Event()
        self._process = psutil.Process(pid)

    def run(self) -> None:
        while not self.ended.wait(_EVERY):
            self.highest = max(self.highest, memory_of(self._process))


def measure(rung: str, requests: int, latency: float, site: str, workers: int = 8) -> Measurement:
    """Run a rung against a site and return what it took. Raises `RuntimeError` if it says nothing in the end."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    command = [sys.executable, str(FOLDER / (RUNGS | ON_A_CLUSTER)[rung]), f"--requests={requests}"]
    if rung in ON_A_CLUSTER:
        subprocess.run(
            [*command, "--prepare", f"--latency={latency}"], env=environment, stdout=subprocess.DEVNULL, check=True
        )
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        [*command, f"--site={site}", f"--workers={workers}"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        try:
            out, _ = process.communicate(timeout=_LONGEST)
        finally:
            process.kill()
            watch.ended.set()
            watch.join()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    said = _last_line(out)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    elsewhere = said.get("elsewhere", {})
    return Measurement(
        rung,
        requests,
        latency,
        round(seconds, 4),
        round(cpu + elsewhere.get("cpu", 0), 4),
        watch.highest + elsewhere.get("memory", 0),
        int(said.get("done", 0)),
        int(said.get("failed", requests)),
    )


def available() -> list[str]:
    """Return the rungs that can be climbed here: those on a cluster only where kubectl reaches one with Tidemill."""
    there = False
    if shutil.which("kubectl"):
        command = ["kubectl", "--request-timeout=5s", "get", "customresourcedefinitions", "dataflows.tidemill.alt"]
        there = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return [*RUNGS, *(ON_A_CLUSTER if there else ())]


def _last_line(out: str) -> dict[str, Any]:
    """Return what a rung has said in the end; one that was ended by an error has said nothing."""
    lines = out.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        found = {}
    return found if isinstance(found, dict) else {}
