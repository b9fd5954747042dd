"""Files of one record per line (JSON lines, CSV), read lazily: a file of any length holds one record in memory.

Neighbours: `json_text` parses a line, `inputs` gives a record its meaning.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from tidemill.errors import InvalidDocument, shown
from tidemill.formats.bounds import DEFAULT_LIMITS, ReadLimits, decode, refuse
from tidemill.formats.json_text import parse_json

__all__ = ["Row", "read_csv", "read_json_lines"]


@dataclass(frozen=True, slots=True)
class Row:
    """A record and the number of the line on which it begins, from 1."""

    line: int
    value: Any


def read_json_lines(file: IO[bytes], source: str, *, limits: ReadLimits = DEFAULT_LIMITS) -> Iterator[Row]:
    """Yield the value of every line that is not blank.

    Raises `InvalidDocument` with the path ``source:line``, and ``#`` and a JSON pointer where there is one: TooLarge
    (one line), InvalidUnicode, or what `parse_json` raises.
    """
    for number, text in _lines(file, source, limits):
        if text.strip():
            yield Row(number, _parsed(text, source, number, limits))


def _parsed(text: str, source: str, number: int, limits: ReadLimits) -> Any:
    try:
        return parse_json(text, source=source, line=number, limits=limits)
    except InvalidDocument as error:
        if error.path.startswith(source):
            raise
        refuse(error.reason, f"{source}:{number}#{error.path}", error.message)


def read_csv(file: IO[bytes], source: str, *, limits: ReadLimits = DEFAULT_LIMITS) -> Iterator[Row]:
    """Yield every row as a mapping from the names in the first row to the text of its cells.

    Blank lines are passed over. Raises `InvalidDocument` with the path ``source:line``: EmptyDocument, DuplicateKey
    (two columns of one name), EmptyName, RaggedRow, MalformedCsv, TooLarge, InvalidUnicode.
    """
    counter = _Counter(_lines(file, source, limits))
    reader = csv.reader(counter, strict=True)
    header: list[str] | None = None
    while True:
        first = counter.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            refuse("MalformedCsv", f"{source}:{first}", f"{error} (row that begins on line {first})")
        if cells is None:
            break
        if not cells:
            continue
        if header is None:
            header = _header(cells, f"{source}:{first}")
        else:
            yield Row(first, _record(header, cells, f"{source}:{first}"))
    if header is None:
        refuse("EmptyDocument", f"{source}:1", "there is nothing in it; a row of definition names was expected")


def _header(cells: list[str], path: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    for index, name in enumerate(names):
        if not name:
            refuse("EmptyName", path, f"column {index + 1} has no name; the first row names definitions")
        if name in names[:index]:
            refuse("DuplicateKey", path, f"two columns are named {shown(name)}; use JSON lines for several values")
    return names


def _record(header: list[str], cells: list[str], path: str) -> Mapping[str, str]:
    if len(cells) != len(header):
        refuse("RaggedRow", path, f"it has {len(cells)} cells, the first row names {len(header)} columns")
    return dict(zip(header, cells, strict=True))


class _Counter:
    """Hands on lines, remembering the number of the last one."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self.lines, self.number = lines, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, text = next(self.lines)
        return text


def _lines(file: IO[bytes], source: str, limits: ReadLimits) -> Iterator[tuple[int, str]]:
    number = 0
    while data := file.readline(limits.size + 1):
        number += 1
        if len(data) > limits.size:
            refuse("TooLarge", f"{source}:{number}", f"the line is longer than {limits.size} bytes")
        yield number, decode(data, source, line=number)
