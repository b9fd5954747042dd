"""What an API server cannot see is found by the operator: each finding has its place in the object, and what to do."""

import json
from typing import Any

import pytest

from tests.operator.kinds.things import dataflow
from tidemill.errors import InvalidDocument, InvalidFlow, Problem
from tidemill_operator.kinds.accept import accept, input_sets
from tidemill_operator.kinds.objects import DataFlowObject, parse_object, read_object

DEFINITIONS = {"s": {"primitive": "string"}, "i": {"primitive": "int"}, "f": {"primitive": "float"}}
SCORE = {"score": {"name": "m:score", "inputs": {"height": "i", "width": "i"}}}
FETCH = {
    "fetch": {"name": "m:fetch", "inputs": {"url": "s"}, "outputs": {"body": "s", "status": "i"}},
    "parse": {"name": "m:parse", "inputs": {"text": "s"}},
}


def parsed(by: Any) -> dict[str, Any]:
    return {"fetch": {"inputs": {"url": ["seed"]}}, "parse": {"inputs": {"text": [by]}}}


def made(flow: dict[str, Any], **more: Any) -> DataFlowObject:
    said = dataflow(flow={"linked": True, "definitions": DEFINITIONS, **flow}, **more)
    found = read_object(parse_object(json.dumps(said).encode()))
    assert isinstance(found, DataFlowObject)
    return found


def findings(flow: dict[str, Any], **more: Any) -> list[Problem]:
    with pytest.raises(InvalidFlow) as caught:
        found = made(flow, **more)
        input_sets(found, accept(found))
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("flow", "reason", "path", "said"),
    [
        ({"operations": SCORE, "flow": {"score": {"inputs": {"hieght": ["seed"]}}}}, "UnknownParameter",
            "/spec/flow/score/inputs/hieght", '(has: height, width); did you mean "height"?'),
        ({"operations": FETCH, "flow": parsed({"fetch": "bdy"})}, "UnknownOutput", "/spec/flow/parse/inputs/text/0",
            '"fetch" has no output "bdy" (has: body, status)'),
        ({"operations": FETCH, "flow": parsed({"fetch": "status"})}, "TypeMismatch", "/spec/flow/parse/inputs/text/0",
            "fetch.status (int) → parse.text (string)"),
        ({"linked": False, "definitions": {}, "operations": {kind: {"name": "m:a", "inputs": {"x": {
            "name": "X", "primitive": kind}}} for kind in ("int", "string")}}, "DefinitionConflict",
            "/spec/operations/string/inputs/x", 'the definition "X" has primitive'),
        ({"operations": FETCH, "seed": [{"definition": "s", "value": None}]}, "NullValue", "/spec/seed/0/value",
            'null is no value of "s" (string)'),
        ({"operations": FETCH, "seed": [{"definition": "nope", "value": 1}]}, "DefinitionMissing",
            "/spec/seed/0/definition", "missing nope (has: f, i, s)"),
        ({"definitions": {"x": {"primitive": "int", "validate": "v"}}, "operations": {
            "v": {"name": "m:v", "validator": True, "outputs": {"o": "x"}}}}, "ValidatorShape",
            "/spec/definitions/x/validate", 'the validator "v" has to take "x"'),
        ({"operations": {"a b": {"name": "m:a"}, "c": {"name": "m:c", "pool": "gpu"}}}, "UnknownPool",
            "/spec/operations/c/pool", 'spec.pools has no "gpu"'),
        ({"dataFlowFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}, "configs": {"a": 1}}, "UnexpectedField",
            "/spec/configs", "put the configuration of its operations there too"),
    ],
)  # fmt: skip
def test_findings_about_a_data_flow(flow: dict[str, Any], reason: str, path: str, said: str) -> None:
    (found,) = findings(flow)
    assert (found.reason, found.path) == (reason, path)
    assert said in found.message


@pytest.mark.parametrize(
    ("values", "reason", "said"),
    [
        (
            {"i": 1.8446744073709552e19},
            "TypeMismatch",
            "expected int, got float",
        ),  # what 2^64 becomes in the API server
        ({"i": "012"}, "TypeMismatch", "expected int, got str"),
        ({"s": False}, "TypeMismatch", "expected string, got bool"),  # what `no` becomes in kubectl
        ({"s": None}, "NullValue", "leave it out to take its default"),
    ],
)
def test_findings_about_values(values: dict[str, Any], reason: str, said: str) -> None:
    flow = {"operations": {**FETCH, **SCORE}}
    (found,) = findings(flow, inputs=[{"values": values}])
    assert (found.reason, found.path) == (reason, f"/spec/inputs/0/values/{next(iter(values))}")
    assert said in found.message


def test_a_whole_float_that_was_stored_as_an_integer_is_a_float() -> None:
    found = made({"operations": {"a": {"name": "m:a", "inputs": {"f": "f"}}}}, inputs=[{"values": {"f": 1}}])
    assert len(input_sets(found, accept(found))) == 1


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(InvalidDocument, match="half a surrogate pair"):
        made({"operations": FETCH}, inputs=[{"values": {"s": "\ud800"}}])


@pytest.mark.parametrize(
    ("flow", "reason", "path"),
    [
        ({"operations": SCORE, "flow": {"score": {"inputs": {"height": ["seed"]}}}}, "UnboundParameter",
            "/spec/flow/score/inputs/width"),
        ({"operations": {"a": {"name": "m:a", "inputs": {"x": "i"}, "outputs": {"y": "i"}}}, "flow": {
            "a": {"inputs": {"x": ["seed", {"a": "y"}]}}}}, "UnboundedCycle", "/spec/flow/a"),
        ({"operations": {"a": {"name": "m:a", "conditions": ["i"]}}}, "ConditionType",
            "/spec/operations/a/conditions/0"),
    ],
)  # fmt: skip
def test_what_is_only_warned_of(flow: dict[str, Any], reason: str, path: str) -> None:
    (found,) = accept(made(flow)).warnings
    assert (found.reason, found.path) == (reason, path)
