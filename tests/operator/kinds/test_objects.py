"""Objects from the API server: bounded when they are parsed, findings with their place, a status in any case."""

import json
from typing import Any

import pytest

from tests.operator.kinds.things import dataflow, dataflowrun
from tidemill.errors import InvalidDocument, InvalidFlow
from tidemill_operator.kinds.objects import DataFlowObject, DataFlowRunObject, parse_object, read_object, read_status
from tidemill_operator.kinds.status import DataFlowStatus, RunStatus


def wrong(spec: dict[str, Any]) -> dict[str, Any]:
    made = dataflow()
    made["spec"].update(spec)
    return made


def found(said: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFlow) as caught:
        read_object(said)
    return [(each.reason, each.path) for each in caught.value.problems]


def test_an_object_is_read_whole() -> None:
    said = dataflow(pools=[{"name": "default", "image": "a:1", "minReplicas": 0, "resources": {"limits": {"cpu": 1}}}])
    said["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    made = read_object(parse_object(json.dumps(said).encode()))
    assert isinstance(made, DataFlowObject)
    assert (made.metadata.name, made.metadata.namespace, made.metadata.uid) == ("hello", "ns", "u-1")
    (pool,) = made.spec.pools
    assert (pool.image, pool.minReplicas, pool.gracePeriodSeconds, pool.scaling.cooldownSeconds) == ("a:1", 0, 60, 300)
    run = read_object(dataflowrun(cancel=True))
    assert isinstance(run, DataFlowRunObject)
    assert (run.spec.dataFlowRef.name, run.spec.cancel, run.spec.suspend) == ("hello", True, False)


@pytest.mark.parametrize("where", ["spec", "metadata"])
def test_what_nests_too_deep_is_refused_and_said_of_the_spec(where: str) -> None:
    deep = "[" * 9000 + "]" * 9000
    text = json.dumps(dataflow(configs={"say": "DEEP"})).replace('"DEEP"', deep)
    if where == "metadata":
        text = text.replace('"metadata": {', f'"metadata": {{"managedFields": {deep}, ', 1)
    with pytest.raises(InvalidDocument) as caught:
        parse_object(text.encode())
    assert caught.value.reason == "TooDeep"
    assert caught.value.path.startswith("/spec")
    assert "deeper than 64 levels" in caught.value.message


@pytest.mark.parametrize(
    ("data", "reason"), [(b"[]", "TypeMismatch"), (b'{"a": 1, "a": 2}', "DuplicateKey"), (b" " * 5_000_000, "TooLarge")]
)
def test_what_is_no_object(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse_object(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"bogus": 1}, [("UnknownField", "/spec/bogus")]),
        ({"pools": [{"name": "Default"}]}, [("InvalidValue", "/spec/pools/0/name")]),
        ({"pools": [{"name": "a", "replicas": "3"}]}, [("TypeMismatch", "/spec/pools/0/replicas")]),
        ({"inputs": {"a": {}}}, [("TypeMismatch", "/spec/inputs")]),
        ({"flow": {"say": {"inputs": {"word": [7]}}}}, [("InvalidSource", "/spec/flow/say/inputs/word/0")]),
        ({"operations": {"say": {"name": "m:say", "inputs": {"word": {"name": "word"}}}}},
            [("TypeMismatch", "/spec/operations/say/inputs/word")]),
        ({"limits": {"inputs": 0}}, [("InvalidValue", "/spec/limits/inputs")]),
        ({"operations": {"a\nb": {"name": "m:say"}}}, [("InvalidName", "/spec/operations/a\nb")]),
        ({"ttlSecondsAfterFinished": -1, "suspend": 1},
            [("TypeMismatch", "/spec/suspend"), ("InvalidValue", "/spec/ttlSecondsAfterFinished")]),
    ],
)  # fmt: skip
def test_findings_about_the_shape(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(wrong(spec)) == expected


def test_findings_about_a_run() -> None:
    assert found(dataflowrun(dataFlowRef={"name": "Hello"}, strict="yes")) == [
        ("InvalidValue", "/spec/dataFlowRef/name"),
        ("TypeMismatch", "/spec/strict"),
    ]


def test_a_status_is_read_or_begun_anew() -> None:
    said = {"observedGeneration": 3, "contexts": {"open": 1, "total": 2}, "planDigest": "sha256:0"}
    status = read_status(DataFlowStatus, said)
    assert (status.observedGeneration, status.contexts.open if status.contexts else 0) == (3, 1)
    strange: Any
    for strange in (None, [], {"phase": "Running"}):
        assert read_status(RunStatus, strange) == RunStatus()
