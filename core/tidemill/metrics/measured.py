"""What the engine records of each operation by itself, as metrics like any other: how long calls took and waited, what
they used, and how they ended.

Neighbours: `runtime.calls` makes a call known and says how it ended, `backends.memory` what waits; `calls`, `series`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import perf_counter_ns
from typing import Any

from tidemill.metrics.calls import Call
from tidemill.metrics.histograms import UNIT
from tidemill.metrics.series import ENOUGH, Batch, Kind, Recorder, Scope

__all__ = [
    "CPU",
    "ENDED",
    "MEASURED",
    "MEMORY",
    "OUTPUT",
    "RATIO",
    "SAMPLE",
    "SECONDS",
    "WAIT",
    "Gauged",
    "Meter",
    "Waits",
]

SECONDS = Kind("tidemill_operation_seconds", "histogram", "Seconds of a call of an operation")
WAIT = Kind(
    "tidemill_operation_wait_seconds", "histogram", "Seconds between ready and leased, of one in eight, in memory"
)
CPU = Kind("tidemill_operation_cpu_seconds", "histogram", "Seconds of CPU of a call, in a thread or process")
MEMORY = Kind("tidemill_operation_memory_bytes", "histogram", "Most bytes of memory of a process while it ran a call")
OUTPUT = Kind("tidemill_operation_output_bytes", "histogram", "Bytes of what a call gave, where it came as bytes")
ENDED = Kind("tidemill_operation_calls_total", "counter", "Calls of an operation, by how they ended", ("result",))
RATIO = Kind("tidemill_estimate_error_ratio", "histogram", "Seconds of a call over what its stub had estimated")

MEASURED = (SECONDS, WAIT, CPU, MEMORY, OUTPUT, ENDED, RATIO)
"""All that is recorded of each operation."""
SAMPLE = 8
"""Of so many parameter sets that are ready the wait of one is measured: to look at a clock twice for each costs more
than it tells."""


class Gauged:
    """What is measured of one operation: ``completed`` has the seconds of its calls, ``waited`` those before them."""

    __slots__ = ("completed", "scope", "waited")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.completed = Batch(scope, SECONDS, ENDED, "completed")
        self.waited = Batch(scope, WAIT)


class Meter:
    """Measures the calls of a runner into a recorder. ``dataflow_of`` has the digest of the data flow of an operation,
    ``name_of`` what the operation is called there."""

    def __init__(self, recorder: Recorder, dataflow_of: Callable[[Any], str], name_of: Callable[[Any], str]) -> None:
        self.recorder = recorder
        self.known: dict[Hashable, Gauged] = {}
        self._dataflow_of = dataflow_of
        self._name_of = name_of

    def of(self, operation: Hashable) -> Gauged:
        """Return what is measured of an operation."""
        found = self.known.get(operation)
        if found is None:
            found = Gauged(self.recorder.scope(self._dataflow_of(operation), self._name_of(operation)))
            self.known[operation] = found
        return found

    def end(self, gauged: Gauged, call: Call, took: int, result: str) -> None:
        """Take in a call that has ended after ``took`` billionths of a second, and how."""
        if result == "completed":
            gauged.completed.values.append(took)
            if len(gauged.completed.values) >= ENOUGH:
                gauged.completed.settle()
        else:
            gauged.scope.observe(SECONDS, took / UNIT)
            gauged.scope.count(ENDED, result)
        if call.told is not None:
            for name, kind in _TOLD:
                if name in call.told:
                    gauged.scope.observe(kind, call.told[name])


_TOLD = (("cpu", CPU), ("memory", MEMORY), ("output", OUTPUT))


class Waits:
    """Measures for how long parameter sets are ready before somebody takes them: one in `SAMPLE` of them."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._since: dict[Hashable, int] = {}
        self._left = 1

    def ready(self, one: Hashable) -> None:
        """Note that a parameter set is ready."""
        self._left -= 1
        if not self._left:
            self._left = SAMPLE
            self._since[one] = perf_counter_ns()

    def leased(self, one: Any) -> None:
        """Note that it was leased."""
        if self._since and (began := self._since.pop(one, None)) is not None:
            waited = self._meter.of(one.operation).waited
            waited.values.append(perf_counter_ns() - began)
            if len(waited.values) >= ENOUGH:
                waited.settle()

    def dropped(self, one: Hashable) -> None:
        """Note that nobody will run it."""
        self._since.pop(one, None)
