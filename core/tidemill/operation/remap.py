"""`remap`: picks values out of what other output operations make of the same input network.

Its configuration is a data flow of output operations; its spec says where in their results each key of its own is
found.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.engine.stages import result_of
from tidemill.errors import RemapFailure, did_you_mean, shown
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.operation import Stage
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan, PlannedOperation
from tidemill.runtime.config import config, field
from tidemill.runtime.decorator import op
from tidemill.runtime.find import find_implementation
from tidemill.runtime.implementation import OperationImplementationContext

__all__ = ["RemapConfig", "remap"]


@config
class RemapConfig:
    """What `remap` picks from."""

    dataflow: DataFlow = field("a data flow of output operations, with their specs as seeds")


@op(
    name="dffml.operation.output:remap",
    inputs={"spec": Definition("remap_spec", "map")},
    outputs={"response": Definition("remap_output", "map")},
    stage=Stage.OUTPUT,
    config_cls=RemapConfig,
)
class remap(OperationImplementationContext):
    """Values at paths in the results of other output operations: ``spec`` is ``{key: [key, key, …]}``."""

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return key → value. Raises `RemapFailure` for a path that leads nowhere."""
        result = await self._result()
        return {key: _at(result, path, key) for key, path in inputs["spec"].items()}

    async def _result(self) -> dict[str, Any]:
        given = self.config.dataflow
        plan = compile_plan(given if isinstance(given, DataFlow) else DataFlow._fromdict(**given))
        returned = []
        for operation in plan.of_stage(Stage.OUTPUT):
            implementation = find_implementation(operation.operation, plan.implementations)
            async with implementation(plan.configs.get(operation.instance)) as made:
                for arguments in _arguments(plan, operation):
                    async with made(self.ctx, self.octx) as call:
                        returned.append((operation.index, await call.run(arguments)))
        return result_of(plan, returned)


def _arguments(plan: Plan, operation: PlannedOperation) -> list[dict[str, Any]]:
    """Return the combinations of seeds for an operation: nothing else is given to it."""
    listed = []
    for parameter in operation.parameters:
        wanted = {accept.definition for accept in parameter.accepts}
        values = [item.value for item in plan.seed if item.definition.name in wanted]
        if not values and parameter.has_default:
            values = [parameter.definition.default]
        listed.append(values)
    return [dict(zip(operation.names, values, strict=True)) for values in itertools.product(*listed)]


def _at(result: Any, path: Sequence[Any], key: str) -> Any:
    found = result
    for step in [path] if isinstance(path, str) else path:
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, (list, tuple)) and isinstance(step, int) and -len(found) <= step < len(found):
            found = found[step]
        else:
            known = did_you_mean(str(step), map(str, found)) if isinstance(found, Mapping) else f"in {shown(found)}"
            raise RemapFailure(f'"{key}" is to be at {shown(path)}, but there is no {shown(step)} {known}')
    return found
