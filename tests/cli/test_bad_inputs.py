"""Inputs that are wrong, given to `run` as a user gives them: each is one error with reason, path and message.

Nothing is run then, whatever stands before the wrong input in the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FLOW = """\
linked: true
definitions:
  word: {primitive: string}
  n: {primitive: int}
  f: {primitive: float}
  flag: {primitive: boolean}
  list: {primitive: array}
  spec: {primitive: array}
  all: {primitive: map}
operations:
  take: {name: "taking:take", inputs: {word: word, n: n, f: f, flag: flag, list: list}, outputs: {}}
  get_multi: {name: get_multi, stage: output, inputs: {spec: spec}, outputs: {output: all}}
limits: {inputs: 8, value_bytes: 100, contexts: 3}
"""

Given = Callable[[str], tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def given(cli: Callable[..., Any], tmp_path: Path) -> Given:
    """Run lines of JSON and return (exit code, records, standard error)."""
    (tmp_path / "f.yaml").write_text(FLOW)
    (tmp_path / "taking.py").write_text("def take(word, n, f, flag, list):\n    return {}\n")

    def run(lines: str) -> tuple[int, list[dict[str, Any]], str]:
        (tmp_path / "i.jsonl").write_text(lines)
        result = cli("run", "f.yaml", "--inputs", "i.jsonl", "-q", "-o", "jsonl")
        return result.code, [json.loads(line) for line in result.out.splitlines()], result.err

    return run


@pytest.fixture
def refused(given: Given) -> Callable[[str], tuple[str, str]]:
    """Run a good line and a wrong one; return the first line of the error and its message."""

    def run(line: str) -> tuple[str, str]:
        code, records, err = given('{"n": 1}\n' + line + "\n")
        assert (code, records) == (3, [])
        head, *message = err.splitlines()
        return head, "\n".join(message)

    return run


Refused = Callable[[str], tuple[str, str]]


def test_a_definition_that_does_not_exist(refused: Refused) -> None:
    assert refused('{"wrod": "x"}') == (
        "error: UnknownDefinition at i.jsonl:2#/wrod",
        "  no definition is called 'wrod' (has: all, f, flag, list, n, spec, word); did you mean \"word\"?",
    )


@pytest.mark.parametrize(
    ("line", "path", "said"),
    [
        ('{"n": "12"}', "/n", "\"n\": expected int, got str '12'"),
        ('{"n": [1, 1.0]}', "/n/1", '"n": expected int, got float 1.0'),
        ('{"word": 12}', "/word", '"word": expected string, got int 12'),
        ('{"flag": 0}', "/flag", '"flag": expected boolean, got int 0'),
        ('{"list": "[]"}', "/list", "\"list\": expected array, got str '[]'"),
    ],
)
def test_a_value_of_another_type(line: str, path: str, said: str, refused: Refused) -> None:
    assert refused(line) == (f"error: TypeMismatch at i.jsonl:2#{path}", f"  {said}")


def test_null(refused: Refused) -> None:
    assert refused('{"n": null}') == (
        "error: NullValue at i.jsonl:2#/n",
        '  null is no value of "n" (int); leave it out to take its default',
    )


@pytest.mark.parametrize(
    ("number", "said"), [("NaN", "NaN is not a number of JSON"), ("1e999", "'1e999' is larger than any float")]
)
def test_a_number_that_is_not_finite(number: str, said: str, refused: Refused) -> None:
    head, message = refused(f'{{"f": {number}}}')
    assert head == "error: NotFinite at i.jsonl:2#/f"
    assert message.startswith(f"  {said}")


def test_values_that_are_empty_or_zero_are_values(given: Given) -> None:
    empty = {"word": "", "n": 0, "f": -0.0, "flag": False, "list": []}
    code, records, err = given(json.dumps({**empty, "spec": [*empty]}) + "\n")
    assert (code, err) == (0, "")
    assert records[0]["result"] == {"word": [""], "n": [0], "f": [0.0], "flag": [False], "list": [[]]}


def test_the_largest_and_the_smallest_numbers_are_kept(given: Given) -> None:
    _, records, err = given('{"f": [1.7976931348623157e308, 5e-324], "spec": ["f"]}\n')
    assert (err, records[0]["result"]["f"]) == ("", [1.7976931348623157e308, 5e-324])


def test_a_value_that_is_too_large(refused: Refused) -> None:
    assert refused(json.dumps({"word": ["x", "x" * 10_000]})) == (
        "error: ValueTooLarge at i.jsonl:2#/word/1",
        '  "word": the value has more than 100 bytes, the limit value_bytes',
    )


def test_more_inputs_than_a_context_may_have(refused: Refused) -> None:
    assert refused(json.dumps({"n": list(range(20))})) == (
        "error: InputLimitExceeded at i.jsonl:2",
        "  20 inputs in one context; limit 8",
    )


def test_inputs_of_every_context_count_too(cli: Callable[..., Any], given: Given) -> None:
    assert given('{"n": [1, 2, 3, 4, 5, 6]}\n')[0] == 0
    common = [argument for word in "abc" for argument in ("--input", f"word={word}")]
    result = cli("run", "f.yaml", "--inputs", "i.jsonl", "-q", *common)
    assert (result.code, result.out) == (3, "")
    assert result.err == "error: InputLimitExceeded at i.jsonl:1\n  9 inputs in one context; limit 8\n"
    result = cli("run", "f.yaml", "-q", "--input", f"word={'x' * 200}")
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("error: ValueTooLarge at --input word\n")


def test_what_comes_through_a_pipe_is_refused_with_its_line(
    given: Given, process: Callable[..., Any], tmp_path: Path
) -> None:
    assert given("")[0] == 0  # the files are there
    said = json.dumps({"n": list(range(20))}) + "\n"
    result = process("run", "f.yaml", "--inputs", "-", "-q", cwd=tmp_path, said=said)
    assert (result.code, result.out) == (3, "")
    assert result.err == "error: InputLimitExceeded at stdin:1\n  20 inputs in one context; limit 8\n"


def test_one_identity_with_one_value_is_one_input(given: Given) -> None:
    wanted = '{"definition": "spec", "value": ["n"]}'
    same = '{"definition": "n", "value": 1, "uid": "u"}'
    assert given(f"[{wanted}, {same}, {same}]\n")[1][0]["result"] == {"n": [1]}


def test_one_identity_with_two_values_is_a_conflict(refused: Refused) -> None:
    two = '[{"definition": "n", "value": 1, "uid": "u"}, {"definition": "n", "value": 2, "uid": "u"}]'
    assert refused(two) == (
        "error: InputConflict at i.jsonl:2#/1",
        '  the uid "u" stands for 1 already; 2 needs one of its own',
    )


def test_names_and_values_that_a_terminal_would_act_on(given: Given, refused: Refused) -> None:
    name = "a\x00{b}:\n\u202e\x1b[2J"
    code, records, err = given(json.dumps({"context": name, "inputs": {"word": name, "spec": ["word"]}}) + "\n")
    assert (code, err, records[0]["context"], records[0]["result"]) == (0, "", name, {"word": [name]})
    head, message = refused(json.dumps({name: 1}))
    assert head == "error: UnknownDefinition at i.jsonl:2#/a\\x00{b}:\\n\\u202e\\x1b[2J"
    assert not {"\x00", "\u202e", "\x1b"} & set(message)


def test_more_contexts_than_the_data_flow_allows(given: Given) -> None:
    assert given('{"n": 1}\n' * 4) == (
        3,
        [],
        "error: ContextLimitExceeded at i.jsonl\n"
        "  there are 4 contexts, the data flow allows 3 in one run; split them, or raise its limit\n",
    )
    code, records, err = given('{"n": 1}\n' * 3)
    assert (code, len(records), err) == (0, 3, "")


def test_more_contexts_on_standard_input_than_the_data_flow_allows(
    given: Given, process: Callable[..., Any], tmp_path: Path
) -> None:
    assert given("")[0] == 0  # the files are there
    result = process("run", "f.yaml", "--inputs", "-", "-q", "-o", "jsonl", cwd=tmp_path, said='{"n": 1}\n' * 4)
    assert result.code == 3
    assert result.err == ("error: ContextLimitExceeded\n  the run was given more than 3 contexts, the limit contexts\n")
