"""`run_dataflow`: data flows that run data flows, in child contexts that hold no place while they are waited for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orchestrator.support import MULTI, SINGLE, failure_of, listed, outcome_of, result_of
from tidemill import (
    DataFlow,
    Definition,
    Forward,
    GetMulti,
    GetSingle,
    Input,
    InvalidCustomRunDataFlowContext,
    InvalidCustomRunDataFlowOutputs,
    InvalidFlow,
    InvalidInput,
    Limits,
    MemoryOrchestrator,
    OperationException,
    RunDataFlowConfig,
    op,
    run_dataflow,
)

NUMBER, DOUBLED = Definition("number", "int"), Definition("doubled", "int")
NAME, FACTOR = Definition("name", "str"), Definition("factor", "int")
FLOWS, RESULTS = Definition("flow_inputs", "map"), Definition("flow_results", "map")


@op(name="double", inputs={"x": NUMBER}, outputs={"y": DOUBLED})
async def double(x: int) -> dict[str, int]:
    if x < 0:
        raise ValueError(f"{x} is below zero")
    return {"y": 2 * x}


@op(name="scale", inputs={"x": NUMBER, "factor": FACTOR}, outputs={"y": DOUBLED})
async def scale(x: int, factor: int) -> dict[str, int]:
    return {"y": factor * x}


@op(name="name_factor", inputs={"name": NAME}, outputs={"factor": FACTOR})
async def name_factor(name: str) -> dict[str, int]:
    return {"factor": len(name)}


def child(*operations: Any, wanted: tuple[str, ...] = ("doubled",), **more: Any) -> DataFlow:
    return DataFlow(*(operations or (double,)), GetMulti, seed=[Input(list(wanted), MULTI)], **more)


def parent(flow: DataFlow, *operations: Any, strict: bool = True, **more: Any) -> DataFlow:
    """Return a data flow that runs another, and gives what came of it."""
    return DataFlow(
        *operations, GetMulti, operations={"sub": run_dataflow}, seed=[Input(["flow_results"], MULTI)],
        configs={"sub": RunDataFlowConfig(dataflow=flow, strict=strict)}, **more,
    )  # fmt: skip


def numbers(**contexts: list[int]) -> Input:
    """Return what ``run_dataflow`` takes: contexts, and the numbers for each."""
    said = {name: [{"value": value, "definition": "number"} for value in values] for name, values in contexts.items()}
    return Input(said, FLOWS)


# -- as it is -------------------------------------------------------------------------------------------------------


async def test_each_entry_is_a_child_context_and_gives_one_result_in_their_order() -> None:
    flow = parent(child())
    assert await result_of(flow, numbers(b=[3], a=[1, 2])) == {
        "flow_results": [{"b": {"doubled": [6]}}, {"a": {"doubled": [2, 4]}}]
    }


async def test_what_a_child_gives_is_no_result_of_the_run() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(parent(child())) as octx:
        outcomes = await listed(octx.outcomes({"one": [numbers(a=[1])], "two": [numbers(a=[2])]}))
    assert {outcome.name: outcome.result for outcome in outcomes} == {
        "one": {"flow_results": [{"a": {"doubled": [2]}}]},
        "two": {"flow_results": [{"a": {"doubled": [4]}}]},
    }


async def test_no_entries_are_no_children_and_no_results() -> None:
    failure = await failure_of(parent(child()), numbers())
    assert failure.reason == "DefinitionNotInContext"
    assert (await outcome_of(DataFlow(operations={"sub": run_dataflow}, configs={"sub": {"dataflow": child()}}),
                             numbers())).result == {}  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [
        Input(2, NUMBER),
        {"value": 2, "definition": "number"},
        {"value": 2, "definition": NUMBER},
        {"value": 2, "definition": NUMBER.export()},
        {"value": 2, "definition": "number", "origin": "seed"},
    ],
)
async def test_an_input_is_given_in_any_spelling(item: Any) -> None:
    assert await result_of(parent(child()), Input({"a": [item]}, FLOWS)) == {"flow_results": [{"a": {"doubled": [4]}}]}


BAD: list[tuple[Any, str, str]] = [
    (3, "InvalidInput", "3 is no"),
    ({"value": 3}, "InvalidInput", 'is no {"value": …, "definition": name}'),
    ({"value": 3, "definition": "numbre"}, "UnknownDefinition", 'did you mean "number"?'),
    ({"value": "3", "definition": "number"}, "TypeMismatch", "expected int, got str '3'"),
    ({"value": 3, "definition": "number", "origin": ["double", "z"]}, "UnknownOrigin", "has no such output"),
]


@pytest.mark.parametrize(("item", "reason", "said"), BAD)
async def test_a_wrong_input_fails_the_operation_that_gave_it(item: Any, reason: str, said: str) -> None:
    failure = await failure_of(parent(child()), Input({"a": [Input(1, NUMBER), item]}, FLOWS))
    assert (failure.reason, said in failure.message) == (reason, True)
    assert isinstance(failure.error, (InvalidInput, OperationException))


async def test_anything_but_a_mapping_is_refused() -> None:
    definition = FLOWS._replace(primitive="generic")
    own = run_dataflow.op._replace(inputs={"inputs": definition}, instance_name="sub")
    flow = DataFlow(operations={"sub": own}, configs={"sub": {"dataflow": child()}})
    flow.implementations[run_dataflow.op.name] = run_dataflow
    failure = await failure_of(flow, Input([1], definition))
    assert (failure.reason, failure.instance) == ("InvalidInput", "sub")
    assert "takes {context: [inputs]}, not [1]" in failure.message


async def test_it_is_not_called_outside_a_data_flow() -> None:
    made = run_dataflow(RunDataFlowConfig(dataflow=child()))
    with pytest.raises(NotImplementedError, match="only inside a data flow"):
        await made(None, None).run({})


# -- children that fail ---------------------------------------------------------------------------------------------


async def test_a_child_that_fails_fails_its_parent_and_says_where() -> None:
    failure = await failure_of(parent(child()), numbers(good=[1], bad=[-1]))
    assert failure.reason == "Exception"
    assert "-1 is below zero" in failure.message
    error = failure.error
    while isinstance(error, OperationException):
        error = error.__cause__
    assert isinstance(error, ValueError)


async def test_a_child_that_is_not_strict_survives_its_failures() -> None:
    flow = parent(child(), strict=False)
    assert await result_of(flow, numbers(a=[-1, 1])) == {"flow_results": [{"a": {"doubled": [2]}}]}


async def test_a_parent_that_is_not_strict_survives_the_child() -> None:
    outcome = await outcome_of(parent(child()), numbers(a=[-1]), numbers(b=[1]), strict=False)
    assert outcome.result == {"flow_results": [{"b": {"doubled": [2]}}]}
    (failure,) = outcome.failures
    assert (failure.instance, failure.inputs) == ("sub", {"inputs": {"a": [{"value": -1, "definition": "number"}]}})


# -- with inputs and outputs of its own -----------------------------------------------------------------------------


def custom(*operations: Any, wanted: tuple[str, ...] = ("doubled",), **inputs: Definition) -> DataFlow:
    outputs = {name: Definition(name) for name in ("doubled",)}
    own = run_dataflow.op._replace(
        inputs=inputs or {"name": NAME, "x": NUMBER}, outputs=outputs, expand=[], instance_name="sub"
    )
    inner = DataFlow(*operations, GetSingle, seed=[Input(list(wanted), SINGLE)])
    return DataFlow(
        GetSingle, operations={"sub": own}, configs={"sub": RunDataFlowConfig(dataflow=inner)},
        implementations={run_dataflow.op.name: run_dataflow}, seed=[Input(["doubled"], SINGLE)],
    )  # fmt: skip


async def test_parameters_become_inputs_and_the_result_becomes_the_outputs() -> None:
    assert await result_of(custom(double), Input("child", NAME), Input(3, NUMBER)) == {"doubled": 6}


async def test_the_first_parameter_names_the_child_and_is_an_input_of_it_too() -> None:
    flow = custom(name_factor, scale)
    assert await result_of(flow, Input("abc", NAME), Input(3, NUMBER)) == {"doubled": 9}


async def test_the_first_parameter_has_to_be_a_string() -> None:
    failure = await failure_of(custom(double, x=NUMBER, name=NAME), Input("child", NAME), Input(3, NUMBER))
    assert isinstance(failure.error, InvalidCustomRunDataFlowContext)
    assert 'the first parameter "x" names the child context' in failure.message


async def test_the_result_has_to_be_the_declared_outputs() -> None:
    failure = await failure_of(custom(double, wanted=("doubled", "number")), Input("child", NAME), Input(3, NUMBER))
    assert isinstance(failure.error, InvalidCustomRunDataFlowOutputs)
    assert "declares the outputs ['doubled']" in failure.message
    assert "has the result ['doubled', 'number']" in failure.message


# -- nested, and without end ----------------------------------------------------------------------------------------


async def test_a_child_may_have_children() -> None:
    middle = parent(child())
    inner = {"value": numbers(leaf=[2]).value, "definition": "flow_inputs"}
    assert await result_of(parent(middle), Input({"middle": [inner]}, FLOWS)) == {
        "flow_results": [{"middle": {"flow_results": [{"leaf": {"doubled": [4]}}]}}]
    }


@pytest.mark.parametrize(("limit", "fails"), [(2, True), (3, False)])
async def test_data_flows_run_data_flows_up_to_a_limit(limit: int, fails: bool) -> None:
    flow, given = child(), numbers(leaf=[1])
    for _ in range(3):
        flow = parent(flow, limits=Limits(subflow_depth=limit))
    for _ in range(2):
        given = Input({"next": [{"value": given.value, "definition": "flow_inputs"}]}, FLOWS)
    outcome = await outcome_of(flow, given)
    if fails:
        assert outcome.failure is not None
        assert outcome.failure.reason == "SubflowDepthExceeded"
        assert "3 levels deep; limit 2" in outcome.failure.message
    else:
        assert outcome.failure is None


async def test_a_data_flow_that_runs_itself_is_refused_before_anything_runs() -> None:
    inner: Any = child()
    outer = parent(inner)
    inner.operations["again"] = run_dataflow.op._replace(instance_name="again")
    inner.implementations[run_dataflow.op.name] = run_dataflow
    inner.configs["again"] = RunDataFlowConfig(dataflow=outer)
    inner.update(auto_flow=True)
    with pytest.raises(InvalidFlow, match="sub → again → sub") as caught:
        await outcome_of(outer, numbers(a=[1]))
    assert caught.value.reason == "SubflowCycle"


async def test_one_data_flow_may_be_run_by_two_operations() -> None:
    inner = child()
    flow = parent(inner, limits=Limits())
    flow.operations["other"] = run_dataflow.op._replace(instance_name="other")
    flow.configs["other"] = RunDataFlowConfig(dataflow=inner)
    flow.update(auto_flow=True)
    assert await result_of(flow, numbers(a=[1])) == {"flow_results": [{"a": {"doubled": [2]}}] * 2}


# -- forwarding -----------------------------------------------------------------------------------------------------


async def test_forwarded_inputs_enter_the_children_whenever_they_came() -> None:
    flow = parent(child(scale), name_factor, forward=Forward({"sub": [FACTOR]}))
    assert await result_of(flow, numbers(a=[1], b=[2]), Input("abc", NAME), Input("abcd", NAME)) == {
        "flow_results": [{"a": {"doubled": [3, 4]}}, {"b": {"doubled": [6, 8]}}]
    }
    seeds = numbers(a=[1]), Input(5, FACTOR)
    assert await result_of(flow, *seeds) == {"flow_results": [{"a": {"doubled": [5]}}]}


async def test_what_is_not_listed_is_not_forwarded() -> None:
    failure = await failure_of(parent(child(scale), name_factor), numbers(a=[1]), Input("abc", NAME))
    assert "doubled" in failure.message


async def test_a_forwarded_input_keeps_its_origin_where_the_child_knows_it() -> None:
    inner = child(scale, name_factor, wanted=("doubled",))
    flow = parent(inner, name_factor, forward=Forward({"sub": [FACTOR]}))
    assert inner.flow["scale"].inputs["factor"] == [{"name_factor": "factor"}]
    assert await result_of(flow, numbers(a=[1]), Input("abc", NAME)) == {"flow_results": [{"a": {"doubled": [3]}}]}


async def test_forwarding_survives_a_file() -> None:
    flow = parent(child(scale), name_factor, forward=Forward({"sub": [FACTOR]}))
    again = DataFlow._fromdict(**flow.export())
    again.implementations.update(flow.implementations)
    inner = again.configs["sub"]["dataflow"]
    again.configs["sub"]["dataflow"] = DataFlow._fromdict(**inner, implementations={scale.op.name: scale.imp})
    given = numbers(a=[1]), Input("abc", NAME)
    assert await result_of(again, *given) == {"flow_results": [{"a": {"doubled": [3]}}]}


# -- places ---------------------------------------------------------------------------------------------------------


async def test_waiting_for_children_holds_no_place() -> None:
    given = numbers(**{f"c{at}": [at] for at in range(20)})
    outcome = await outcome_of(parent(child()), *[given] * 5, workers=1)
    assert outcome.result is not None
    assert len(outcome.result["flow_results"]) == 100


async def test_parameter_sets_that_name_the_same_child_each_have_their_own() -> None:
    given = [numbers(a=[1]), numbers(a=[2], b=[3]), numbers(a=[4])]
    for workers in (1, 2, None):
        outcome = await outcome_of(parent(child()), *given, workers=workers)
        assert outcome.result == {"flow_results": [
            {"a": {"doubled": [2]}}, {"a": {"doubled": [4]}}, {"b": {"doubled": [6]}}, {"a": {"doubled": [8]}},
        ]}  # fmt: skip


async def test_a_child_may_have_any_name() -> None:
    names = ["", "a/sub/b", "b", "ctx/sub/b", "b#2"]
    outcome = await outcome_of(parent(child()), numbers(**{name: [at] for at, name in enumerate(names)}), seed=3)
    assert outcome.result == {"flow_results": [{name: {"doubled": [2 * at]}} for at, name in enumerate(names)]}


async def test_a_custom_flow_runs_once_for_each_combination() -> None:
    flow = custom(double)
    flow.operations["get_multi"] = GetMulti.op
    flow.implementations["get_multi"] = GetMulti.imp
    flow.seed.append(Input(["doubled"], MULTI))
    flow.update(auto_flow=True)
    result = await result_of(flow, Input("child", NAME), Input(1, NUMBER), Input(2, NUMBER))
    assert result["get_multi"] == {"doubled": [2, 4]}
