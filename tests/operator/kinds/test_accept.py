"""What an object says becomes a data flow in pools of its own, and input sets that are called by the object."""

import io
import json
from typing import Any

import pytest

from tests.operator.kinds.things import FLOW, dataflow, dataflowrun
from tidemill.errors import InvalidFlow, InvalidInput, Problem
from tidemill_operator.kinds.accept import MOST_PROBLEMS, accept, config_map_keys, file_sets, input_sets
from tidemill_operator.kinds.objects import DataFlowObject, DataFlowRunObject, read_object


def flow_object(**spec: Any) -> DataFlowObject:
    found = read_object(dataflow(**spec))
    assert isinstance(found, DataFlowObject)
    return found


def run_object(**spec: Any) -> DataFlowRunObject:
    found = read_object(dataflowrun(**spec))
    assert isinstance(found, DataFlowRunObject)
    return found


def problems(call: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidFlow) as caught:
        call()
    return [(each.reason, each.path, each.message) for each in caught.value.problems]


def values(given: Any) -> list[tuple[str, list[Any]]]:
    return [(each.name, [item.value for item in each.inputs.inputs]) for each in given]


def test_operations_get_pools_of_their_data_flow() -> None:
    spec = {**FLOW, "operations": {**FLOW["operations"], "big": {"name": "m:big", "pool": "gpu"}}}
    accepted = accept(flow_object(flow=spec, pools=[{"name": "gpu"}]))
    pools = {planned.instance: planned.operation.pool for planned in accepted.plan.operations}
    assert pools == {"say": "hello.default", "big": "hello.gpu"}
    assert accepted.pools == ("default", "gpu")
    assert accept(flow_object(flow=spec, name="other", pools=[{"name": "gpu"}])).plan.digest != accepted.plan.digest


def test_data_flows_within_get_the_same_pools() -> None:
    inner = {**FLOW, "operations": {"say": {**FLOW["operations"]["say"], "pool": "gpu"}}}
    outer = {
        "operations": {"run": {"name": "dffml.dataflow.run"}, "own": {"name": "m:own"}},
        "configs": {"run": {"dataflow": {"operations": {"deep": {"name": "dffml.dataflow.run"}}, "configs": {
            "deep": {"dataflow": inner}}}}, "own": {"dataflow": "a name"}},
    }  # fmt: skip
    accepted = accept(flow_object(flow=outer, pools=[{"name": "gpu"}]))
    within = accepted.dataflow.configs["run"]["dataflow"]
    assert within["operations"]["deep"]["pool"] == "hello.default"
    assert within["configs"]["deep"]["dataflow"]["operations"]["say"]["pool"] == "hello.gpu"
    assert accepted.dataflow.configs["own"] == {"dataflow": "a name"}
    assert accepted.pools == ("default", "gpu")
    (found,) = problems(lambda: accept(flow_object(flow=outer)))
    within = "/spec/configs/run/dataflow/configs/deep/dataflow"
    assert found[:2] == ("UnknownPool", f"{within}/operations/say/pool")
    assert 'spec.pools has no "gpu" (has: default); add it there' in found[2]


@pytest.mark.parametrize(
    ("inner", "reason", "path"),
    [
        ({"operations": {"a": 3}}, "TypeMismatch", "/operations/a"),
        ({"operations": {"a": {"name": "m:a", "pool": 3}}}, "TypeMismatch", "/operations/a/pool"),
        ({"operations": []}, "TypeMismatch", "/operations"),
        ({"operations": {"a": {"name": "m:a"}}, "flow": {"b": {}}}, "UnknownOperation", "/flow/b"),
    ],
)
def test_what_is_wrong_with_a_data_flow_within_has_its_place(inner: Any, reason: str, path: str) -> None:
    outer = {"operations": {"run": {"name": "dffml.dataflow.run"}}, "configs": {"run": {"dataflow": inner}}}
    found = problems(lambda: accept(flow_object(flow=outer)))
    assert [each[:2] for each in found] == [(reason, f"/spec/configs/run/dataflow{path}")]


