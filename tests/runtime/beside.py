"""Runs a misbehaving operation beside healthy work: what it does may fail itself and nothing else."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tidemill import DataFlow, Definition, GetMulti, Input, Limits, MemoryOrchestrator, OperationFailure, Outcome, op

__all__ = ["DEADLINE", "GO", "NOTED", "NUMBER", "Beside", "failure_of", "outcomes", "outcomes_beside"]

DEADLINE = 120.0
"""Seconds after which a wait in a test is a failure; far above what any of them takes."""

GO = Definition("go", "generic")
"""What makes a misbehaving operation run."""
NUMBER = Definition("number", "int")
NOTED = Definition("noted", "generic")
"""What operations give that nobody takes."""
DOUBLED = Definition("doubled", "int")


@op(inputs={"number": NUMBER}, outputs={"doubled": DOUBLED}, name="double")
async def double(number: int) -> dict[str, int]:
    return {"doubled": number * 2}


class Beside:
    """What became of a run: a strict and a lenient context in which the operation misbehaved, and two healthy ones."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        by_name = {outcome.name: outcome for outcome in outcomes}
        assert len(by_name) == len(outcomes) == 4
        self.strict, self.lenient = by_name["strict"], by_name["lenient"]
        self.healthy = (by_name["healthy"], by_name["also healthy"])


def _contexts(name: str, healthy: str, value: Any) -> dict[str, list[Input]]:
    return {name: [Input(value, GO), Input(1, NUMBER)], healthy: [Input(21, NUMBER)]}


def dataflow(operation: Any, limits: Limits) -> DataFlow:
    asked = Input(["doubled"], GetMulti.op.inputs["spec"])
    return DataFlow(operation, double, GetMulti, seed=[asked], limits=limits)


async def outcomes(flow: DataFlow, *sets: Any, strict: bool = True) -> list[Outcome]:
    """Run a data flow and return what became of its contexts, in the order in which they ended."""
    exact = MemoryOrchestrator(exact=True)
    async with asyncio.timeout(DEADLINE), exact as orchestrator, orchestrator(flow) as octx:
        return [outcome async for outcome in octx.outcomes(*sets, strict=strict)]


async def outcomes_beside(operation: Any, value: Any = "go", limits: Limits | None = None) -> Beside:
    """Run an operation that takes GO in a strict and in a lenient context, each beside a healthy one."""
    flow = dataflow(operation, limits or Limits())
    exact = MemoryOrchestrator(exact=True)
    async with asyncio.timeout(DEADLINE), exact as orchestrator, orchestrator(flow) as octx:
        found = [o async for o in octx.outcomes(_contexts("strict", "healthy", value))]
        found += [o async for o in octx.outcomes(_contexts("lenient", "also healthy", value), strict=False)]
    return Beside(found)


async def failure_of(operation: Any, value: Any = "go", limits: Limits | None = None) -> OperationFailure:
    """Return how an operation fails; everything beside it has to get its results, in its own context too."""
    beside = await outcomes_beside(operation, value, limits)
    for healthy in beside.healthy:
        assert healthy.failure is None
        assert not healthy.failures
        assert healthy.result == {"doubled": [42]}
    assert beside.lenient.failure is None
    assert beside.lenient.result == {"doubled": [2]}
    (survived,) = beside.lenient.failures
    failure = beside.strict.failure
    assert beside.strict.result is None
    assert failure is not None
    assert (failure.reason, failure.context, survived.context) == (survived.reason, "strict", "lenient")
    for found in (failure, survived):
        assert found.instance == found.operation == operation.op.name
        assert list(found.inputs.values()) == [value]
    return failure
