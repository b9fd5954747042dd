"""`run_dataflow`: an operation that runs another data flow, in child contexts.

As it is, it takes ``{context name: [{"value": …, "definition": name}, …]}`` and gives one ``{context name: result}``
for each child. With inputs and outputs of one's own (``run_dataflow.op._replace(inputs=…, outputs=…)``) each
parameter becomes an input of one child context, the first parameter's value names it, and the keys of the result are
the outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.errors import (
    InvalidCustomRunDataFlowContext,
    InvalidCustomRunDataFlowOutputs,
    InvalidInput,
    OperationException,
    did_you_mean,
    pointer,
    shown,
)
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.model.operation import Operation
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child
from tidemill.runtime.config import config, field
from tidemill.runtime.flows import FlowImplementation
from tidemill.runtime.implementation import OperationImplementationContext

__all__ = ["RunDataFlowConfig", "RunDataFlowContext", "run_dataflow"]

DEFAULT_INPUTS = {"inputs": Definition("flow_inputs", "map")}
DEFAULT_OUTPUTS = {"results": Definition("flow_results", "map")}


@config
class RunDataFlowConfig:
    """What `run_dataflow` runs."""

    dataflow: DataFlow = field("the data flow to run, or its exported form")
    strict: bool = field("whether a failed operation fails its child context", default=True)


class RunDataFlowContext(OperationImplementationContext):
    """Never called: the implementation's child contexts do the work."""

    async def run(self, inputs: dict[str, Any]) -> Any:
        """Refuse to be called outside an orchestrator."""
        raise NotImplementedError("run_dataflow runs only inside a data flow: its child contexts do the work")


class run_dataflow(FlowImplementation):
    """Runs another data flow in child contexts; holds no place while it waits for them."""

    op = Operation(
        name="dffml.dataflow.run", inputs=DEFAULT_INPUTS, outputs=DEFAULT_OUTPUTS, expand=["results"]
    )  # fmt: skip
    CONTEXT = RunDataFlowContext
    CONFIG = RunDataFlowConfig

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        flow = self.config.dataflow
        self.dataflow = flow if isinstance(flow, DataFlow) else DataFlow._fromdict(**flow)

    @property
    def custom(self) -> bool:
        """Whether the operation has inputs of its own instead of the one that it comes with."""
        names = [definition.name for definition in type(self).op.inputs.values()]
        return names != [definition.name for definition in DEFAULT_INPUTS.values()]

    def dataflows(self) -> Sequence[DataFlow]:
        """Return the one data flow that is run."""
        return (self.dataflow,)

    def children(self, inputs: dict[str, Any]) -> list[Child]:
        """Return the child contexts: one for each entry of the mapping, or the one that the first parameter names."""
        plan = self.plans[id(self.dataflow)]
        if self.custom:
            return [Child(self._name(inputs), plan, self._custom_inputs(inputs), self.config.strict)]
        given = inputs["inputs"]
        if not isinstance(given, Mapping):
            raise InvalidInput(f"{type(self).op.instance} takes {{context: [inputs]}}, not {shown(given)}")
        return [
            Child(str(name), plan, [self._input(item, name, at) for at, item in enumerate(items)], self.config.strict)
            for name, items in given.items()
        ]

    def _input(self, said: Any, context: Any, at: int) -> Input:
        if isinstance(said, Input):
            return said
        path = pointer(context, at)
        if not isinstance(said, Mapping) or not {"value", "definition"} <= set(said):
            raise InvalidInput(f'{shown(said)} is no {{"value": …, "definition": name}}', path=path)
        definition = said["definition"]
        if isinstance(definition, Mapping):
            definition = Definition._fromdict(**definition)
        elif not isinstance(definition, Definition):
            known = self.plans[id(self.dataflow)].definitions
            if definition not in known:
                text = f'the data flow has no definition "{definition}" {did_you_mean(str(definition), known)}'
                raise InvalidInput(text, reason="UnknownDefinition", path=path)
            definition = known[definition]
        return Input(said["value"], definition, origin=said.get("origin", "seed"))

    def _name(self, inputs: dict[str, Any]) -> str:
        first = next(iter(type(self).op.inputs))
        name = inputs[first]
        if not isinstance(name, str):
            raise InvalidCustomRunDataFlowContext(
                f'{type(self).op.instance}: the first parameter "{first}" names the child context, so it has to be a '
                f"string; it is {shown(name)}"
            )
        return name

    def _custom_inputs(self, inputs: dict[str, Any]) -> list[Input]:
        declared = type(self).op.inputs
        return [Input(value, declared[name]) for name, value in inputs.items()]

    def outputs(self, inputs: dict[str, Any], endings: Sequence[Ending]) -> dict[str, Any]:
        """Return the results. Raises `OperationException` when a child context failed."""
        for ending in endings:
            if ending.failure is not None:
                raise OperationException([ending.failure])
        results = [ending.result or {} for ending in endings]
        operation = type(self).op
        if not self.custom:
            return {"results": [{name: result} for name, result in zip(inputs["inputs"], results, strict=True)]}
        (result,) = results
        if set(result) != set(operation.outputs):
            raise InvalidCustomRunDataFlowOutputs(
                f"{operation.instance} declares the outputs {sorted(operation.outputs)}, and the data flow that it "
                f"runs has the result {sorted(result)}"
            )
        return result
