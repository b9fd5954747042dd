"""What the engine records of each operation by itself, as metrics like any other: how long calls took and waited, what
they used, and how they ended.

Neighbours: `runtime.calls` makes a call known and says how it ended, `backends.memory` what waits; `calls`, `series`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Any

from tidemill.metrics.calls import Call
from tidemill.metrics.series import Kind, Recorder, Scope

__all__ = ["CPU", "ENDED", "MEASURED", "MEMORY", "OUTPUT", "RATIO", "SECONDS", "WAIT", "Meter", "Waits"]

SECONDS = Kind("tidemill_operation_seconds", "histogram", "Seconds of a call of an operation")
WAIT = Kind("tidemill_operation_wait_seconds", "histogram", "Seconds from when a parameter set was ready to its call")
CPU = Kind("tidemill_operation_cpu_seconds", "histogram", "Seconds of CPU of a call, in a thread or process")
MEMORY = Kind("tidemill_operation_memory_bytes", "histogram", "Most bytes of memory of a process while it ran a call")
OUTPUT = Kind("tidemill_operation_output_bytes", "histogram", "Bytes of what a call gave, where it came as bytes")
ENDED = Kind("tidemill_operation_calls_total", "counter", "Calls of an operation, by how they ended", ("result",))
RATIO = Kind("tidemill_estimate_error_ratio", "histogram", "Seconds of a call over what its stub had estimated")

MEASURED = (SECONDS, WAIT, CPU, MEMORY, OUTPUT, ENDED, RATIO)
"""All that is recorded of each operation."""


class Meter:
    """Measures the calls of a runner into a recorder. ``dataflow_of`` has the digest of the data flow of an operation,
    ``name_of`` what the operation is called there."""

    def __init__(self, recorder: Recorder, dataflow_of: Callable[[Any], str], name_of: Callable[[Any], str]) -> None:
        self.recorder = recorder
        self._dataflow_of = dataflow_of
        self._name_of = name_of
        self._scopes: dict[Hashable, Scope] = {}

    def scope(self, operation: Hashable) -> Scope:
        """Return where the series of an operation are."""
        found = self._scopes.get(operation)
        if found is None:
            found = self.recorder.scope(self._dataflow_of(operation), self._name_of(operation))
            self._scopes[operation] = found
        return found

    def end(self, call: Call, result: str) -> float:
        """Take in a call that has ended, and how (nothing: that is not the end yet); return the seconds it took."""
        took, scope = call.leave(), call.scope
        if not result:
            return took
        scope.observe(SECONDS, took)
        scope.count(ENDED, result)
        if call.cpu is not None:
            scope.observe(CPU, call.cpu)
        if call.memory is not None:
            scope.observe(MEMORY, call.memory)
        if call.output is not None:
            scope.observe(OUTPUT, call.output)
        return took


class Waits:
    """Measures for how long parameter sets are ready before somebody takes them."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._since: dict[Hashable, float] = {}

    def ready(self, one: Hashable) -> None:
        """Note that a parameter set is ready."""
        self._since[one] = perf_counter()

    def leased(self, one: Any) -> None:
        """Note that it was leased."""
        began = self._since.pop(one, None)
        if began is not None:
            self._meter.scope(one.operation).observe(WAIT, perf_counter() - began)

    def dropped(self, one: Hashable) -> None:
        """Note that nobody will run it."""
        self._since.pop(one, None)
