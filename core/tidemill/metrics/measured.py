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
    """What is measured of one operation by a meter. ``seconds`` gathers billionths of completed calls, at most `ENOUGH`
    of them; ``waited`` those before calls. ``plain``: nothing but that is to be found out about its calls."""

    __slots__ = ("_completed", "meter", "plain", "scope", "seconds", "waited")

    def __init__(self, meter: Meter, scope: Scope) -> None:
        self.meter = meter
        self.plain = False
        self.scope = scope
        self._completed = Batch(scope, SECONDS, ENDED, "completed")
        self.seconds = self._completed.values
        self.waited = Batch(scope, WAIT)

    def settle(self) -> None:
        """Take in the calls that are gathered."""
        self._completed.settle()

    def end(self, call: Call, took: int, result: str) -> None:
        """Take in a call that has ended after ``took`` billionths of a second, and how."""
        if result == "completed":
            self.seconds.append(took)
            if len(self.seconds) >= ENOUGH:
                self.settle()
        else:
            self.scope.observe(SECONDS, took / UNIT)
            self.scope.count(ENDED, result)
        if call.told is not None:
            for name, kind in _TOLD:
                if name in call.told:
                    self.scope.observe(kind, call.told[name])


_TOLD = (("cpu", CPU), ("memory", MEMORY), ("output", OUTPUT))


class Meter:
    """Measures the calls of a runner into a recorder. ``dataflow_of`` has the digest of the data flow of an operation,
    ``name_of`` what the operation is called there."""

    def __init__(self, recorder: Recorder, dataflow_of: Callable[[Any], str], name_of: Callable[[Any], str]) -> None:
        self.recorder = recorder
        self._known: dict[Hashable, Gauged] = {}
        self._dataflow_of = dataflow_of
        self._name_of = name_of

    def of(self, operation: Hashable) -> Gauged:
        """Return what is measured of an operation."""
        found = self._known.get(operation)
        if found is None:
            found = Gauged(self, self.recorder.scope(self._dataflow_of(operation), self._name_of(operation)))
            self._known[operation] = found
        return found


class Waits:
    """Measures for how long parameter sets are ready before somebody takes them: one in `SAMPLE` of them.

    ``since`` has those that are watched. Whoever makes one ready counts ``left`` down, and calls `watch` when it is 0:
    most are none of its business, and a call costs more than counting.
    """

    def __init__(self, meter: Meter) -> None:
        self.left = 1
        self.since: dict[Hashable, int] = {}
        self._meter = meter

    def watch(self, one: Hashable) -> None:
        """Note that a parameter set is ready, and count anew."""
        self.left = SAMPLE
        self.since[one] = perf_counter_ns()

    def leased(self, one: Any) -> None:
        """Note that one was leased that is watched."""
        waited = self._meter.of(one.operation).waited
        waited.values.append(perf_counter_ns() - self.since.pop(one))
        if len(waited.values) >= ENOUGH:
            waited.settle()