def test_operations_without_a_timeout_have_that_of_their_pool() -> None:
    operations = {
        "say": {"name": "m:say"},
        "slow": {"name": "m:slow", "timeout": 70},
        "far": {"name": "m:far", "pool": "far"},
    }
    pools = [{"name": "default", "operationTimeoutSeconds": 50}, {"name": "far"}]
    accepted = accept(flow_object(flow={"operations": operations}, pools=pools))
    found = {name: operation.timeout for name, operation in accepted.dataflow.operations.items()}
    assert found == {"say": 50, "slow": 70, "far": None}
    (warning,) = accepted.warnings
    assert (warning.reason, warning.path) == ("GraceTooShort", "/spec/operations/slow")
    assert 'give the pool "default" a gracePeriodSeconds above 70' in warning.message
    patient = [{"name": "default", "gracePeriodSeconds": 71}, {"name": "far"}]
    assert accept(flow_object(flow={"operations": operations}, pools=patient)).warnings == ()


def test_what_is_wrong_with_the_data_flow_has_its_place_in_the_object() -> None:
    spec = {**FLOW, "flow": {"say": {"inputs": {"wrod": ["seed"]}}}}
    found = problems(lambda: accept(flow_object(flow=spec)))
    assert [each[:2] for each in found] == [("UnknownParameter", "/spec/flow/say/inputs/wrod")]
    assert 'did you mean "word"?' in found[0][2]
    assert "(<" not in found[0][2]


def test_a_data_flow_comes_out_of_a_config_map() -> None:
    found = flow_object(flow={}, dataFlowFrom={"configMapKeyRef": {"name": "big", "key": "flow.json"}})
    assert [(key.name, key.key) for key in config_map_keys(found)] == [("big", "flow.json")]
    text = {("big", "flow.json"): json.dumps(FLOW)}
    assert accept(found, text).plan.digest == accept(flow_object()).plan.digest
    missing = problems(lambda: accept(found, {}))
    assert missing[0][:2] == ("ConfigMapKeyNotFound", "/spec/dataFlowFrom/configMapKeyRef")
    wrong = problems(lambda: accept(found, {("big", "flow.json"): '{"operations": {"a": {"name": 3}}}'}))
    assert wrong[0][:2] == ("TypeMismatch", "/operations/a/name")
    assert "flow.json of ConfigMap big, line 1" in wrong[0][2]
    bad = problems(lambda: accept(found, {("big", "flow.json"): '{"operations":'}))
    assert bad[0][:2] == ("MalformedJson", "/spec/dataFlowFrom/configMapKeyRef")
    inputs = problems(lambda: accept(found, {("big", "flow.json"): json.dumps({**FLOW, "inputs": {}})}))
    assert inputs[0][0] == "UnexpectedInputs"


def test_limits_of_the_object_and_of_a_run_go_before_those_of_the_file() -> None:
    found = flow_object(flow={}, dataFlowFrom={"configMapKeyRef": {"name": "big", "key": "f"}}, limits={"inputs": 7})
    text = {("big", "f"): json.dumps({**FLOW, "limits": {"inputs": 5, "parameter_sets": 6}})}
    run = run_object(limits={"parameterSets": 9})
    limits = accept(found, text, limits=run.spec.limits).dataflow.limits
    assert (limits.inputs, limits.parameter_sets) == (7, 9)


def test_input_sets_are_called_by_their_object() -> None:
    found = flow_object(inputs=[{"values": {"word": ["a", "b"]}}, {"context": "x", "inputs": [
        {"definition": "word", "value": "c"}, {"definition": "times", "value": 2, "origin": "seed"}]}])  # fmt: skip
    given = input_sets(found, accept(found))
    assert values(given) == [("hello", ["a", "b"]), ("hello.x", ["c", 2])]
    again = input_sets(found, accept(found))
    assert [each.digest for each in given] == [each.digest for each in again]
    assert given[0].digest != given[1].digest


def test_a_run_without_inputs_has_one_context_and_a_data_flow_none() -> None:
    found = flow_object()
    assert input_sets(found, accept(found)) == []
    assert values(input_sets(run_object(), accept(found))) == [("again", [])]
    assert values(input_sets(run_object(inputs=[{"context": "a", "values": {"word": "w"}}]), accept(found))) == [
        ("again.a", ["w"])
    ]


