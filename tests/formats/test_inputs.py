"""Inputs come in as their definitions say or are refused with place, value and what was expected."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tidemill.errors import DuplicateContext, InputValidationError, InvalidInput, TidemillError
from tidemill.formats.inputs import InputFile, InputSet, document_sets, input_of_argument
from tidemill.model.definition import Definition
from tidemill.model.input import Input


class Repo(NamedTuple):
    url: str
    directory: str = ""


def _even(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd")
    return value


DEFINITIONS = {
    definition.name: definition
    for definition in (
        Definition("text", "string"),
        Definition("count", "int"),
        Definition("share", "float"),
        Definition("flag", "boolean"),
        Definition("data", "bytes"),
        Definition("table", "map"),
        Definition("names", "array"),
        Definition("any"),
        Definition("maybe", "string", default=None),
        Definition("repo", "map", spec=Repo),
        Definition("even", "int", validate=_even),
        Definition("checked", "int", validate="checker"),
        Definition("mail@home", "string"),
    )
}


def argument(text: str) -> Input:
    return input_of_argument(text, DEFINITIONS)


def refused(text: str) -> tuple[str, str, str]:
    with pytest.raises(InvalidInput) as caught:
        argument(text)
    return caught.value.reason, caught.value.path, caught.value.message


def pairs(sets: list[InputSet]) -> list[tuple[str, list[tuple[str, Any]]]]:
    return [(each.name, [(item.definition.name, item.value) for item in each.inputs]) for each in sets]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("text=no", "no"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("text= 12 ", " 12 "),
        ("count=12", 12),
        ("count=-0", 0),
        ("count=012", 12),
        ("share=1", 1.0),
        ("share=-1.5e3", -1500.0),
        ("share=.5", 0.5),
        ("flag=true", True),
        ("flag=False", False),
        ("data=ä", "ä".encode()),
        ("table={}", {}),
        ('table={"a": [0, false, ""]}', {"a": [0, False, ""]}),
        ("names=[]", []),
        ("any=12", 12),
        ("any=[1]", [1]),
        ("any=no", "no"),
        ("any=", ""),
        ("any={broken", "{broken"),
        ('repo={"url": "x"}', Repo("x", "")),
        ("even=2", 2),
    ],
)
def test_an_argument_is_read_as_its_definition_says(text: str, value: Any) -> None:
    item = argument(text)
    assert item.value == value
    assert type(item.value) is type(value)
    assert item.origin == "seed"


def test_an_argument_can_have_another_origin() -> None:
    assert (argument("text@other=x").origin, argument("text@other=x").definition.name) == ("other", "text")
    assert (argument("mail@home=x").origin, argument("mail@home=x").definition.name) == ("seed", "mail@home")
    assert (argument("mail@home@other=x").origin, argument("mail@home@other=x").value) == ("other", "x")


@pytest.mark.parametrize("text", ["text", "=x", ""])
def test_an_argument_without_name_or_value_is_refused(text: str) -> None:
    reason, path, message = refused(text)
    assert (reason, path) == ("InvalidArgument", "--input")
    assert message == f"{text!r} is no input; expected name=value, or name@origin=value"


def test_an_unknown_definition_names_the_nearest() -> None:
    reason, path, message = refused("cuont=1")
    assert (reason, path) == ("UnknownDefinition", "--input cuont")
    assert message.startswith("no definition is called 'cuont' (has: any, checked, count")
    assert message.endswith('did you mean "count"?')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("count=x", "\"count\": expected int, got the text 'x'"),
        ("count=1.0", "\"count\": expected int, got the text '1.0'"),
        ("count=", "\"count\": expected int, got the text ''"),
        ("count=1_000", "\"count\": expected int, got the text '1_000'"),
        ("count=٣", "\"count\": expected int, got the text '٣'"),
        ("share=x", "\"share\": expected float, got the text 'x'"),
        ("flag=yes", "\"flag\": expected boolean (true or false), got the text 'yes'"),
        ("flag=1", "\"flag\": expected boolean (true or false), got the text '1'"),
        ("table=[]", '"table": expected map, got list []'),
        ("names={}", '"names": expected array, got dict {}'),
        ("names=12", '"names": expected array, got int 12'),
        ("repo={}", '"repo": {} does not fit the spec Repo: '),
    ],
)
def test_nothing_is_converted_silently(text: str, said: str) -> None:
    reason, path, message = refused(text)
    assert (reason, path) == ("TypeMismatch", f"--input {text.partition('=')[0]}")
    assert message.startswith(said)


@pytest.mark.parametrize("text", ["share=nan", "share=-Infinity", "share=1e999", 'table={"a": NaN}', "any=[1e999]"])
def test_numbers_that_are_not_finite_are_refused(text: str) -> None:
    assert refused(text)[:2] == ("NotFinite", f"--input {text.partition('=')[0]}")


def test_a_negative_zero_keeps_its_sign() -> None:
    assert str(argument("share=-0.0").value) == "-0.0"


@pytest.mark.parametrize("text", ["count=" + "9" * 5000, "any=" + "9" * 5000])
def test_an_integer_of_too_many_digits_is_refused(text: str) -> None:
    reason, _, message = refused(text)
    assert reason == "IntegerOutOfRange"
    assert "an integer of 5000 digits; the limit is 4300" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('table={"a": 1, "a": 2}', "DuplicateKey"),
        ("table={", "MalformedJson"),
        ("names=", "EmptyDocument"),
        ("any=" + "[" * 9000, "TooDeep"),
        ("text=\udcff", "InvalidUnicode"),
        ("table=null", "NullValue"),
    ],
)
def test_arguments_are_read_within_the_same_bounds_as_files(text: str, reason: str) -> None:
    found = refused(text)
    assert found[:2] == (reason, f"--input {text.partition('=')[0]}")
    found[2].encode()


def test_the_check_of_a_definition_refuses_with_its_own_words() -> None:
    with pytest.raises(InputValidationError) as caught:
        argument("even=3")
    assert (caught.value.reason, caught.value.path) == ("InputValidationError", "--input even")
    assert caught.value.message == '3 is not a valid "even": ValueError: 3 is odd'


def test_a_value_for_a_validator_is_not_validated_yet() -> None:
    assert not argument("checked=3").validated


def sets_of(value: Any) -> list[InputSet]:
    return list(document_sets(value, DEFINITIONS))


def test_a_mapping_goes_from_contexts_to_their_inputs() -> None:
    assert pairs(sets_of({"a": {"text": "x", "count": [1, 2]}, "b": [], "c": {}})) == [
        ("a", [("text", "x"), ("count", 1), ("count", 2)]), ("b", []), ("c", []),
    ]  # fmt: skip


def test_a_list_has_one_context_in_each_element() -> None:
    said = [{"text": "x"}, {"context": "b", "inputs": {"count": 1}}, {"inputs": {"count": 2}}, {}]
    assert pairs(sets_of(said)) == [
        ("context-1", [("text", "x")]), ("b", [("count", 1)]), ("context-3", [("count", 2)]), ("context-4", []),
    ]  # fmt: skip


def test_a_list_is_one_value_where_a_list_is_a_value() -> None:
    assert pairs(sets_of({"a": {"names": [1, 2], "any": [3], "table": [{"x": 1}, {}]}})) == [
        ("a", [("names", [1, 2]), ("any", [3]), ("table", {"x": 1}), ("table", {})]),
    ]  # fmt: skip


def test_the_long_form_has_origin_and_identity() -> None:
    said = [{"definition": "names", "value": [1], "origin": "other", "uid": "u"}, {"definition": "count", "value": 0}]
    first, second = sets_of({"a": said})[0].inputs
    assert (first.value, first.origin, first.given_uid) == ([1], "other", "u")
    assert (second.value, second.origin, second.given_uid) == (0, "seed", "")


def test_what_is_empty_or_zero_or_false_is_a_value() -> None:
    (only,) = sets_of({"a": {"text": "", "count": 0, "flag": False, "names": [], "maybe": None, "any": None}})
    assert [item.value for item in only.inputs] == ["", 0, False, [], None, None]


def test_names_of_contexts_may_be_any_text() -> None:
    names = ["", "a\x00b", "{x}:y", "a\nb", "\u202e"]
    assert [each.name for each in sets_of({name: {} for name in names})] == names


@pytest.mark.parametrize(
    ("said", "reason", "path", "message"),
    [
        (3, "TypeMismatch", "", "expected a mapping of contexts, or a list of them, got int 3"),
        ({"a": 3}, "TypeMismatch", "/a", "expected the inputs of a context: a mapping or a list, got int 3"),
        ({"a/b": {"cuont": 3}}, "UnknownDefinition", "/a~1b/cuont", "no definition is called 'cuont'"),
        ({"a": {"count": "12"}}, "TypeMismatch", "/a/count", "\"count\": expected int, got str '12'"),
        ({"a": {"count": 1.0}}, "TypeMismatch", "/a/count", '"count": expected int, got float 1.0'),
        ({"a": {"count": True}}, "TypeMismatch", "/a/count", '"count": expected int, got bool True'),
        ({"a": {"count": [1, "2"]}}, "TypeMismatch", "/a/count/1", "\"count\": expected int, got str '2'"),
        ({"a": {"text": None}}, "NullValue", "/a/text", 'null is no value of "text" (string)'),
        ({"a": {"data": "x"}}, "TypeMismatch", "/a/data", "\"data\": expected bytes, got str 'x'"),
        ({"a": {"repo": {"uri": 1}}}, "TypeMismatch", "/a/repo", "\"repo\": {'uri': 1} does not fit the spec Repo: "),
        ([{"context": 3, "inputs": {}}], "TypeMismatch", "/0/context", "the name of a context is a text"),
        ([{"context": "", "inputs": {}}], "TypeMismatch", "/0/context", "the name of a context is a text"),
        ([{}, {"inputs": {"x": 1}}], "UnknownDefinition", "/1/inputs/x", "no definition is called 'x'"),
        ({"a": [1]}, "TypeMismatch", "/a/0", "expected a mapping with definition and value"),
        ({"a": [{"value": 1}]}, "TypeMismatch", "/a/0", "expected a mapping with definition and value"),
        ({"a": [{"definition": "count", "value": 1, "orgin": "x"}]}, "TypeMismatch", "/a/0", "expected a mapping"),
        ({"a": [{"definition": 1, "value": 1}]}, "TypeMismatch", "/a/0/definition", "expected text, got int 1"),
        ({"a": [{"definition": "x", "value": 1}]}, "UnknownDefinition", "/a/0/definition", "no definition is called"),
        ({"a": [{"definition": "count", "value": "1"}]}, "TypeMismatch", "/a/0/value", '"count": expected int'),
        ({"a": [{"definition": "count", "value": 1, "origin": []}]}, "TypeMismatch", "/a/0/origin", "expected text"),
    ],
)
def test_a_document_of_inputs_that_is_wrong_is_refused(said: Any, reason: str, path: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sets_of(said)
    assert (caught.value.reason, caught.value.path) == (reason, path)
    assert caught.value.message.startswith(message)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], InputFile]:
    def written(name: str, content: str | bytes) -> InputFile:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return InputFile(str(path), DEFINITIONS)

    return written


Write = Callable[[str, str | bytes], InputFile]


def test_each_line_of_json_is_a_context(write: Write) -> None:
    file = write("i.jsonl", '{"text": "x"}\n\n{"context": "b", "inputs": {"count": [1, 2]}}\n[]\n')
    assert pairs(list(file)) == [
        ("i.jsonl:1", [("text", "x")]), ("b", [("count", 1), ("count", 2)]), ("i.jsonl:4", []),
    ]  # fmt: skip
    assert file.check() == 3
    assert file.repeatable


def test_each_row_of_csv_is_a_context(write: Write) -> None:
    file = write("i.csv", 'context,text,count,names\na,x,1,"[1, 2]"\n,,,\n')
    assert pairs(list(file)) == [
        ("a", [("text", "x"), ("count", 1), ("names", [1, 2])]), ("i.csv:3", [("text", "")]),
    ]  # fmt: skip


def test_an_empty_cell_is_the_empty_text_or_no_input(write: Write) -> None:
    ((_, inputs),) = pairs(list(write("i.csv", "count,text,flag,any,maybe\n,,,,\n")))
    assert inputs == [("text", ""), ("maybe", "")]


@pytest.mark.parametrize("name", ["i.yaml", "i.yml", "i.json"])
def test_a_document_has_all_contexts(name: str, write: Write) -> None:
    file = write(name, '{"a": {"text": "x"}, "b": {"count": 1}}')
    assert pairs(list(file)) == [("a", [("text", "x")]), ("b", [("count", 1)])]
    assert file.check() == 2


@pytest.mark.parametrize(
    ("name", "content", "reason", "path", "message"),
    [
        ("i.jsonl", '{}\n{"count": "12"}', "TypeMismatch", ":2#/count", "\"count\": expected int, got str '12'"),
        ("i.jsonl", '{"context": "a", "inputs": {"x": 1}}', "UnknownDefinition", ":1#/inputs/x", "no definition is"),
        ("i.jsonl", "{}\n{", "MalformedJson", ":2:2", "Expecting property name"),
        ("i.jsonl", '{"share": NaN}', "NotFinite", ":1#/share", "NaN is not a number of JSON"),
        ("i.csv", "count\n1\nx\n", "TypeMismatch", ":3", "\"count\": expected int, got the text 'x'"),
        ("i.csv", "count,cuont\n1,2\n", "UnknownDefinition", ":2", "no definition is called 'cuont'"),
        ("i.csv", "table\n{\n", "MalformedJson", ":2", '"table" (map) is given as JSON: '),
        ("i.csv", "count\n1,2\n", "RaggedRow", ":2", "it has 2 cells, the first row names 1 columns"),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line(
    name: str, content: str, reason: str, path: str, message: str, write: Write
) -> None:
    file = write(name, content)
    with pytest.raises(TidemillError) as caught:
        file.check()
    assert (caught.value.reason, caught.value.path) == (reason, f"{file.source}{path}")
    assert caught.value.message.startswith(message)


def test_a_bad_value_of_a_document_has_its_line(write: Write) -> None:
    file = write("i.yaml", "a:\n  count: 1\nb:\n  count: [1, no]\n")
    with pytest.raises(InvalidInput) as caught:
        file.check()
    assert (caught.value.reason, caught.value.path) == ("TypeMismatch", "/b/count/1")
    assert caught.value.message == f"\"count\": expected int, got str 'no' ({file.source}, line 4)"


def test_two_contexts_of_one_name_are_refused(write: Write) -> None:
    file = write("i.jsonl", '{"context": "a", "inputs": {}}\n{}\n{"context": "a", "inputs": {}}\n')
    with pytest.raises(DuplicateContext) as caught:
        file.check()
    assert (caught.value.reason, caught.value.path) == ("DuplicateContext", f"{file.source}:3")
    assert caught.value.message == (
        f'the context "a" is there twice: {file.source}:1 and {file.source}:3; give each its name'
    )


def test_a_file_of_another_suffix_is_refused(write: Write) -> None:
    file = write("i.txt", "")
    with pytest.raises(TidemillError) as caught:
        file.check()
    assert (caught.value.reason, caught.value.path) == ("UnknownFormat", file.source)


def test_standard_input_gives_json_lines_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"count": 1}\n{"count": "x"}\n')
    os.close(writing)
    with open(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        file = InputFile("-", DEFINITIONS)
        assert not file.repeatable
        found = iter(file)
        assert next(found).name == "stdin:1"
        with pytest.raises(InvalidInput) as caught:
            next(found)
    assert caught.value.path == "stdin:2#/count"


def test_a_hundred_thousand_contexts_are_not_held_in_memory(write: Write) -> None:
    line = '{"text": "' + "x" * 200 + '"}\n'
    file = write("i.jsonl", line * 20_000)
    found = iter(file)
    for _ in range(1000):
        next(found)
    tracemalloc.start()
    try:
        assert sum(1 for _ in found) == 19_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 19_000 * 400  # the names alone; the values would take as much again, the inputs four times that
