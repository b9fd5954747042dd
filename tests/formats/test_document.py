"""The shape of a data flow file: every finding has the place, the value, what was expected and the nearest name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidemill.errors import InvalidFlow, Problem
from tidemill.formats.document import FlowDocument, check_shape
from tidemill.formats.read import parse_document

URL = {"name": "URL", "primitive": "string"}


def shaped(value: Any) -> FlowDocument:
    return check_shape(parse_document(json.dumps(value), source="f.json", format="json"))


def problems(value: Any) -> list[Problem]:
    with pytest.raises(InvalidFlow) as caught:
        shaped(value)
    return list(caught.value.problems)


def problem(value: Any) -> tuple[str, str, str]:
    (found,) = problems(value)
    return found.reason, found.path, found.message


def operation(**fields: Any) -> dict[str, Any]:
    return {"operations": {"a": {"name": "m:a", **fields}}}


def wrapped(spec: Any, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tidemill.alt/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": "n"},
        "spec": spec,
        **fields,
    }


def test_a_document_that_is_no_mapping_is_refused() -> None:
    assert problem([1]) == (
        "TypeMismatch", "", "expected a mapping with the key operations, got list [1] (f.json, line 1)",
    )  # fmt: skip


def test_operations_have_to_be_there() -> None:
    expected = ("MissingField", "/operations", '"operations" is missing, it is required here (f.json, line 1)')
    assert problem({"seed": []}) == expected
    assert problem(wrapped({}))[:2] == ("MissingField", "/spec/operations")


def test_operations_that_are_a_list_are_refused() -> None:
    assert problem({"operations": [{"name": "a"}]}) == (
        "TypeMismatch", "/operations", "expected a mapping, got list [{'name': 'a'}] (f.json, line 1)",
    )  # fmt: skip


def test_an_unknown_field_names_the_nearest_one() -> None:
    reason, path, message = problem(operation(inptus={}))
    assert (reason, path) == ("UnknownField", "/operations/a/inptus")
    assert message.startswith("there is no field 'inptus' here (has: backoff, concurrency, conditions")
    assert message.endswith('did you mean "inputs"? (f.json, line 1)')


@pytest.mark.parametrize(
    ("value", "path", "near"),
    [
        ({"operations": {}, "seeds": []}, "/seeds", "seed"),
        (operation(inputs={"u": {**URL, "locked": True}}), "/operations/a/inputs/u/locked", "lock"),
        (operation(inputs={"u": {**URL, "spec": {"name": "S", "type": {}, "types": {}}}}),
         "/operations/a/inputs/u/spec/type", "types"),
        ({**operation(), "flow": {"a": {"input": {}}}}, "/flow/a/input", "inputs"),
        ({**operation(), "limits": {"parameter_set": 1}}, "/limits/parameter_set", "parameter_sets"),
        ({**operation(), "seed": [{"value": 1, "definition": URL, "orgin": "x"}]}, "/seed/0/orgin", "origin"),
        ({**operation(), "forward": {"books": {}}}, "/forward/books", "book"),
        (wrapped(operation() | {"opertions": {}}), "/spec/opertions", "operations"),
        (wrapped(operation(), metdata={}), "/metdata", "metadata"),
        (operation(inputs={"u": {**URL, "links": [{**URL, "valdate": "v"}]}}),
         "/operations/a/inputs/u/links/0/valdate", "validate"),
    ],
)  # fmt: skip
def test_unknown_fields_are_found_in_every_part(value: Any, path: str, near: str) -> None:
    reason, where, message = problem(value)
    assert (reason, where) == ("UnknownField", path)
    assert f'did you mean "{near}"?' in message


@pytest.mark.parametrize(
    ("fields", "field", "reason", "message"),
    [
        (
            {"stage": "later"},
            "stage",
            "InvalidValue",
            "expected 'processing', 'cleanup' or 'output'; it is str 'later'",
        ),
        ({"executor": "gpu"}, "executor", "InvalidValue", "expected 'loop', 'thread', 'process' or 'subprocess'"),
        ({"conditions_mode": "most"}, "conditions_mode", "InvalidValue", "expected 'all' or 'any'; it is str 'most'"),
        ({"retry": -1}, "retry", "InvalidValue", "expected greater than or equal to 0; it is int -1"),
        ({"retry": True}, "retry", "TypeMismatch", "expected a whole number, got bool True"),
        ({"retry": 1.0}, "retry", "TypeMismatch", "expected a whole number, got float 1.0"),
        ({"concurrency": 0}, "concurrency", "InvalidValue", "expected greater than or equal to 1; it is int 0"),
        ({"timeout": "5 minutes"}, "timeout", "TypeMismatch", "expected a number, got str '5 minutes'"),
        ({"timeout": 0}, "timeout", "InvalidValue", "expected greater than 0; it is int 0"),
        ({"backoff": -1}, "backoff", "InvalidValue", "expected greater than or equal to 0; it is int -1"),
        ({"validator": "no"}, "validator", "TypeMismatch", "expected true or false, got str 'no'"),
        ({"expand": "x"}, "expand", "TypeMismatch", "expected a list, got str 'x'"),
        ({"name": 3}, "name", "TypeMismatch", "expected text, got int 3"),
        ({"inputs": None}, "inputs", "TypeMismatch", "expected a mapping, got null None"),
    ],
)
def test_fields_of_operations_say_what_was_expected(
    fields: dict[str, Any], field: str, reason: str, message: str
) -> None:
    found = problem(operation(**fields))
    assert found[:2] == (reason, f"/operations/a/{field}")
    assert found[2].startswith(message)


@pytest.mark.parametrize(
    ("limit", "reason", "message"),
    [
        (0, "InvalidValue", "expected greater than or equal to 1; it is int 0"),
        ("10", "TypeMismatch", "expected a whole number, got str '10'"),
        (1e12, "TypeMismatch", "expected a whole number, got float 1000000000000.0"),
    ],
)
def test_limits_say_what_was_expected(limit: Any, reason: str, message: str) -> None:
    found = problem({**operation(), "limits": {"parameter_sets": limit}})
    assert found == (reason, "/limits/parameter_sets", f"{message} (f.json, line 1)")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 300, "the name has 300 characters, the limit is 253"),
        ("a\nb", "the name holds characters that cannot be seen: U+000A"),
        ("a\x00b", "the name holds characters that cannot be seen: U+0000"),
        ("a\u202eb", "the name holds characters that cannot be seen: U+202E"),
        ("", "a name has at least one character"),
    ],
)
def test_names_are_bounded_and_can_be_seen(name: str, said: str) -> None:
    for value, path in (
        (operation(name=name), "/operations/a/name"),
        ({"operations": {name: {"name": "m:a"}}}, f"/operations/{name}"),
        (operation(inputs={"u": {**URL, "name": name}}), "/operations/a/inputs/u/name"),
    ):
        reason, where, message = problem(value)
        assert (reason, where) == ("InvalidName", path)
        assert message.startswith(f"{said}; it is ")


def test_a_name_of_253_characters_with_dots_braces_and_case_is_a_name() -> None:
    name = "Ab.{c}:" + "x" * 246
    assert shaped(operation(name=name)).said["operations"]["a"]["name"] == name


@pytest.mark.parametrize(
    "source", [3, None, [], {}, {"a": 1}, {"a": {"b": "c"}}, {"a": "b", "c": "d"}, {"a": []}, [[]], ""]
)
def test_a_source_of_no_known_form_is_refused(source: Any) -> None:
    for value, path in (
        ({**operation(), "flow": {"a": {"inputs": {"u": [source]}}}}, "/flow/a/inputs/u/0"),
        ({**operation(), "flow": {"a": {"conditions": ["seed", source]}}}, "/flow/a/conditions/1"),
    ):
        reason, where, message = problem(value)
        assert (reason, where) == ("InvalidSource", path)
        assert 'such as "seed", {instance: output}' in message


def test_the_known_forms_of_sources_are_taken() -> None:
    sources = ["seed", "other", {"a": "b"}, {"seed": ["A", "B"]}, [{"a": "b"}, {"c": "d"}]]
    value = {**operation(), "flow": {"a": {"inputs": {"u": sources}, "conditions": sources}}}
    assert shaped(value).said["flow"]["a"]["inputs"]["u"] == sources


def test_definitions_are_written_in_place_unless_the_file_is_linked() -> None:
    assert problem(operation(inputs={"u": "URL"}))[2].startswith("expected a mapping, got str 'URL'")
    linked = {**operation(inputs={"u": URL}), "linked": True}
    assert problem(linked)[2].startswith("expected text, got dict {'name': 'URL'")
    fine = {**operation(inputs={"u": "URL"}), "linked": True, "definitions": {"URL": {"primitive": "string"}}}
    assert shaped(fine).said == fine
    assert problem({**operation(), "linked": "yes"})[:2] == ("TypeMismatch", "/linked")


@pytest.mark.parametrize("origin", [3, None, [], ["a", "b", "c"], [1, 2], {}])
def test_an_origin_is_a_word_or_an_output(origin: Any) -> None:
    value = {**operation(), "seed": [{"value": 1, "definition": URL, "origin": origin}]}
    assert problem(value)[:2] == ("InvalidOrigin", "/seed/0/origin")


def test_a_seed_has_a_value_which_may_be_null_and_a_definition() -> None:
    value = {**operation(), "seed": [{"definition": URL}, {"value": None}, {"value": None, "definition": URL}]}
    found = problems(value)
    assert [(each.reason, each.path) for each in found] == [
        ("MissingField", "/seed/0/value"), ("MissingField", "/seed/1/definition"),
    ]  # fmt: skip


def test_both_spellings_of_the_mode_of_conditions_are_taken_but_not_together() -> None:
    assert shaped(operation(conditionsMode="any")).said["operations"]["a"] == {"name": "m:a", "conditions_mode": "any"}
    assert problem(operation(conditionsMode="any", conditions_mode="any"))[0] == "UnknownField"
    assert problem(operation(conditionsMode="most"))[:2] == ("InvalidValue", "/operations/a/conditionsMode")


def test_every_finding_is_reported_in_the_order_of_the_file() -> None:
    text = "seed: 3\noperations:\n  a:\n    name: 1\n    bogus: 2\nlimits: []\n"
    with pytest.raises(InvalidFlow) as caught:
        check_shape(parse_document(text, source="f.yaml"))
    found = caught.value.problems
    assert [each.path for each in found] == ["/seed", "/operations/a/name", "/operations/a/bogus", "/limits"]
    assert [each.message[-16:] for each in found] == [f"(f.yaml, line {line})" for line in (1, 4, 5, 6)]


def test_a_long_value_is_cut_in_the_message() -> None:
    message = problem(operation(stage="x" * 10_000))[2]
    assert len(message) < 400
    assert "… (10002 characters)" in message


def test_the_wrapper_of_kubernetes_is_taken_off() -> None:
    inputs = [{"context": "c", "values": {"URL": "x"}}, {"context": "", "values": {"URL": "y"}}]
    found = shaped(wrapped({**operation(), "inputs": inputs}, status={"conditions": []}))
    assert found.prefix == "/spec"
    assert found.name == "n"
    assert found.inputs == [{"context": "c", "values": {"URL": "x"}}, {"values": {"URL": "y"}}]
    assert found.said == operation()


def test_what_only_a_cluster_needs_is_passed_over() -> None:
    said = {"pools": [{"name": "default"}], "suspend": True, "optimize": {"for": "speed"}, "inputs": []}
    found = shaped(wrapped({**operation(), **said}))
    assert (found.said, found.inputs, found.elsewhere) == (operation(), None, "")
    more = shaped(wrapped({**operation(), "inputsFrom": [{"name": "a"}]}))
    assert more.elsewhere == "/spec/inputsFrom"


@pytest.mark.parametrize(
    ("spec", "reason", "path", "said"),
    [
        ({**operation(), "poolz": []}, "UnknownField", "/spec/poolz", 'did you mean "pools"?'),
        ({"dataFlowFrom": {"configMapKeyRef": {}}}, "OnlyInCluster", "/spec/dataFlowFrom", "give the file that was"),
        ({**operation(), "inputs": {"c": {}}}, "TypeMismatch", "/spec/inputs", "tidemill convert FLOW --to object"),
        ({**operation(), "inputs": [{"URL": 1}]}, "UnknownField", "/spec/inputs/0/URL", "values"),
    ],
)
def test_what_a_wrapped_data_flow_cannot_say(spec: Any, reason: str, path: str, said: str) -> None:
    found = problem(wrapped(spec))
    assert found[:2] == (reason, path)
    assert said in found[2]


def test_fields_of_two_words_have_two_spellings() -> None:
    one = {"operations": {"a": {"name": "m:a", "conditions_mode": "any", "instance_name": "a"}}, "limits": {
        "parameter_sets": 1, "value_bytes": 2, "value_depth": 3, "subflow_depth": 4}}  # fmt: skip
    other = {"operations": {"a": {"name": "m:a", "conditionsMode": "any", "instanceName": "a"}}, "limits": {
        "parameterSets": 1, "valueBytes": 2, "valueDepth": 3, "subflowDepth": 4}}  # fmt: skip
    assert shaped(other).said == shaped(one).said == one


@pytest.mark.parametrize(
    ("fields", "reason", "path", "said"),
    [
        ({"apiVersion": "tidemill.alt/v0"}, "UnsupportedVersion", "/apiVersion", "expected 'tidemill.alt/v1alpha1'"),
        ({"kind": "Deployment"}, "UnsupportedVersion", "/kind", "expected 'DataFlow'"),
        ({"metadata": []}, "TypeMismatch", "/metadata", "expected a mapping, got list []"),
        ({"spec": []}, "TypeMismatch", "/spec", "expected a mapping, got list []"),
    ],
)
def test_a_wrapper_of_another_version_or_kind_is_refused(
    fields: dict[str, Any], reason: str, path: str, said: str
) -> None:
    found = problem({**wrapped(operation()), **fields})
    assert found[:2] == (reason, path)
    assert found[2].startswith(said)


def test_a_wrapper_without_an_api_version_is_told_so() -> None:
    assert problem({"kind": "DataFlow", "spec": {}})[:2] == ("MissingField", "/apiVersion")
