"""Inputs of files that no context could take are refused with the place in the file, before any context is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidemill import DataFlow, Definition, Input, InvalidInput, Limits, Operation, compile_plan
from tidemill.formats.fitting import Fitting
from tidemill.formats.inputs import InputFile, InputSet, document_sets

N, WORD = Definition("n", "int"), Definition("word", "string")
TAKE = Operation("take", inputs={"n": N, "word": WORD})
DEFINITIONS = {"n": N, "word": WORD}


def fitting(common: list[Input] | None = None, places: list[str] | None = None, **flow: Any) -> Fitting:
    limits = Limits(inputs=3, value_bytes=100, value_depth=2)
    return Fitting(compile_plan(DataFlow(TAKE, limits=limits, **flow)), common or [], places or [])


def refused(call: Callable[[], Any]) -> tuple[str, str, str]:
    with pytest.raises(InvalidInput) as caught:
        call()
    return caught.value.reason, caught.value.path, caught.value.message


def test_what_fits_is_left_alone() -> None:
    (found,) = document_sets({"a": {"n": [1, 2], "word": ""}}, DEFINITIONS)
    fitting()(found)
    assert (found.where, found.places) == ("/a", ["/a/n/0", "/a/n/1", "/a/word"])


def test_seeds_and_common_inputs_count() -> None:
    common = [Input("x", WORD)]
    fits = fitting(common, ["--input word"], seed=[Input(1, N, uid="u")])
    fits(InputSet("a", [Input(2, N)], "f:1", ["f:1#/n"]))
    two = InputSet("a", [Input(2, N), Input(3, N)], "f:1#", ["f:1#/n/0", "f:1#/n/1"])
    assert refused(lambda: fits(two)) == ("InputLimitExceeded", "f:1", "4 inputs in one context; limit 3")
    other = InputSet("a", [Input(2, N, uid="u")], "f:1#", ["f:1#/n"])
    assert refused(lambda: fits(other))[:2] == ("InputConflict", "f:1#/n")


def test_a_common_input_is_named_by_its_own_place() -> None:
    fits = fitting([Input("x" * 101, WORD)], ["--input word"])
    assert refused(lambda: fits(InputSet("a", []))) == (
        "ValueTooLarge", "--input word", '"word": the value has more than 100 bytes, the limit value_bytes',
    )  # fmt: skip


def test_equal_values_that_count_once_are_left_to_the_context() -> None:
    once = Definition("once", dedupe="value")
    fitting(seed=[Input(1, once), Input(1, once)])(InputSet("a", [Input(1, N), Input(2, N)]))


@pytest.mark.parametrize(
    ("name", "content", "path", "where"),
    [
        ("i.jsonl", '{}\n{"n": 1, "word": ["a", "LONG"]}\n', "{file}:2#/word/1", ""),
        ("i.csv", "word,n\na,1\nLONG,2\n", "{file}:3", ""),
        ("i.yaml", "a: {}\nb:\n  n: 1\n  word: LONG\n", "/b/word", " ({file}, line 4)"),
        ("i.json", '[{"n": 1},\n{"context": "b", "inputs": {"word": "LONG"}}]', "/1/inputs/word", " ({file}, line 2)"),
    ],
)
def test_every_kind_of_file_is_checked_to_its_end(
    name: str, content: str, path: str, where: str, tmp_path: Path
) -> None:
    written = tmp_path / name
    written.write_text(content.replace("LONG", "x" * 101))
    file = InputFile(str(written), DEFINITIONS, fitting())
    message = '"word": the value has more than 100 bytes, the limit value_bytes' + where.format(file=file.source)
    assert refused(file.check) == ("ValueTooLarge", path.format(file=file.source), message)


def test_a_file_that_was_checked_is_not_checked_again(tmp_path: Path) -> None:
    written, seen = tmp_path / "i.jsonl", []
    written.write_text('{"n": 1}\n{"n": 2}\n')
    file = InputFile(str(written), DEFINITIONS, lambda found: seen.append(found.name))
    assert file.check() == 2
    assert len(list(file)) == 2
    assert seen == ["i.jsonl:1", "i.jsonl:2"]
