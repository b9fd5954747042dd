"""What stands for the operations of a data flow while it is estimated: how long a call takes, what it needs, what it
gives.

The order is: the stub of the operation, corrected by what was measured of it; what was measured alone; a default that
is said. What nobody knows the outputs of gives placeholders of the right type, which are true, so that gates open.
Neighbours: `estimating`, which asks; `runtime.measuring`, which calls stubs.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import MetricError, TidemillError, shown
from tidemill.metrics.estimate import NOTHING, Estimate
from tidemill.metrics.histograms import Histogram
from tidemill.metrics.measured import MEMORY, RATIO, SECONDS
from tidemill.metrics.series import Recorder
from tidemill.model.definition import NO_DEFAULT, Definition
from tidemill.model.operation import Stage
from tidemill.model.primitives import CANONICAL
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan, PlannedOperation
from tidemill.runtime.decorator import FunctionImplementation
from tidemill.runtime.find import find_implementation
from tidemill.runtime.flows import FlowImplementation
from tidemill.runtime.implementation import OperationImplementation
from tidemill.runtime.measuring import estimated

__all__ = ["DEFAULT", "Measured", "Needs", "Stub", "Stubs", "placeholder"]

DEFAULT = 1.0
"""Seconds of a call of which nothing is known, unless said otherwise."""

_VALUES: dict[str, Any] = {
    "str": "placeholder", "int": 1, "float": 1.0, "bool": True, "bytes": b"placeholder",
    "map": {"placeholder": True}, "array": ["placeholder"],
}  # fmt: skip


@dataclass(slots=True)
class Measured:
    """What was measured of one operation in earlier runs."""

    seconds: Histogram = field(default_factory=Histogram)
    memory: Histogram = field(default_factory=Histogram)
    ratio: Histogram = field(default_factory=Histogram)

    @classmethod
    def of(cls, recorder: Recorder) -> dict[str, Measured]:
        """Return what a recorder has, by instance."""
        found: dict[str, Measured] = {}
        names = {SECONDS.name: "seconds", MEMORY.name: "memory", RATIO.name: "ratio"}
        for scope, one in recorder:
            if one.kind.name in names:
                of_it = found.setdefault(scope.operation, cls())
                getattr(of_it, names[one.kind.name]).merge(one.value)
        return found


@dataclass(frozen=True, slots=True)
class Needs:
    """What one call takes: ``seconds``, bytes of ``memory``, and what it gives (``returned``)."""

    seconds: float
    memory: float
    returned: Any


class Stub:
    """What stands for one operation: ``executor`` says where its calls would run, ``flow`` opens child contexts in its
    place."""

    def __init__(self, operation: PlannedOperation, implementation: type[OperationImplementation] | None) -> None:
        self.operation = operation
        self.implementation = implementation
        self.measured = Measured()
        self.default = DEFAULT
        self.flow: FlowImplementation | None = None
        self.executor = "loop"
        self.output: str | None = None
        if implementation is not None and issubclass(implementation, FunctionImplementation):
            self.output = implementation.wrapped_output
            self.executor = _executor(operation, implementation.function)
        self._expands = [output.name for output in operation.outputs.values() if output.expand]

    @property
    def source(self) -> str:
        """Where the seconds come from: stub, corrected, measured, default, subflow or nothing."""
        if self.operation.stage is Stage.OUTPUT:
            return "nothing"
        if self.implementation is not None and self.implementation.ESTIMATE is not None:
            return "corrected" if self.measured.ratio.count else "stub"
        if self.flow is not None:
            return "subflow"
        return "measured" if self.measured.seconds.count else "default"

    def needs(self, inputs: Mapping[str, Any]) -> Needs:
        """Return what a call with these inputs needs. Raises `MetricError` (EstimateFailed) where its stub is wrong."""
        if self.operation.stage is Stage.OUTPUT:
            return Needs(0.0, 0.0, {})
        found = Estimate()
        if self.implementation is not None:
            found = estimated(self.implementation, inputs) or found
        memory = found.memory
        if memory is None:
            memory = self.measured.memory.quantile(1.0) or 0.0
        return Needs(self._seconds(found), memory, self._returned(found, inputs))

    def _seconds(self, found: Estimate) -> float:
        if found.seconds is not None:
            ratio = self.measured.ratio.mean
            return found.seconds if ratio is None else found.seconds * ratio
        mean = self.measured.seconds.mean
        if mean is not None:
            return mean
        return 0.0 if self.flow is not None else self.default

    def _returned(self, found: Estimate, inputs: Mapping[str, Any]) -> Any:
        operation = self.operation
        if found.outputs is not NOTHING:
            if self.output is not None:
                return None if found.outputs is None else {self.output: found.outputs}
            return found.outputs
        if operation.operation.validator and inputs:
            return dict.fromkeys(operation.outputs, next(iter(inputs.values())))
        if found.items is not None and len(self._expands) != 1:
            said = (
                f'the estimate of {operation.name} says items={found.items}, and "{operation.instance}" expands '
                f"{self._expands}, expected exactly one; give outputs={{…}} instead"
            )
            raise MetricError(said, reason="EstimateFailed", path=operation.instance)
        many = 1 if found.items is None else found.items
        return {
            name: [placeholder(output.definition)] * many if output.expand else placeholder(output.definition)
            for name, output in operation.outputs.items()
        }


def _executor(operation: PlannedOperation, function: Any) -> str:
    """Return where a function would be called; "function": on the loop, which waits for it."""
    awaited = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    executor = operation.operation.executor or ("loop" if awaited else "thread")
    return executor if awaited or executor != "loop" else "function"


class Stubs:
    """The stubs of a data flow and of those that it runs. Code that cannot be found is none: then there is no stub.

    ``measured`` is by instance, ``default`` the seconds of a call of which nothing is known.
    """

    def __init__(self, measured: Mapping[str, Measured], default: float = DEFAULT) -> None:
        self.made: dict[PlannedOperation, Stub] = {}
        self._measured = measured
        self._default = default

    def prepare(self, plan: Plan) -> None:
        """Make the stubs of a plan, and of the data flows that it runs."""
        for operation in plan.operations:
            try:
                implementation = find_implementation(operation.operation, plan.implementations)
            except TidemillError:
                implementation = None
            stub = self.made[operation] = Stub(operation, implementation)
            stub.measured = self._measured.get(operation.instance, stub.measured)
            stub.default = self._default
            if implementation is not None and issubclass(implementation, FlowImplementation):
                own: Any = type(implementation.__name__, (implementation,), {"op": operation.operation})
                stub.flow = own(plan.configs.get(operation.instance))
                stub.flow.plans = {id(flow): compile_plan(flow) for flow in stub.flow.dataflows()}
                for below in stub.flow.plans.values():
                    self.prepare(below)

    def __getitem__(self, operation: PlannedOperation) -> Stub:
        return self.made[operation]


def placeholder(definition: Definition) -> Any:
    """Return a value that stands for one that nobody knows: the default, or something true of the type.

    Raises `MetricError` (EstimateFailed) for a spec that needs values which nobody knows.
    """
    if definition.default is not NO_DEFAULT and definition.default is not None:
        return definition.default
    if definition.spec is not None and not definition.subspec:
        try:
            return definition.spec()
        except TypeError as error:
            said = (
                f'nothing stands for a value of "{definition.name}": {shown(definition.spec.__name__)} cannot be made '
                f"without values ({error}); let the stub of the operation that gives it say outputs=…"
            )
            raise MetricError(said, reason="EstimateFailed", path=definition.name) from error
    if definition.subspec:
        return {} if CANONICAL.get(definition.primitive.lower()) == "map" else []
    return _VALUES.get(CANONICAL.get(definition.primitive.lower(), ""), "placeholder")
