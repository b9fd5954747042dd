"""Code that does not fit what a data flow declares is refused when the data flow is loaded, not when it is called."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orchestrator.support import outcome_of, result_of
from tidemill import (
    DataFlow,
    Definition,
    GetMulti,
    Input,
    LoadError,
    Operation,
    OperationImplementationContext,
    op,
)

A, B, C = (Definition(name, "int") for name in "abc")
TOTAL = Definition("total", "int")
MULTI = GetMulti.op.inputs["spec"]


@op(name="sum", inputs={"a": A, "b": B}, outputs={"total": TOTAL})
def explicit(a: int, b: int = 0) -> dict[str, int]:
    return {"total": a + b}


@op(name="sum", inputs={"a": A, "b": B})
async def annotated(a: int, b: int = 0) -> int:
    return a + b


def undecorated(a: int, b: int = 0) -> dict[str, int]:
    return {"total": a + b}


def declared(code: Any, inputs: dict[str, Definition], outputs: dict[str, Definition]) -> DataFlow:
    """A data flow, as it was read from a file, whose operation is run by ``code``."""
    written = Operation("sum", inputs=inputs, outputs=outputs)
    found = getattr(code, "imp", code)
    return DataFlow(written, GetMulti, seed=[Input(["total"], MULTI)], implementations={"sum": found})


@pytest.mark.parametrize("code", [explicit, annotated, undecorated])
@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"a": A, "c": C}, 'missing parameter "c"'),
        ({"b": B}, 'parameter "a" is not among the declared inputs'),
    ],
)
async def test_other_inputs_than_the_function_takes_are_refused(
    code: Any, inputs: dict[str, Definition], said: str
) -> None:
    with pytest.raises(LoadError) as caught:
        await outcome_of(declared(code, inputs, {}))
    assert (caught.value.reason, caught.value.path) == ("SignatureMismatch", "sum")
    assert said in caught.value.message


async def test_an_output_that_a_bare_value_is_not_is_refused() -> None:
    with pytest.raises(LoadError, match='"result" .*has: results.*did you mean "results"') as caught:
        await outcome_of(declared(annotated, {"a": A, "b": B}, {"results": TOTAL}))
    assert caught.value.reason == "SignatureMismatch"


@pytest.mark.parametrize(
    ("code", "outputs"),
    [(explicit, {"total": TOTAL}), (annotated, {"result": TOTAL}), (undecorated, {"total": TOTAL})],
)
async def test_what_has_a_default_in_python_need_not_be_declared(code: Any, outputs: dict[str, Definition]) -> None:
    assert await result_of(declared(code, {"a": A}, outputs), Input(1, A)) == {"total": [1]}


async def test_a_class_takes_its_inputs_as_they_are() -> None:
    @op(name="sum", inputs={}, outputs={})
    class Sum(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> dict[str, int]:
            return {"total": sum(inputs.values())}

    made = declared(Sum, {"a": A, "c": C}, {"total": TOTAL})
    assert await result_of(made, Input(1, A), Input(3, C)) == {"total": [4]}
