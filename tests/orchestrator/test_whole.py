"""`run_dataflow_in_memory`: what `run_dataflow` gives, out of contexts that one process runs as one parameter set."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orchestrator.support import MULTI, SINGLE, failure_of, listed, result_of
from tidemill import (
    DataFlow,
    Definition,
    GetMulti,
    GetSingle,
    Input,
    InvalidFlow,
    InvalidInput,
    MemoryOrchestrator,
    OperationException,
    RunDataFlowConfig,
    op,
    run_dataflow,
    run_dataflow_in_memory,
)
from tidemill.operation.math import multiply

NUMBER, DOUBLED = Definition("number", "int"), Definition("doubled", "int")
FACTORS = list(multiply.op.inputs.values())
NAME, FLOWS = Definition("name", "str"), run_dataflow.op.inputs["inputs"]


@op(name="double", inputs={"x": NUMBER}, outputs={"y": DOUBLED})
async def double(self: Any, x: int) -> dict[str, int]:
    if x < 0:
        raise ValueError(f"{x} is below zero")
    self.note(f"in {(await self.ctx.handle()).as_string()}")
    return {"y": 2 * x}


def child(**more: Any) -> DataFlow:
    return DataFlow(double, GetMulti, seed=[Input(["doubled"], MULTI)], **more)


def parent(flow: Any, runs: Any = run_dataflow_in_memory, *, strict: bool = True) -> DataFlow:
    """Return a data flow that runs another, and gives what came of it."""
    config = {"dataflow": flow, "strict": strict}
    seed = [Input(["flow_results"], MULTI)]
    return DataFlow(GetMulti, operations={"sub": runs}, seed=seed, configs={"sub": config})


def numbers(**contexts: list[int]) -> Input:
    said = {name: [{"value": value, "definition": "number"} for value in values] for name, values in contexts.items()}
    return Input(said, FLOWS)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("given", [numbers(b=[3], a=[1, 2]), numbers(a=[1])])
async def test_it_gives_what_run_dataflow_gives(given: Input, strict: bool) -> None:
    results = [
        await result_of(parent(child(), runs, strict=strict), given) for runs in (run_dataflow_in_memory, run_dataflow)
    ]
    assert results[0] == results[1]


async def test_all_of_it_is_one_parameter_set() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(parent(child())) as octx:
        (outcome,) = await listed(octx.outcomes({"ctx": [numbers(a=[1], b=[2])]}))
        assert octx.progress().operations["sub"].completed == 1
    assert outcome.result == {"flow_results": [{"a": {"doubled": [2]}}, {"b": {"doubled": [4]}}]}
    assert outcome.parameter_sets == 2
    assert sorted(outcome.notes) == ["in ctx/a", "in ctx/b"]


async def test_a_data_flow_may_be_given_in_its_exported_form() -> None:
    flow = DataFlow(multiply, GetMulti, seed=[Input(["product"], MULTI), Input(3, FACTORS[1])]).export()
    inputs = {"a": [{"value": 4, "definition": FACTORS[0].name}]}
    assert await result_of(parent(flow), Input(inputs, FLOWS)) == {"flow_results": [{"a": {"product": [12]}}]}


async def test_parameters_become_inputs_and_the_result_becomes_the_outputs() -> None:
    own = run_dataflow_in_memory.op._replace(
        inputs={"name": NAME, "x": NUMBER}, outputs={"doubled": Definition("doubled")}, expand=[], instance_name="sub"
    )
    inner = DataFlow(double, GetSingle, seed=[Input(["doubled"], SINGLE)])
    flow = DataFlow(
        GetSingle, operations={"sub": own}, configs={"sub": RunDataFlowConfig(dataflow=inner)},
        implementations={own.name: run_dataflow_in_memory}, seed=[Input(["doubled"], SINGLE)],
    )  # fmt: skip
    assert await result_of(flow, Input("child", NAME), Input(3, NUMBER)) == {"doubled": 6}


async def test_what_fails_within_it_is_its_failure() -> None:
    failure = await failure_of(parent(child()), numbers(good=[1], bad=[-1]))
    assert (failure.reason, failure.instance) == ("Exception", "sub")
    assert "-1 is below zero" in failure.message
    error = failure.error
    while isinstance(error, OperationException):
        error = error.__cause__
    assert isinstance(error, ValueError)


async def test_a_wrong_input_is_told_as_run_dataflow_tells_it() -> None:
    failure = await failure_of(parent(child()), Input({"a": [{"value": 3, "definition": "numbre"}]}, FLOWS))
    assert isinstance(failure.error, InvalidInput)
    assert (failure.reason, 'did you mean "number"?' in failure.message) == ("UnknownDefinition", True)


async def test_a_data_flow_that_is_wrong_is_refused_before_anything_runs() -> None:
    wrong = child()
    wrong.flow["nobody"] = wrong.flow["double"]
    with pytest.raises(InvalidFlow):
        async with MemoryOrchestrator() as orchestrator, orchestrator(parent(wrong)):
            pytest.fail("it was accepted")
