"""Files of lines are read one line at a time, and every complaint names the line."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from tidemill.errors import InvalidDocument
from tidemill.formats.bounds import ReadLimits
from tidemill.formats.records import Row, read_csv, read_json_lines


def rows(data: bytes, limits: ReadLimits | None = None) -> list[Row]:
    return list(read_csv(io.BytesIO(data), "f.csv", limits=limits or ReadLimits()))


def refused(data: bytes, limits: ReadLimits | None = None) -> tuple[str, str, str]:
    with pytest.raises(InvalidDocument) as caught:
        rows(data, limits)
    return caught.value.reason, caught.value.path, caught.value.message


def refused_lines(data: bytes, limits: ReadLimits | None = None) -> tuple[str, str, str]:
    with pytest.raises(InvalidDocument) as caught:
        list(read_json_lines(io.BytesIO(data), "f.jsonl", limits=limits or ReadLimits()))
    return caught.value.reason, caught.value.path, caught.value.message


def test_every_line_of_json_is_a_value_and_blank_lines_are_none() -> None:
    found = list(read_json_lines(io.BytesIO(b'{"a": 1}\n\n  \r\n[2]\r\n3'), "f.jsonl"))
    assert found == [Row(1, {"a": 1}), Row(4, [2]), Row(5, 3)]


class Endless(io.RawIOBase):
    """Gives lines for ever, and counts how many were asked for."""

    given = 0

    def readline(self, size: int | None = -1) -> bytes:
        self.given += 1
        return b'{"n": %d}\n' % self.given


def test_lines_are_read_as_they_are_asked_for() -> None:
    file = Endless()
    found: Iterator[Row] = read_json_lines(file, "f.jsonl")  # type: ignore[arg-type]
    assert [next(found).value["n"] for _ in range(3)] == [1, 2, 3]
    assert file.given == 3


@pytest.mark.parametrize(
    ("data", "reason", "path", "message"),
    [
        (b'1\n{"a" 1}\n', "MalformedJson", "f.jsonl:2:6", "Expecting ':' delimiter"),
        (b'1\n\n{"a": 1, "a": 2}', "DuplicateKey", "f.jsonl:3#/a", "'a' is defined twice (lines 3, 3)"),
        (b"1\n[NaN]", "NotFinite", "f.jsonl:2#/0", "NaN is not a number of JSON"),
        (b"1\n" + b"[" * 100, "TooDeep", "f.jsonl:2#" + "/0" * 64, "nest deeper than 64 levels"),
        (b'1\n"\xff"', "InvalidUnicode", "f.jsonl:2", "byte 0xff at offset 1 is not UTF-8"),
        (b"1\n2 3", "MalformedJson", "f.jsonl:2:3", "Extra data"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(data: bytes, reason: str, path: str, message: str) -> None:
    found = refused_lines(data)
    assert found[:2] == (reason, path)
    assert message in found[2]


def test_a_line_longer_than_the_limit_is_refused() -> None:
    data = b"1\n" + b"2" * 50
    assert refused_lines(data, ReadLimits(size=20)) == ("TooLarge", "f.jsonl:2", "the line is longer than 20 bytes")


def test_the_first_row_of_csv_names_the_cells() -> None:
    data = '\ufeffname, size\r\n"Ada, ""A""",1\r\n\r\n"two\nlines",2\nx,3\n'.encode()
    assert rows(data) == [
        Row(2, {"name": 'Ada, "A"', "size": "1"}),
        Row(4, {"name": "two\nlines", "size": "2"}),
        Row(6, {"name": "x", "size": "3"}),
    ]


@pytest.mark.parametrize(("cells", "said"), [(b"1", "it has 1 cells"), (b"1,2,3", "it has 3 cells")])
def test_a_row_with_too_few_or_too_many_cells_is_refused(cells: bytes, said: str) -> None:
    assert refused(b"a,b\n1,2\n" + cells) == ("RaggedRow", "f.csv:3", f"{said}, the first row names 2 columns")


def test_two_columns_of_one_name_are_refused() -> None:
    assert refused(b"a,b,a\n") == (
        "DuplicateKey",
        "f.csv:1",
        "two columns are named 'a'; use JSON lines for several values",
    )


def test_a_column_without_a_name_is_refused() -> None:
    assert refused(b"a, \n") == ("EmptyName", "f.csv:1", "column 2 has no name; the first row names definitions")


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_a_file_without_a_first_row_is_refused(data: bytes) -> None:
    assert refused(data)[:2] == ("EmptyDocument", "f.csv:1")


def test_a_quote_that_never_ends_is_refused_with_the_line_it_began_on() -> None:
    reason, path, message = refused(b'a\n1\n"2\n3\n')
    assert (reason, path) == ("MalformedCsv", "f.csv:3")
    assert message.endswith("(row that begins on line 3)")


def test_text_after_a_quote_is_refused() -> None:
    assert refused(b'a\n"1"2\n')[:2] == ("MalformedCsv", "f.csv:2")


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    assert refused(b"a\n1\n\xff\n")[:2] == ("InvalidUnicode", "f.csv:3")


def test_a_line_of_csv_longer_than_the_limit_is_refused() -> None:
    assert refused(b"a\n" + b"1" * 50, ReadLimits(size=20))[:2] == ("TooLarge", "f.csv:2")
