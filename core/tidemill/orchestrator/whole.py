"""`run_dataflow_in_memory`: an operation that runs another data flow to its end inside the process that has its lease.

It takes and gives what `run_dataflow` does, and is configured as it is. The difference is where the contexts run:
there they are child contexts that every worker may work on, here they are in the memory of one process, as one
parameter set, so in a pool of kind Job a whole context is one Job. When that process dies, they begin anew elsewhere.
Neighbours: `operation.dataflow`, `orchestrator.memory`.
"""

from __future__ import annotations

from typing import Any

from tidemill.networks.backend import Ending
from tidemill.operation.dataflow import RunDataFlowConfig, run_dataflow
from tidemill.orchestrator.input_sets import closing
from tidemill.orchestrator.memory import MemoryOrchestrator
from tidemill.plan.compile import compile_plan
from tidemill.runtime.implementation import OperationImplementation, OperationImplementationContext

__all__ = ["RunDataFlowInMemoryContext", "run_dataflow_in_memory"]


class RunDataFlowInMemoryContext(OperationImplementationContext):
    """One call: the contexts for one parameter set, from their inputs to how they ended."""

    parent: run_dataflow_in_memory

    async def run(self, inputs: dict[str, Any]) -> Any:
        """Run the data flow. Raises `OperationException` when one of its contexts failed, as `run_dataflow` does."""
        like = self.parent.like
        own = (await self.ctx.handle()).as_string()
        sets = {f"{own}/{child.name}": list(child.inputs) for child in like.children(inputs)}
        ended: dict[str, Ending] = {}
        async with MemoryOrchestrator() as orchestrator, orchestrator(like.dataflow) as octx:
            async with closing(octx.outcomes(sets, strict=like.config.strict)) as outcomes:
                async for one in outcomes:
                    ended[one.name] = Ending(one.name, one.result, one.failure)
                    for note in one.notes:
                        self.note(note)
        return like.outputs(inputs, [ended[name] for name in sets])


class run_dataflow_in_memory(OperationImplementation):
    """Runs another data flow to its end in this process; holds its place as long."""

    op = run_dataflow.op._replace(name="run_dataflow_in_memory")
    CONTEXT = RunDataFlowInMemoryContext
    CONFIG = RunDataFlowConfig

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        own: Any = type("run_dataflow", (run_dataflow,), {"op": type(self).op})
        self.like: run_dataflow = own(self.config)

    async def __aenter__(self) -> Any:
        """Compile the data flow. Raises `InvalidFlow` for one that is wrong, before anything is called."""
        self.like.plans = {id(self.like.dataflow): compile_plan(self.like.dataflow)}
        return await super().__aenter__()