def test_values_come_out_of_config_maps_as_their_definition_says() -> None:
    def ref(key: str) -> dict[str, Any]:
        return {"configMapKeyRef": {"name": "c", "key": key}}

    items = [{"definition": "word", "valueFrom": ref("text")}, {"definition": "times", "valueFrom": ref("number")}]
    found = flow_object(inputs=[{"inputs": items}])
    assert [key.key for key in config_map_keys(found)] == ["text", "number"]
    texts = {("c", "text"): "12", ("c", "number"): "12\n"}
    assert values(input_sets(found, accept(found), texts)) == [("hello", ["12", 12])]
    wrong = problems(lambda: input_sets(found, accept(found), {**texts, ("c", "number"): "twelve"}))
    assert wrong[0][:2] == ("MalformedJson", "/spec/inputs/0/inputs/1/valueFrom/configMapKeyRef")


def test_files_of_inputs_in_config_maps() -> None:
    def source(name: str, format: str) -> dict[str, Any]:
        return {"name": name, "configMapKeyRef": {"name": "c", "key": name}, "format": format}

    found = flow_object(inputsFrom=[source("lines", "jsonl"), source("rows", "csv"), source("all", "yaml")])
    texts = {
        ("c", "lines"): '{"word": "a"}\n{"context": "b", "inputs": {"word": "b"}}\n',
        ("c", "rows"): "word,times\nc,3\n",
        ("c", "all"): "d: {word: d}\n",
    }
    assert values(input_sets(found, accept(found), texts)) == [
        ("hello.lines:1", ["a"]), ("hello.b", ["b"]), ("hello.rows:2", ["c", 3]), ("hello.d", ["d"])]  # fmt: skip
    wrong = problems(lambda: input_sets(found, accept(found), {**texts, ("c", "lines"): '{"word": 3}'}))
    assert wrong == [("TypeMismatch", "/spec/inputsFrom/0", '"word": expected string, got int 3 (lines:1#/word)')]
    twice = problems(lambda: input_sets(found, accept(found), {**texts, ("c", "all"): "b: {word: d}\n"}))
    assert twice[0][0] == "DuplicateContext"


def test_a_file_from_elsewhere_is_read_as_it_comes() -> None:
    found = run_object(inputsFrom=[{"name": "far", "url": "s3://bucket/far.jsonl"}])
    assert config_map_keys(found) == []
    accepted = accept(flow_object())
    assert input_sets(found, accepted) == []
    (source,) = found.spec.inputsFrom
    file = io.BytesIO(b'{"word": "a"}\n{"context": "b", "inputs": {"word": "b"}}\n')
    assert values(file_sets(found, accepted, source, file)) == [("again.far:1", ["a"]), ("again.b", ["b"])]
    bad = file_sets(found, accepted, source, io.BytesIO(b'{"word": "a"}\n{"wrod": 1}\n'))
    assert next(bad).name == "again.far:1"
    with pytest.raises(InvalidInput, match='did you mean "word"'):
        next(bad)
    twice = b'{"context": "b", "inputs": {"word": "b"}}\n' * 2
    with pytest.raises(Exception, match="is there twice"):
        list(file_sets(found, accepted, source, io.BytesIO(twice)))


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([{"values": {"wrod": 1}}], Problem("UnknownDefinition", "/spec/inputs/0/values/wrod", 'did you mean "word"?')),
        ([{"values": {"word": "a"}}, {"context": "x", "inputs": [{"definition": "times", "value": "3"}]}],
            Problem("TypeMismatch", "/spec/inputs/1/inputs/0/value", "expected int, got str '3'")),
        ([{"values": {"times": None}}], Problem("NullValue", "/spec/inputs/0/values/times", "leave it out")),
        ([{"context": "a"}, {"context": "a"}], Problem("DuplicateContext", "/spec/inputs/1", '"hello.a" is there ')),
        ([{"inputs": [{"definition": "word", "value": value, "uid": "u"} for value in "ab"]}],
            Problem("InputConflict", "/spec/inputs/0/inputs/1", "")),
    ],
)  # fmt: skip
def test_inputs_that_no_context_takes(inputs: Any, expected: Problem) -> None:
    found = flow_object(inputs=inputs)
    ((reason, path, message),) = problems(lambda: input_sets(found, accept(found)))
    assert (reason, path) == (expected.reason, expected.path)
    assert expected.message in message


def test_not_every_one_of_many_findings_is_told() -> None:
    found = flow_object(inputs=[{"context": f"c{at}", "values": {"word": at}} for at in range(50)])
    assert len(problems(lambda: input_sets(found, accept(found)))) == MOST_PROBLEMS
