"""What a call sees of the run: the inputs of its own context, in order, and a place for remarks."""

from typing import Any

import pytest

from tests.runtime.beside import GO, NOTED, outcomes
from tidemill import (
    DataFlow,
    Definition,
    DefinitionNotInContext,
    Input,
    OperationImplementationContext,
    Outcome,
    Stage,
    op,
)

OTHER = Definition("other", "int")


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="noting")
async def noting(go: Any) -> dict[str, Any]:
    return {"noted": f"made of {go}"}


async def _seen(look: Any, *inputs: Input) -> Outcome:
    """Run an output operation that returns what ``look`` sees, over these inputs."""

    @op(inputs={}, outputs={}, name="looking", stage=Stage.OUTPUT)
    class Looking(OperationImplementationContext):
        async def run(self, found: dict[str, Any]) -> dict[str, Any]:
            return {"seen": await look(self)}

    given = {"first": list(inputs), "other context": [Input("elsewhere", GO)]}
    ended = {outcome.name: outcome for outcome in await outcomes(DataFlow(noting, Looking), given)}
    return ended["first"]


async def test_all_inputs_of_the_own_context_are_seen_in_canonical_order() -> None:
    async def look(call: Any) -> list[Any]:
        return [item.value for item in await call.octx.ictx.inputs()]

    ended = await _seen(look, Input("b", GO), Input(1, OTHER), Input("a", GO))
    assert ended.result == {"seen": ["b", 1, "a", "made of b", "made of a"]}


@pytest.mark.parametrize("wanted", [GO, "go"])
async def test_inputs_are_asked_for_by_definition_or_name(wanted: Any) -> None:
    async def look(call: Any) -> list[Any]:
        view = call.octx.ictx
        async with view.definitions(call.ctx) as definitions:
            listed = [item.value async for item in definitions.inputs(wanted)]
        assert [item.value for item in await view.inputs(wanted)] == listed
        return listed

    assert (await _seen(look, Input("b", GO), Input(1, OTHER), Input("a", GO))).result == {"seen": ["b", "a"]}


async def test_a_definition_is_found_by_its_name() -> None:
    async def look(call: Any) -> Any:
        return await call.octx.ictx.definition(call.ctx, "other")

    assert (await _seen(look, Input(1, OTHER))).result == {"seen": OTHER}


async def test_a_definition_of_which_there_is_no_input_is_named_with_the_nearest() -> None:
    async def look(call: Any) -> Any:
        return await call.octx.ictx.definition(call.ctx, "notde")

    ended = await _seen(look, Input("a", GO))
    assert ended.failure is not None
    assert ended.failure.reason == "DefinitionNotInContext"
    assert isinstance(ended.failure.error, DefinitionNotInContext)
    assert 'no input of the context is a "notde" (has: go, noted); did you mean "noted"?' in ended.failure.message


async def test_there_may_be_no_inputs_at_all() -> None:
    async def look(call: Any) -> Any:
        assert await call.octx.ictx.inputs() == []
        return await call.octx.ictx.inputs("go")

    assert (await _seen(look)).result == {"seen": []}


async def test_remarks_are_kept_with_the_run() -> None:
    async def look(call: Any) -> Any:
        call.note("one")
        call.octx.notes.append("two")
        return None

    assert (await _seen(look)).notes == ("one", "two")


async def test_a_call_knows_its_parameter_set() -> None:
    seen: list[Any] = []

    @op(inputs={"go": GO}, outputs={}, name="looking")
    class Looking(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> None:
            seen.append(self.octx.parameter_set)

    await outcomes(DataFlow(Looking), [Input("a", GO)])
    assert seen[0].operation.instance == "looking"
    assert seen[0].arguments() == {"go": "a"}
