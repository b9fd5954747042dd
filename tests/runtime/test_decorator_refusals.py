"""What `op` refuses while it decorates, before anything calls it, and how it names what it decorates."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.orchestrator.support import result_of
from tidemill import DataFlow, Definition, Input, LoadError, op

URL, SIZE = Definition("url", "string"), Definition("size", "int")


def two(a: str, b: str) -> None: ...


def only_positional(a: str, /) -> None: ...


def generator(a: str) -> Any:
    yield a


def anything(**named: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "inputs", "said"),
    [
        (two, {"a": URL, "c": URL}, ['missing parameter "c"', 'parameter "b" is not among the declared inputs']),
        (only_positional, {"a": URL}, ['parameter "a" is positional only']),
        (generator, {"a": URL}, ["is a plain generator", "async generator"]),
        (two, {"a": "url", "b": URL}, ['inputs["a"] has to be a Definition']),
    ],
)
def test_what_cannot_be_called_as_declared_is_refused(function: Any, inputs: Any, said: list[str]) -> None:
    with pytest.raises(LoadError) as caught:
        op(name="wrong", inputs=inputs, outputs={})(function)
    assert caught.value.reason == "SignatureMismatch"
    assert caught.value.path == "wrong"
    for part in said:
        assert part in caught.value.message


async def test_a_function_of_any_keywords_takes_any_inputs() -> None:
    taking = op(name="any", inputs={"a": URL, "b": SIZE}, outputs={})(anything)
    await result_of(DataFlow(taking), Input("x", URL), Input(1, SIZE))


def test_a_lambda_has_to_be_named() -> None:
    with pytest.raises(LoadError, match="lambda has no name"):
        op(lambda a: a)
    assert cast(Any, op(name="named")(lambda a: a)).op.name == "named"


def test_things_without_a_name_are_refused_and_may_be_given_one() -> None:
    class Callable_:
        def __call__(self, a: str) -> None: ...

    with pytest.raises(LoadError, match=r"has no name: give @op\(name="):
        op(Callable_())
    assert op(name="named")(Callable_()).op.name == "named"


def test_op_takes_keywords_only() -> None:
    with pytest.raises(LoadError, match="keywords only"):
        cast(Any, op)("name", inputs={})


def test_an_unknown_keyword_is_refused_by_name() -> None:
    with pytest.raises(LoadError, match='"inptus".*did you mean "inputs"'):
        op(name="x", inptus={})(two)


def test_names_are_module_and_function_and_only_the_function_in_main() -> None:
    def local(a: str) -> None: ...

    assert op(local).op.name == f"{__name__}:local"
    local.__module__ = "__main__"
    assert op(local).op.name == "local"
