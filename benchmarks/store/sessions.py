"""A driver as whoever measures sees it: a process that is told what to do, one line for each command and answer.

Ours is `driver.py`; those of other engines speak the same words, so all are measured by these lines.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.store import meter
from benchmarks.store.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A driver could not do what it was told; the message is its own."""


@dataclass(frozen=True)
class Sample:
    """What one run of a workload took."""

    system: str
    workload: str
    n: int
    operations: int
    wall: float
    """Seconds."""
    roles: dict[str, float]
    """CPU seconds of client, server and workers."""
    bound: float
    """Seconds that two quiet cores would need at least."""
    others: float
    """The share of the machine that others used meanwhile."""
    load: float
    """Load average when it began."""
    p50: float | None = None
    """Seconds of a round trip, where these were taken."""
    p99: float | None = None
    resident: dict[str, int] = field(default_factory=dict)
    """Bytes by role when it had ended."""
    problem: str = ""
    """Why there is no result."""


def ours(durability: str = "none") -> list[str]:
    """The command line of our driver."""
    return [sys.executable, "-m", "benchmarks.store.driver", durability]


class Session:
    """A driver, from its start to its end."""

    def __init__(self, system: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.system = system
        log = None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONWARNINGS": "ignore", **(environment or {})},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        self.tree = meter.Tree(self._process.pid, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        below = self.tree.pids()[1:]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError), self._process.stdin as words:
            words.write('{"do": "quit"}\n')
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        for pid in below:  # what a driver that was killed has left behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ask(self, **command: Any) -> dict[str, Any]:
        """Tell the driver to do something and return its answer. Raises `Failed`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        answer = json.loads(line) if line else {"ok": False, "error": "the driver has died"}
        if not answer["ok"]:
            raise Failed(answer["error"])
        return dict(answer)

    def start(self, profile: str = "default") -> None:
        """Start the store and the workers. Raises `Failed`."""
        server = self.ask(do="start", profile=profile).get("server_pid")
        self.tree = meter.Tree(self._process.pid, server)

    def measure(self, workload: str, n: int) -> Sample:
        """Run a workload and say what it took."""
        operations, load = WORKLOADS[workload].operations(n), os.getloadavg()[0]
        machine, before, began = meter.machine(), self.tree.usage(), time.perf_counter()
        try:
            result, problem = self.ask(do="run", workload=workload, n=n)["result"], ""
        except Failed as error:
            result, problem = {}, str(error)
        wall = time.perf_counter() - began
        spent = meter.spent(before, self.tree.usage())
        others = (meter.machine() - machine - spent.total) / wall / (os.cpu_count() or 1)
        trips = sorted(result.get("samples") or [])
        return Sample(
            self.system, workload, n, operations, result.get("seconds", wall), dict(spent.roles), spent.bound,
            max(0.0, others), load, p50=_at(trips, 0.5), p99=_at(trips, 0.99), resident=self.tree.memory(),
            problem=problem,
        )  # fmt: skip


def _at(ascending: list[float], share: float) -> float | None:
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))] if ascending else None
