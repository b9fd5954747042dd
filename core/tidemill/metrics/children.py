"""The metrics of a call that runs in a child process: counted there, and sent home along with what it returns.

Neighbours: `runtime.children`, which calls both sides; `calls`, `series`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidemill.metrics.calls import CALL, calling
from tidemill.metrics.programs import VARIABLE
from tidemill.metrics.programs import programs as from_programs
from tidemill.metrics.series import Recorder

__all__ = ["heard", "on_cpu", "telling"]

_PEAK, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextlib.contextmanager
def telling(*, programs: bool = False) -> Iterator[dict[str, Any]]:
    """Count for the one call that runs in this process now; the mapping has what is to be sent home after it.
    ``programs``: those that it starts find in their environment where they may count."""
    recorder = Recorder()
    fresh = _forget_peak()
    told: dict[str, Any] = {}
    began = time.process_time()
    try:
        with calling(recorder.scope()), _programs() if programs else contextlib.nullcontext():
            yield told
    finally:
        told["cpu"] = time.process_time() - began
        if fresh and (peak := _peak()) is not None:
            told["memory"] = peak
        if taken := recorder.take():
            told["series"] = taken


@contextlib.contextmanager
def _programs() -> Iterator[None]:
    with from_programs() as environment:
        os.environ[VARIABLE] = environment[VARIABLE]
        yield


def heard(told: dict[str, Any], size: int) -> None:
    """Take in what a child process has told of the call that this context belongs to; it was ``size`` bytes long."""
    call = CALL.get(None)
    if call is None:
        return
    call.told = {"output": size, **{name: told[name] for name in ("cpu", "memory") if name in told}}
    if "series" in told:
        scope = call.scope
        scope.recorder.merge(told["series"], scope.dataflow, scope.operation)


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Measure the CPU that this thread uses for its call."""
    call = CALL.get(None)
    if call is None:
        yield
        return
    began = time.thread_time()
    try:
        yield
    finally:
        call.told = {"cpu": time.thread_time() - began}


def _forget_peak() -> bool:
    """Have the kernel forget the most memory that this process has used; say whether it does that."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int | None:
    try:
        for line in _PEAK.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
