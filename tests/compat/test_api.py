"""Programs in the shapes that DFFML's users write, with nothing but the import changed."""

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

import tidemill as dffml
from tidemill.df.base import BaseConfig, OperationImplementation, OperationImplementationContext, op, opimp_in
from tidemill.df.exceptions import DefinitionNotInContext
from tidemill.df.memory import (
    MemoryInputSet,
    MemoryInputSetConfig,
    MemoryOrchestrator,
)
from tidemill.df.types import DataFlow, Definition, Input, InputFlow, Operation, Stage
from tidemill.high_level.dataflow import run
from tidemill.operation.dataflow import RunDataFlowConfig, run_dataflow
from tidemill.operation.output import GetMulti, GetSingle

GRAIN = Definition(name="grain", primitive="string")
FLOUR = Definition(name="flour", primitive="string")
IS_DRY = Definition(name="is_dry", primitive="bool")


@op(inputs={"grain": GRAIN}, outputs={"flour": FLOUR, "dry": IS_DRY})
async def grind(grain: str) -> dict[str, Any]:
    return {"flour": f"{grain} flour", "dry": "wet" not in grain}


@op(inputs={"flour": FLOUR}, outputs={"bread": Definition("bread", "string")}, conditions=[IS_DRY])
def bake(flour: str) -> dict[str, str]:
    return {"bread": f"{flour} bread"}


OPIMPS = opimp_in(sys.modules[__name__])
DATAFLOW = DataFlow.auto(*OPIMPS)


def asking(operation: Any, *names: Any) -> Input:
    return Input(value=list(names), definition=operation.op.inputs["spec"])


async def results_of(dataflow: DataFlow, *sets: Any, **said: Any) -> dict[str, Any]:
    """Return the result of each context by name, by way of an orchestrator context."""
    found = {}
    async with MemoryOrchestrator.withconfig({}) as orchestrator:
        async with orchestrator(dataflow) as octx:
            async for ctx, results in octx.run(*sets, **said):
                found[(await ctx.handle()).as_string()] = results
    return found


class OwnContext(dffml.StringInputSetContext):
    """A context of a class of its own."""


@pytest.mark.parametrize("style", ["names", "contexts", "sets"])
async def test_inputs_are_given_by_name_by_context_and_as_sets(style: str) -> None:
    flow = DataFlow.auto(grind, bake, GetSingle)
    flow.seed.append(asking(GetSingle, "bread"))
    inputs = {"one": [Input(value="rye", definition=GRAIN)], "two": [Input("oat", GRAIN)]}
    given: tuple[Any, ...] = ({OwnContext(name): listed for name, listed in inputs.items()},)
    if style == "names":
        given = (inputs,)
    elif style == "sets":
        given = tuple(
            MemoryInputSet(MemoryInputSetConfig(ctx=OwnContext(name), inputs=listed)) for name, listed in inputs.items()
        )
    expected = {"one": {"bread": "rye flour bread"}, "two": {"bread": "oat flour bread"}}
    assert await results_of(flow, *given) == expected
    async for ctx, _ in run(flow, *given):
        assert isinstance(ctx, OwnContext) == (style != "names")


async def test_lists_have_contexts_of_their_own_or_one_that_is_said() -> None:
    flow = DataFlow(grind, GetMulti, seed=[asking(GetMulti, "flour")])
    found = [result async for _, result in MemoryOrchestrator.run(flow, [Input("rye", GRAIN)])]
    assert found == [{"flour": ["rye flour"]}]
    together = [[Input("rye", GRAIN)], [Input("oat", GRAIN)]]
    said = await results_of(flow, *together, ctx=dffml.StringInputSetContext("all"))
    assert said == {"all": {"flour": ["rye flour", "oat flour"]}}


def test_operations_of_a_module_are_found() -> None:
    assert [found for found in OPIMPS if found.op.name.startswith(__name__)] == [bake.imp, grind.imp]
    assert {grind.op, bake.op, GetSingle.op} <= set(dffml.operation_in(sys.modules[__name__]))
    assert dffml.opwraped_in({"a": grind, "b": 3}) == [grind]
    assert dffml.isopwraped(grind)
    assert not dffml.isopimp(grind)
    assert dffml.isoperation(grind.op)
    assert {grind.op.name, bake.op.name} <= set(DATAFLOW.operations)
    assert dffml.opimp_name(grind.imp) == grind.op.name


async def test_instances_have_names_and_the_flow_is_edited() -> None:
    flow = DataFlow(operations={"first": grind, "second": grind.op, "get": GetSingle.imp.op}, seed=[])
    flow.seed.append(Input([{"made": "flour"}], GetSingle.op.inputs["spec"]))
    flow.flow["second"] = InputFlow(inputs={"grain": [{"first": "flour"}]})
    flow.flow.update({"first": InputFlow(inputs={"grain": ["client"]})})
    flow.update()
    assert await results_of(flow, {"a": [Input("rye", GRAIN, origin="client")]}) == {"a": {"made": "rye flour flour"}}
    assert flow.by_origin[Stage.PROCESSING]["client"][0].instance_name == "first"
    flow.operations["third"] = bake  # type: ignore[assignment]
    flow.update(auto_flow=True)
    assert flow.operations["third"].instance_name == "third"
    assert flow.flow == flow.auto_flow()
    assert "bread" in flow.definitions


def test_replacing_the_outputs_of_an_operation_leaves_no_lists_of_others() -> None:
    replaced = run_dataflow.op._replace(inputs={"grain": GRAIN}, outputs={"flour": FLOUR})
    assert replaced.expand == []
    assert run_dataflow.op._replace(name="other").expand == ["results"]


