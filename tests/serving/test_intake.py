"""What comes from outside becomes input sets, or an error that names the place; never anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.operations import flow, greet
from tests.serving.support import channel, greeting
from tidemill.errors import TidemillError
from tidemill.plan.compile import compile_plan
from tidemill.serving.answers import status_of
from tidemill.serving.intake import BODY, ONE, Asked, Intake

PLAIN = greeting()
INTAKE = Intake(PLAIN, compile_plan(PLAIN.dataflow), contexts=3)
NAME = [{"value": "Ada", "definition": "name"}]


def asked(body: Any = None, kind: str = "application/json", **more: Any) -> Asked:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    return Asked(**{"body": data, "content_type": kind, "pieces": {}, "query": [], "headers": [], **more})


def test_forms_of_a_body() -> None:
    for body in ({"a": NAME}, {"a": {"name": "Ada"}}, {"a": {"name": ["Ada"]}}, [{"context": "a", "inputs": NAME}]):
        (found,) = INTAKE(asked(body))
        assert (found.name, [item.value for item in found.inputs]) == ("a", ["Ada"])
    (found,) = INTAKE(asked({"a": [{"value": "Ada", "definition": "name", "origin": "client"}]}))
    assert found.inputs[0].origin == "client"
    assert [each.name for each in INTAKE(asked(None))] == [ONE]
    assert [each.name for each in INTAKE(asked(b"", ""))] == [ONE]
    one = greeting(input_mode="text:name")
    assert [each.name for each in Intake(one, compile_plan(one.dataflow), contexts=1)(asked(b"x", ""))] == [BODY]


@pytest.mark.parametrize(
    ("body", "reason", "path"),
    [
        (b"", "EmptyDocument", "body:1"),
        (b"{", "MalformedJson", "body:1:2"),
        (b'{"a": []} x', "MalformedJson", "body:1:11"),
        (b'{"a": [], "a": []}', "DuplicateKey", "/a"),
        (b'{"a": [{"value": NaN, "definition": "count"}]}', "NotFinite", "/a/0/value"),
        (b'{"a": [{"value": 1e999, "definition": "count"}]}', "NotFinite", "/a/0/value"),
        (b'{"a": [{"value": ' + b"9" * 5000 + b', "definition": "count"}]}', "IntegerOutOfRange", "/a/0/value"),
        (b"[" * 10_000, "TooDeep", "/0" * 64),
        (b'{"a": [{"value": "\\ud800", "definition": "name"}]}', "InvalidUnicode", "/a/0/value"),
        (b"\xff{}", "InvalidUnicode", ""),
        (b"3", "TypeMismatch", ""),
        (b'{"a": 3}', "TypeMismatch", "/a"),
        (b'{"a": [3]}', "TypeMismatch", "/a/0"),
        (b'{"a": [{"definition": "name"}]}', "TypeMismatch", "/a/0"),
        (b'{"a": [{"value": "x", "definition": "name", "more": 1}]}', "TypeMismatch", "/a/0"),
        (b'{"a": [{"value": "x", "definition": 3}]}', "TypeMismatch", "/a/0/definition"),
        (b'{"a": [{"value": "x", "definition": "nme"}]}', "UnknownDefinition", "/a/0/definition"),
        (b'{"a": [{"value": "12", "definition": "count"}]}', "TypeMismatch", "/a/0/value"),
        (b'{"a": [{"value": null, "definition": "name"}]}', "NullValue", "/a/0/value"),
        (b'{"a": [], "b": [], "c": [], "d": []}', "BatchTooLarge", "/"),
        (b'[{"context": "a", "inputs": []}, {"context": "a", "inputs": []}]', "DuplicateContext", "/1"),
        (b'[{"context": "", "inputs": []}]', "TypeMismatch", "/0/context"),
    ],
)
def test_a_wrong_body_is_refused_with_the_place(body: bytes, reason: str, path: str) -> None:
    with pytest.raises(TidemillError) as refused:
        INTAKE(asked(body))
    assert (refused.value.reason, refused.value.path) == (reason, path)
    assert status_of(refused.value) in (400, 413)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_json_has_to_be_said_to_be_json(kind: str) -> None:
    with pytest.raises(TidemillError) as refused:
        INTAKE(asked({"a": NAME}, kind))
    assert status_of(refused.value) == 415


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ([("nme", "x")], "UnknownDefinition"),
        ([("count", "x")], "TypeMismatch"),
        ([("count", "nan")], "TypeMismatch"),
        ([("name=x", "y")], "UnknownDefinition"),
        ([("", "y")], "InvalidArgument"),
    ],
)
def test_a_wrong_query_is_refused_with_its_name(query: list[tuple[str, str]], reason: str) -> None:
    with pytest.raises(TidemillError) as refused:
        INTAKE(asked(query=query))
    assert (refused.value.reason, refused.value.path) == (reason, f"/query/{query[0][0]}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["name", "count", "value"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["value", "definition", "context", "inputs", "origin"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(
    body=st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()),
    query=st.lists(st.tuples(st.text(), st.text()), max_size=2),
)
def test_whatever_comes_is_input_sets_or_an_error_of_the_request(body: bytes, query: list[tuple[str, str]]) -> None:
    try:
        found = INTAKE(asked(body, query=query))
    except TidemillError as error:
        assert 400 <= status_of(error) < 500
        assert error.message
    else:
        assert 1 <= len(found) <= 3
        assert len({each.name for each in found}) == len(found)


def test_one_input_is_of_its_definition() -> None:
    sized = channel("/", flow(greet, get="greeting"), input_mode="json:count")
    intake = Intake(sized, compile_plan(sized.dataflow), contexts=1)
    assert intake(asked(3))[0].inputs[0].value == 3
    with pytest.raises(TidemillError) as refused:
        intake(asked("3"))
    assert refused.value.reason == "TypeMismatch"
