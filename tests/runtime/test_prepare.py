"""Preparing a plan: how each operation is called is settled before the first call."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest

from tests.runtime.beside import GO, NOTED, outcomes
from tidemill import (
    DataFlow,
    Definition,
    GetMulti,
    Input,
    InvalidFlow,
    Limits,
    Operation,
    OperationImplementationContext,
    OperationImplementationNotInstantiated,
    RunDataFlowConfig,
    compile_plan,
    op,
    run_dataflow,
)
from tidemill.runtime.children import Reading
from tidemill.runtime.flows import FlowImplementation
from tidemill.runtime.prepare import Implementations, Prepared


def function(go: Any) -> dict[str, Any]:
    return {"noted": go}


async def coroutine(go: Any) -> dict[str, Any]:
    return {"noted": go}


async def generator(go: Any) -> Any:
    yield {"noted": go}


async def with_self(self: Any, go: Any) -> dict[str, Any]:
    return {"noted": (go, type(self).__name__)}


class ContextClass(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"noted": inputs["go"]}


def _made(decorated: Any, **said: Any) -> Any:
    given = {"inputs": {"go": GO}, "outputs": {"noted": NOTED}, "name": "made", **said}
    fresh = type("Fresh", (ContextClass,), {}) if decorated is ContextClass else decorated
    return op(**given)(fresh)


async def _prepared(operation: Any, limits: Limits | None = None) -> Prepared:
    async with Implementations() as implementations:
        plan = await implementations.enter(DataFlow(operation, limits=limits or Limits()))
        return implementations[plan.instances["made"]]


@pytest.mark.parametrize(
    ("decorated", "executor", "kind"),
    [
        (function, None, "thread"),
        (function, "loop", "function"),
        (function, "thread", "thread"),
        (function, "process", "process"),
        (function, "subprocess", "subprocess"),
        (coroutine, None, "coroutine"),
        (coroutine, "thread", "thread"),
        (coroutine, "process", "process"),
        (generator, None, "generator"),
        (generator, "loop", "generator"),
        (with_self, None, "context"),
        (with_self, "thread", "thread"),
        (ContextClass, None, "context"),
        (ContextClass, "loop", "context"),
        (ContextClass, "thread", "thread"),
    ],
)
async def test_where_and_how_an_operation_is_called(decorated: Any, executor: str | None, kind: str) -> None:
    assert (await _prepared(_made(decorated, executor=executor))).kind == kind


@pytest.mark.parametrize("executor", ["process", "subprocess"])
@pytest.mark.parametrize("decorated", [with_self, ContextClass])
async def test_what_needs_its_context_cannot_run_in_another_process(decorated: Any, executor: str) -> None:
    with pytest.raises(InvalidFlow) as raised:
        await _prepared(_made(decorated, executor=executor))
    assert raised.value.reason == "InvalidExecutor"
    assert raised.value.path == "/operations/made/executor"
    assert f"asks for the executor {executor}, but only a plain function can run in another process" in str(
        raised.value
    )


@pytest.mark.parametrize(
    ("decorated", "said", "enters"),
    [(ContextClass, {}, False), (with_self, {}, False), (with_self, {"ctx_enter": {"x": lambda self: None}}, True)],
)
async def test_a_context_is_entered_only_where_there_is_something_to_enter(
    decorated: Any, said: dict[str, Any], enters: bool
) -> None:
    assert (await _prepared(_made(decorated, **said))).enters is enters


async def test_the_code_to_look_for_when_the_loop_is_blocked_is_that_of_the_operation() -> None:
    assert (await _prepared(_made(coroutine))).code is coroutine.__code__
    assert (await _prepared(_made(ContextClass))).code is ContextClass.run.__code__


@pytest.mark.parametrize("wrap", [lambda called: called, partial, lambda called: partial(partial(called))])
async def test_the_code_of_an_object_that_can_be_called_is_looked_for(wrap: Callable[[Any], Any]) -> None:
    made = await _prepared(op(name="made", inputs={}, outputs={}, executor="loop")(wrap(_Called())))
    assert made.code is _Called.__call__.__code__


async def test_what_is_not_written_in_python_has_no_code_to_look_for() -> None:
    made = await _prepared(op(name="made", inputs={}, outputs={}, executor="loop")(partial(print)))
    assert made.code is None


class _Called:
    """Something that can be called and is no function."""

    __qualname__ = "called"

    def __call__(self) -> None:
        return None


async def test_how_far_lists_are_read_follows_from_the_limits() -> None:
    made = await _prepared(_made(function, expand=["noted"]), Limits(outputs=7))
    assert made.reading == Reading(None, frozenset({"noted"}), 7)
    made = await _prepared(_made(function, multi_output=False))
    assert made.reading == Reading("noted", frozenset(), Limits().outputs)


class Point(NamedTuple):
    x: int
    y: int = 0


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_mappings_become_the_specs_of_the_parameters(executor: str) -> None:
    point = Definition("point", "map", spec=Point)

    @op(inputs={"point": point, "go": GO}, outputs={"noted": NOTED}, name="made", executor=executor)
    async def made(point: Point, go: Any) -> dict[str, Any]:
        return {"noted": point}

    assert [name for name, _ in (await _prepared(made)).converts] == ["point"]
    asked = Input(["noted"], GetMulti.op.inputs["spec"])
    (ended,) = await outcomes(DataFlow(made, GetMulti, seed=[asked]), [Input({"x": 1}, point), Input(1, GO)])
    assert ended.result == {"noted": [Point(1, 0)]}


async def test_an_operation_that_was_not_entered_is_named() -> None:
    planned = compile_plan(DataFlow(_made(function))).instances["made"]
    with pytest.raises(OperationImplementationNotInstantiated, match='the implementation of "made"') as raised:
        Implementations()[planned]
    assert raised.value.path == "made"


async def test_a_data_flow_is_entered_once() -> None:
    flow = DataFlow(_made(coroutine))
    async with Implementations() as implementations:
        assert await implementations.enter(flow) is await implementations.enter(flow)
        assert len(implementations.prepared) == 1


async def test_data_flows_that_an_operation_runs_are_entered_with_it() -> None:
    inner = DataFlow(_made(coroutine))
    outer = DataFlow(run_dataflow, configs={run_dataflow.op.name: RunDataFlowConfig(dataflow=inner)})
    async with Implementations() as implementations:
        await implementations.enter(outer)
        assert {planned.instance: made.kind for planned, made in implementations.prepared.items()} == {
            "made": "coroutine",
            run_dataflow.op.name: "flow",
        }


async def test_a_data_flow_that_runs_itself_is_refused() -> None:
    flow = DataFlow(run_dataflow)
    flow.configs[run_dataflow.op.name] = RunDataFlowConfig(dataflow=flow)
    async with asyncio.timeout(60), Implementations() as implementations:
        with pytest.raises(InvalidFlow) as raised:
            await implementations.enter(flow)
    assert raised.value.reason == "SubflowCycle"
    assert "a data flow runs itself" in str(raised.value)


class Knotted(FlowImplementation):
    """Runs the data flow that it belongs to, without saying so in its configuration."""

    op = Operation("made", inputs={"go": GO})
    CONTEXT = ContextClass
    own: DataFlow

    def dataflows(self) -> list[DataFlow]:
        return [self.own]


async def test_an_implementation_that_runs_the_data_flow_it_belongs_to_is_refused() -> None:
    Knotted.own = DataFlow(operations={"made": Knotted.op}, implementations={"made": Knotted})
    async with Implementations() as implementations:
        with pytest.raises(InvalidFlow, match="a data flow of 1 operations runs itself, 1 levels down") as raised:
            await implementations.enter(Knotted.own)
    assert raised.value.reason == "SubflowCycle"


@pytest.mark.parametrize(
    "verb", [lambda made: made.dataflows(), lambda made: made.children({}), lambda made: made.outputs({}, [])]
)
def test_an_implementation_that_runs_data_flows_says_which(verb: Any) -> None:
    class Silent(FlowImplementation):
        op = Operation("made", inputs={"go": GO})
        CONTEXT = ContextClass

    with pytest.raises(NotImplementedError):
        verb(Silent())
