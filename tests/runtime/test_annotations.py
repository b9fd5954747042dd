"""Definitions from signatures: names, primitives, defaults and specs, for every kind of annotation."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, NamedTuple, NewType, Optional, Union

import pytest

from tidemill import NO_DEFAULT, Definition, OperationImplementationContext
from tidemill.runtime.annotations import inputs_of, outputs_of, wants

URL = NewType("URL", str)
SHARED = Definition("shared", "int", lock=True)


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclasses.dataclass
class Repo:
    url: str


class Plain: ...


def takes(annotation: Any, default: Any = NO_DEFAULT) -> Definition:
    """Return the definition of a parameter ``a`` of the operation ``o`` with this annotation."""

    def without(a): ...  # type: ignore[no-untyped-def]

    def with_default(a=default): ...  # type: ignore[no-untyped-def]

    function: Any = without if default is NO_DEFAULT else with_default
    function.__annotations__ = {"a": annotation}
    return inputs_of(function, "o", None)["a"]


def gives(annotation: Any) -> dict[str, Definition]:
    def function() -> Any: ...

    function.__annotations__ = {"return": annotation}
    return outputs_of(function, "o")


@pytest.mark.parametrize(
    ("annotation", "primitive"),
    [
        (str, "str"),
        (int, "int"),
        (float, "float"),
        (bool, "bool"),
        (bytes, "bytes"),
        (dict, "map"),
        (list, "array"),
        (dict[str, int], "map"),
        (list[str], "array"),
        (object, "object"),
        (Any, "generic"),
        (tuple[int, str], "generic"),
        (int | str, "generic"),
        (Union[int, str], "generic"),  # noqa: UP007 (the old spelling is another type)
        (str | None, "generic"),
    ],
)
def test_a_primitive_is_named_after_the_operation_and_the_parameter(annotation: Any, primitive: str) -> None:
    assert takes(annotation) == Definition("o.inputs.a", primitive)
    assert gives(annotation) == {"result": Definition("o.outputs.result", primitive)}


@pytest.mark.parametrize("annotation", [str | None, Optional[str]])  # noqa: UP045 (the old spelling is another type)
def test_none_as_the_default_makes_an_optional_of_its_other_type(annotation: Any) -> None:
    found = takes(annotation, None)
    assert found == Definition("o.inputs.a", "str", default=None)
    assert found.nullable


def test_a_python_default_is_the_default() -> None:
    assert takes(int, 3) == Definition("o.inputs.a", "int", default=3)
    assert takes(list, []).default == []
    assert not takes(int).has_default


def test_a_newtype_is_named_after_itself() -> None:
    assert takes(URL, "x") == Definition("URL", "str", default="x")
    assert gives(URL) == {"result": Definition("URL", "str")}


@pytest.mark.parametrize("spec", [Point, Repo])
def test_a_named_tuple_or_dataclass_is_a_map_with_a_spec_under_its_own_name(spec: Any) -> None:
    assert takes(spec) == Definition(spec.__name__, "map", spec=spec)


def test_a_class_is_an_object_under_its_own_name_without_where_it_was_defined() -> None:
    class Local: ...

    assert takes(Plain) == Definition("Plain", "object")
    assert takes(Local).name == "Local"


def test_elements_that_mappings_become_are_a_spec_of_the_elements() -> None:
    assert takes(list[Point]) == Definition("o.inputs.a", "array", spec=Point, subspec=True)
    assert takes(dict[str, Repo]) == Definition("o.inputs.a", "map", spec=Repo, subspec=True)
    assert takes(list[Plain]).spec is None


def test_a_definition_as_the_annotation_is_the_definition() -> None:
    assert takes(SHARED) is SHARED
    assert takes(SHARED, 3) == SHARED._replace(default=3)


@pytest.mark.parametrize("annotation", [AsyncIterator[int], AsyncGenerator[int, None], Awaitable[int]])
def test_what_is_given_over_time_is_of_the_type_of_one_value(annotation: Any) -> None:
    assert gives(annotation) == {"result": Definition("o.outputs.result", "int")}


@pytest.mark.parametrize("annotation", [AsyncIterator, AsyncGenerator])
def test_a_stream_of_unknown_values_gives_anything(annotation: Any) -> None:
    assert gives(annotation) == {"result": Definition("o.outputs.result", "generic")}


@pytest.mark.parametrize("annotation", [None, type(None)])
def test_a_function_that_says_it_returns_nothing_has_no_output(annotation: Any) -> None:
    assert gives(annotation) == {}

    def silent(): ...  # type: ignore[no-untyped-def]

    assert outputs_of(silent, "o") == {}


def test_a_parameter_without_annotation_takes_anything() -> None:
    def function(a, *rest, **named): ...  # type: ignore[no-untyped-def]

    assert inputs_of(function, "o", None) == {"a": Definition("o.inputs.a", "generic")}


def test_an_annotation_that_names_nothing_is_no_reason_to_fail() -> None:
    def function(a: Nowhere) -> Nothing: ...  # type: ignore[name-defined] # noqa: F821

    assert inputs_of(function, "o", None) == {"a": Definition("o.inputs.a", "generic")}
    assert outputs_of(function, "o") == {"result": Definition("o.outputs.result", "generic")}


def test_what_the_engine_fills_in_is_no_input() -> None:
    def function(self, a: int, logger, env, log: logging.Logger, call: OperationImplementationContext, repo: Repo): ...  # type: ignore[no-untyped-def]

    assert wants(function, Repo) == {
        "self": "self", "logger": "logger", "env": "env", "log": "logger", "call": "self", "repo": "config"
    }  # fmt: skip
    assert list(inputs_of(function, "o", Repo)) == ["a"]
    assert list(inputs_of(function, "o", None)) == ["a", "repo"]
