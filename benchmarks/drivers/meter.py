"""Measures one run inside its own process: CPU, wall clock, first result, memory. Python 3.8 syntax.

CPU is user + system time of this process. Memory is what the run added to the resident set: its peak minus what was
resident when it began. With `lines` it counts the lines of Python executed instead: a number that no neighbour on the
machine disturbs, and that grows with the work (it sees loops, not the insides of C functions).
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

PAGE = resource.getpagesize()


def cpu_seconds() -> float:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> int:
    """Bytes resident now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def reset_peak() -> None:
    """Starts the kernel's high-water mark anew, where it can be."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak() -> int:
    """Bytes resident at the highest since `reset_peak`. Not ru_maxrss: a child inherits that from its parent."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Meter:
    """`begin`, then `first` at the first result, then `end`, which returns the measures."""

    def __init__(self, lines: bool = False) -> None:
        self._count_lines = lines
        self._lines = 0
        self._first: float | None = None
        self._wall = self._cpu = 0.0
        self._resident = 0

    def begin(self) -> None:
        """From here it counts."""
        gc.collect()
        reset_peak()
        self._resident = resident()
        if self._count_lines:
            sys.settrace(self._trace)
        self._cpu = cpu_seconds()
        self._wall = time.perf_counter()

    def first(self) -> None:
        """A result is there; only the first one is noted."""
        if self._first is None:
            self._first = time.perf_counter() - self._wall

    def end(self) -> dict[str, Any]:
        """To here it counted: seconds, bytes, and the number of lines (None when they were not counted)."""
        wall = time.perf_counter() - self._wall
        cpu = cpu_seconds() - self._cpu
        sys.settrace(None)
        return {
            "cpu": cpu,
            "wall": wall,
            "first": wall if self._first is None else self._first,
            "memory": max(0, peak() - self._resident),
            "lines": self._lines if self._count_lines else None,
        }

    def _trace(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            self._lines += 1
        return self._trace


def report(measures: dict[str, Any]) -> None:
    """Prints the one line of JSON that a driver's starter reads, with the interpreter that ran it."""
    measures["python"] = ".".join(str(part) for part in sys.version_info[:3])
    sys.stdout.write(json.dumps(measures) + "\n")
