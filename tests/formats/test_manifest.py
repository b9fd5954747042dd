"""A data flow becomes an object for Kubernetes, and is the same when that is read."""

from typing import Any

import pytest
import yaml

from tidemill.errors import InvalidFlow, TidemillError
from tidemill.formats.load import LoadedFlow, flow_of
from tidemill.formats.manifest import manifest_of, object_name
from tidemill.formats.read import parse_document
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.operation import Operation
from tidemill.plan.compile import compile_plan

FLOW: dict[str, Any] = {
    "operations": {
        "say": {"name": "m:say", "inputs": {"word": {"name": "word", "primitive": "string"}}, "pool": "big"}
    },
    "limits": {"parameter_sets": 5},
    "configs": {"say": {"loud": True}},
}


def loaded(**said: Any) -> LoadedFlow:
    return flow_of(parse_document(yaml.safe_dump({**FLOW, **said}), source="f.yaml"))


def again(made: dict[str, Any]) -> LoadedFlow:
    return flow_of(parse_document(yaml.safe_dump(made), source="object.yaml"))


def test_the_data_flow_is_the_same() -> None:
    found = loaded()
    made = manifest_of(found.dataflow, "hello", found)
    assert (made["kind"], made["metadata"], made["spec"]["linked"]) == ("DataFlow", {"name": "hello"}, True)
    assert "inputs" not in made["spec"]
    assert compile_plan(again(made).dataflow).digest == compile_plan(found.dataflow).digest
    assert again(made).dataflow.limits == found.dataflow.limits


def test_one_without_a_file_has_no_inputs() -> None:
    assert set(manifest_of(loaded().dataflow, "hello")["spec"]) == {"linked", "definitions", "operations", "flow",
        "configs", "limits"}  # fmt: skip


def test_definitions_of_one_name_stay_in_place() -> None:
    one, other = (Operation(f"m:{kind}", {"a": Definition("a", kind)}) for kind in ("string", "int"))
    made = manifest_of(DataFlow(one, other), "hello")
    assert "linked" not in made["spec"]
    assert again(made).dataflow.operations["m:int"].inputs["a"].primitive == "int"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"a": {"word": "x"}, "b": [{"definition": "word", "value": "y"}]},
            [{"context": "a", "values": {"word": "x"}},
             {"context": "b", "inputs": [{"definition": "word", "value": "y"}]}]),
        ([{"word": "x"}], [{"values": {"word": "x"}}]),
        ([{"word": "x"}, [{"definition": "word", "value": "y"}]], [{"context": "context-1", "values": {"word": "x"}},
            {"context": "context-2", "inputs": [{"definition": "word", "value": "y"}]}]),
        ([{"context": "a", "inputs": {"word": "x"}}], [{"context": "a", "values": {"word": "x"}}]),
        ([{"context": "a", "values": {"word": "x"}, "inputs": []}, {"inputs": [{"definition": "word", "value": "y"}]}],
            [{"context": "a", "values": {"word": "x"}},
             {"context": "context-2", "inputs": [{"definition": "word", "value": "y"}]}]),
    ],
)  # fmt: skip
def test_input_sets_of_every_form_become_a_list(inputs: Any, expected: Any) -> None:
    found = loaded(inputs=inputs)
    made = manifest_of(found.dataflow, "hello", found)
    assert made["spec"]["inputs"] == expected
    assert again(made).inputs == expected


def test_what_an_object_says_to_the_operator_is_kept() -> None:
    found = loaded(inputs=[{"values": {"word": "x"}}])
    made = manifest_of(found.dataflow, "hello", found)
    made["spec"] |= {"pools": [{"name": "big", "replicas": 3}], "suspend": True}
    twice = again(made)
    other = manifest_of(twice.dataflow, "other", twice)
    assert other["spec"] == made["spec"]


@pytest.mark.parametrize(
    ("inputs", "path", "said"),
    [
        ({"a b": {}}, "/inputs/a b", "no context of an object can be called 'a b'"),
        ({"a": 3}, "/inputs/a", "expected the inputs of a context: a mapping or a list, got int"),
        ([3], "/inputs/0", "a mapping or a list, got int"),
        ([{"context": ["a"], "inputs": []}], "/inputs/0", "no context of an object can be called ['a']"),
        ("x", "/inputs", "expected a mapping of contexts, or a list of them, got str"),
    ],
)
def test_inputs_that_no_object_can_hold(inputs: Any, path: str, said: str) -> None:
    found = loaded(inputs=inputs)
    with pytest.raises(InvalidFlow) as caught:
        manifest_of(found.dataflow, "hello", found)
    assert (caught.value.reason, caught.value.path) == ("NotExportable", path)
    assert said in caught.value.message
    assert "f.yaml" in caught.value.message


@pytest.mark.parametrize("name", ["", "Hello", "a b", "-a", "a..b", "a" * 254])
def test_names_that_no_object_has(name: str) -> None:
    with pytest.raises(TidemillError, match="no object can be called"):
        manifest_of(loaded().dataflow, name)


@pytest.mark.parametrize(
    ("text", "name"), [("My Flow_2", "my-flow-2"), ("a..b", "a.-b"), ("ß", ""), ("--x--", "x"), ("A" * 300, "a" * 253)]
)
def test_names_are_made_of_what_a_file_is_called(text: str, name: str) -> None:
    assert object_name(text) == name