async def test_a_data_flow_runs_another() -> None:
    inner = DataFlow(grind, GetSingle, seed=[asking(GetSingle, "flour")])
    flow = DataFlow(
        operations={
            "run_dataflow": run_dataflow.op._replace(inputs={"grain": GRAIN}, outputs={"flour": FLOUR}),
            "get_single": GetSingle.imp.op,
        },
        configs={"run_dataflow": RunDataFlowConfig(dataflow=inner)},
        seed=[asking(GetSingle, "flour")],
    )
    assert await results_of(flow, {"a": [Input("rye", GRAIN)]}) == {"a": {"flour": "rye flour"}}


async def test_an_operation_runs_a_data_flow_by_itself() -> None:
    inner = DataFlow(grind, GetSingle, seed=[asking(GetSingle, "flour")])

    @op(inputs={"grain": GRAIN}, outputs={"bread": Definition("bread", "string")})
    async def whole(self: Any, grain: str) -> AsyncIterator[dict[str, str]]:
        async with self.subflow(inner) as octx:
            async for _, result in octx.run({"child": [Input(grain, GRAIN)]}):
                yield {"bread": result["flour"]}

    flow = DataFlow(whole, GetSingle, seed=[asking(GetSingle, "bread")])
    assert await results_of(flow, {"a": [Input("rye", GRAIN)]}) == {"a": {"bread": "rye flour"}}

    @op(inputs={"grain": GRAIN}, outputs={})
    async def overlaid(self: Any, grain: str) -> None:
        async with self.subflow(inner, overlay=DataFlow()):
            pass

    with pytest.raises(dffml.OperationException, match="takes no reuse and no overlay"):
        await results_of(DataFlow(overlaid), [Input("rye", GRAIN)])


@contextlib.asynccontextmanager
async def opened(words: list[str], word: str) -> AsyncIterator[str]:
    words.append(f"opens {word}")
    yield word
    words.append(f"closes {word}")


@dffml.config
class StoneConfig:
    """How a stone is."""

    size: int = dffml.field("how large it is", default=1)


async def test_what_an_operation_enters_is_there_and_left() -> None:
    words: list[str] = []

    @op(
        inputs={"grain": GRAIN},
        outputs={"flour": FLOUR},
        config_cls=StoneConfig,
        imp_enter={"stone": lambda self: opened(words, f"stone {self.config.size}")},
        ctx_enter={"sack": lambda self: opened(words, f"sack by {self.parent.stone}")},
    )
    async def mill(self: Any, grain: str) -> dict[str, str]:
        assert self.config is self.parent.config
        return {"flour": f"{self.parent.stone}, {self.sack}, {grain}, {self.parent.config.size}"}

    flow = DataFlow(mill, GetSingle, configs={mill.op.name: {"size": 2}}, seed=[asking(GetSingle, "flour")])
    assert await results_of(flow, {"a": [Input("rye", GRAIN)]}) == {"a": {"flour": "stone 2, sack by stone 2, rye, 2"}}
    assert words == ["opens stone 2", "opens sack by stone 2", "closes sack by stone 2", "closes stone 2"]
    assert await mill.test(grain="oat") == {"flour": "stone 1, sack by stone 1, oat, 1"}


class SieveContext(OperationImplementationContext):
    """One call, written as a class."""

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return the flour."""
        assert "PATH" in self.env
        self.logger.debug("sieves")
        return {"flour": inputs["grain"].upper()}


class Sieve(OperationImplementation):
    """An implementation, written as a class."""

    op = Operation(name="sieve", inputs={"grain": GRAIN}, outputs={"flour": FLOUR})
    CONTEXT = SieveContext


async def test_an_implementation_may_be_written_as_classes() -> None:
    flow = DataFlow.auto(Sieve, GetSingle)
    flow.seed.append(asking(GetSingle, FLOUR.name))
    assert await results_of(flow, [Input("rye", GRAIN)], ctx="a") == {"a": {"flour": "RYE"}}
    assert isinstance(Sieve.withconfig({}).config, BaseConfig)


async def test_output_operations_read_what_there_is_and_whence() -> None:
    @op(inputs={"spec": Definition("ask", "string")}, outputs={"output": Definition("told", "map")}, stage=Stage.OUTPUT)
    class Tell(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
            definition = await self.octx.ictx.definition(self.ctx, inputs["spec"])
            async with self.octx.ictx.definitions(self.ctx) as od:
                return {
                    item.value: [parent.value async for parent in item.get_parents()]
                    async for item in od.inputs(definition)
                }

    flow = DataFlow(grind, Tell)
    given = [Input("rye", GRAIN), Input("flour", Tell.op.inputs["spec"])]
    assert await results_of(flow, given, ctx="a") == {"a": {"rye flour": ["rye"]}}
    with pytest.raises(dffml.OperationException) as caught:
        await results_of(DataFlow(grind, Tell), [Input("rye", GRAIN), Input("stone", Tell.op.inputs["spec"])])
    assert isinstance(caught.value.__cause__, DefinitionNotInContext)


async def test_parents_come_with_their_children() -> None:
    rye = Input(value="rye", definition=GRAIN)
    flour = Input(value="its flour", definition=FLOUR, parents=[rye])
    other = Input(value="other flour", definition=FLOUR)
    assert [parent async for parent in flour.get_parents()] == [rye] == list(flour.get_parents())
    flow = DataFlow.auto(dffml.Associate)
    spec = Input(["grain", "flour"], dffml.Associate.op.inputs["spec"])
    assert await results_of(flow, [rye, flour, other, spec], ctx="a") == {"a": {"flour": {"rye": "its flour"}}}
