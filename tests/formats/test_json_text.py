"""JSON is read as it stands or refused: what another reader would take differently has a reason, a place, a message."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import InvalidDocument
from tidemill.formats.bounds import ReadLimits
from tidemill.formats.json_text import json_lines_of, parse_json


def refused(text: str, **options: object) -> tuple[str, str, str]:
    with pytest.raises(InvalidDocument) as caught:
        parse_json(text, source="f.json", **options)  # type: ignore[arg-type]
    return caught.value.reason, caught.value.path, caught.value.message


def test_plain_data_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}


def test_a_key_that_is_there_twice_names_both_lines() -> None:
    assert refused('{"a": [1, {"b": {"c": 1,\n\n"c": 2}}]}') == (
        "DuplicateKey",
        "/a/1/b/c",
        "'c' is defined twice (lines 1, 3); keep one of them (f.json, line 3, column 1)",
    )


def test_keys_that_only_differ_as_escapes_are_the_same() -> None:
    assert refused('{"a": 1, "\\u0061": 2}')[:2] == ("DuplicateKey", "/a")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_refused(word: str) -> None:
    reason, path, message = refused(f'{{"a": {{"b": {word}}}}}')
    assert (reason, path) == ("NotFinite", "/a/b")
    assert message.startswith(f"{word} is not a number of JSON; give a finite number or null (f.json, line 1")


def test_a_huge_exponent_is_refused_and_not_infinity() -> None:
    assert refused("[0, 1e999]")[:2] == ("NotFinite", "/1")


def test_words_within_text_are_only_text() -> None:
    assert parse_json('["NaN", "1e999", "[[[["]') == ["NaN", "1e999", "[[[["]


@pytest.mark.parametrize(("opening", "step"), [("[", "/0"), ('{"a":', "/a")])
def test_nesting_a_hundred_thousand_deep_is_refused_without_recursion(opening: str, step: str) -> None:
    reason, path, message = refused(opening * 100_000)
    assert (reason, path) == ("TooDeep", step * 64)
    assert "nest deeper than 64 levels" in message


def test_nesting_as_deep_as_allowed_is_read() -> None:
    assert json.dumps(parse_json("[" * 64 + "]" * 64)) == "[" * 64 + "]" * 64


def test_an_integer_of_too_many_digits_is_refused() -> None:
    reason, path, message = refused('{"a": 1' + "0" * 5000 + "}")
    assert (reason, path) == ("IntegerOutOfRange", "/a")
    assert message.startswith("an integer of 5001 digits; the limit is 4300")


def test_an_interpreter_that_converts_fewer_digits_refuses_with_a_reason_too() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert refused("1" * 700)[:2] == ("IntegerOutOfRange", "f.json:1")
    finally:
        sys.set_int_max_str_digits(before)


def test_large_integers_keep_every_digit() -> None:
    assert parse_json("[9007199254740993, 18446744073709551616]") == [9007199254740993, 18446744073709551616]


def test_digits_within_text_are_no_integer() -> None:
    assert parse_json('"' + "1" * 5000 + '"') == "1" * 5000


@pytest.mark.parametrize(
    ("text", "path"), [('{"a": "\\ud800"}', "/a"), ('{"\\uDFFF": 1}', "/\\udfff"), ('"\\ud800x"', "")]
)
def test_half_a_surrogate_pair_is_refused(text: str, path: str) -> None:
    reason, where, message = refused(text)
    assert (reason, where) == ("InvalidUnicode", path)
    assert "half a surrogate pair" in message
    message.encode()


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ('{"a": 1} x', "f.json:1:10", "Extra data (line 1, column 10)"),
        ('{\n"a" 1}', "f.json:2:5", "Expecting ':' delimiter (line 2, column 5)"),
        ('"a\tb"', "f.json:1:3", "Invalid control character at (line 1, column 3)"),
        ("[1,", "f.json:1:4", "Expecting value (line 1, column 4)"),
        ("]", "f.json:1:1", "Expecting value (line 1, column 1)"),
        ('{"\\ud800\\x": 1}', "f.json:1:9", "Invalid \\escape (line 1, column 9)"),
    ],
)
def test_text_that_is_no_json_names_line_and_column(text: str, path: str, message: str) -> None:
    assert refused(text) == ("MalformedJson", path, message)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_nothing_is_no_document(text: str) -> None:
    assert refused(text)[:2] == ("EmptyDocument", "f.json:1")


@pytest.mark.parametrize("text", ['{"a": NaN}, ]]', "[1e999, 1e+-3]", '{"a": "\\ud800\\x"}', "{\\ud800: 1}"])
def test_text_that_is_no_json_and_holds_something_else_that_is_wrong_is_refused_once(text: str) -> None:
    assert refused(text)[0] in ("MalformedJson", "NotFinite")


def test_a_number_that_only_looks_long_is_no_json() -> None:
    assert refused('["' + "1" * 5000 + '", 1.5e]')[0] == "MalformedJson"


def test_lines_are_counted_from_the_line_that_the_text_begins_on() -> None:
    assert refused('{"a": 1,\n"a": 2}', line=7)[2].startswith("'a' is defined twice (lines 7, 8)")
    assert refused("{,}", line=7)[1] == "f.json:7:2"


def test_limits_can_be_given() -> None:
    assert refused("[[]]", limits=ReadLimits(depth=1))[:2] == ("TooDeep", "/0")


def test_an_unfinished_text_of_many_quotes_takes_no_more_than_linear_time() -> None:
    assert refused('["' + '\\"' * 200_000)[0] == "MalformedJson"


def test_the_lines_of_values_are_found() -> None:
    text = '{\n"a": [\n1,\n{"b/c": 2}],\n"d": {}\n}'
    assert json_lines_of(text, ["", "/a", "/a/0", "/a/1/b~1c", "/d", "/nowhere"]) == {
        "": 1, "/a": 2, "/a/0": 3, "/a/1/b~1c": 4, "/d": 5,
    }  # fmt: skip


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_whatever_is_written_is_read_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False, indent=1)) == value


@given(st.text(alphabet='[]{},:"\\u0d8 \n-1.eEnNatrue', max_size=40))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        value = parse_json(text)
    except InvalidDocument as error:
        assert error.reason
        return
    assert value == json.loads(text)
