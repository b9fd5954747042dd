"""Inputs for a data flow, from arguments and from files.

A definition decides the type of its values, and nothing is converted: JSON and YAML give values as they are, an
argument and a cell of CSV are text that is read as the primitive of the definition. Neighbours: `records` and `read`
get the data, `model.input` is what it becomes.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

from tidemill.errors import DuplicateContext, InvalidDocument, InvalidInput, TidemillError, did_you_mean, pointer, shown
from tidemill.formats.bounds import DEFAULT_LIMITS, has_surrogate, refuse
from tidemill.formats.json_text import parse_json
from tidemill.formats.read import Document, format_of, lines_of, open_regular, read_document
from tidemill.formats.records import Row, read_csv, read_json_lines
from tidemill.model.definition import Definition
from tidemill.model.input import SEED, Input
from tidemill.model.primitives import CANONICAL, checker_of, type_name

__all__ = [
    "STDIN",
    "InputFile",
    "InputSet",
    "document_sets",
    "input_of_argument",
    "input_of_value",
    "is_record",
    "mismatch",
]

STDIN = "-"
"""Stands for standard input where a file of inputs is asked for."""

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_BOOL = {"true": True, "True": True, "false": False, "False": False}
_ITEM_KEYS = {"definition", "value", "origin", "uid"}
_RECORD_KEYS = {"context", "inputs", "values"}
_ROWS = {".jsonl": read_json_lines, ".ndjson": read_json_lines, ".csv": read_csv}


@dataclass(frozen=True, slots=True)
class InputSet:
    """The inputs of one context, and its name. ``where`` is the place that it was read from, ``places`` are those of
    its inputs."""

    name: str
    inputs: list[Input]
    where: str = ""
    places: list[str] = field(default_factory=list)


def input_of_argument(text: str, definitions: Mapping[str, Definition]) -> Input:
    """Return the input that ``name=value`` or ``name@origin=value`` says.

    The first ``=`` ends the name. A definition whose own name has an ``@`` in it is found by its whole name first.
    Raises `InvalidInput`: InvalidArgument, UnknownDefinition, or what `input_of_value` raises.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        said = f"{shown(text)} is no input; expected name=value, or name@origin=value"
        raise InvalidInput(said, reason="InvalidArgument", path="--input")
    origin = SEED
    if name not in definitions and "@" in name:
        name, _, origin = name.rpartition("@")
    path = f"--input {name}"
    definition = _known(name, definitions, path)
    return input_of_value(definition, _typed(definition, value, path), path, origin=origin)


def input_of_value(definition: Definition, value: Any, path: str, *, origin: Any = SEED, uid: str = "") -> Input:
    """Return the input of this value, which came from ``path``.

    Raises `InvalidInput`: NullValue, TypeMismatch, InvalidUnicode, InputValidationError.
    """
    if wrong := mismatch(definition, value):
        raise InvalidInput(wrong[1], reason=wrong[0], path=path)
    try:
        return Input(value, definition, origin=origin, uid=uid)
    except TidemillError as error:
        raise type(error)(error.message, reason=error.reason, path=path) from error


def mismatch(definition: Definition, value: Any) -> tuple[str, str] | None:
    """Return (reason, message) if ``value`` is not what its definition says: NullValue or TypeMismatch."""
    check = checker_of(definition.primitive)
    if value is None:
        if definition.nullable:
            return None
        said = f'null is no value of "{definition.name}" ({definition.primitive}); leave it out to take its default'
        return "NullValue", said
    if check is not None and not check[1](value):
        said = f'"{definition.name}": expected {definition.primitive}, got {type_name(value)} {shown(value)}'
        return "TypeMismatch", said
    return None


def _known(name: str, definitions: Mapping[str, Definition], path: str) -> Definition:
    if name not in definitions:
        said = f"no definition is called {shown(name)} {did_you_mean(name, definitions)}"
        raise InvalidInput(said, reason="UnknownDefinition", path=path)
    return definitions[name]


def _typed(definition: Definition, text: str, path: str) -> Any:
    """Return the value that ``text`` is for the primitive of ``definition``.

    Maps and arrays are JSON; a primitive that takes anything takes JSON where it is JSON, else the text.
    """
    if has_surrogate(text):
        raise InvalidInput(f"{shown(text)} is not UTF-8", reason="InvalidUnicode", path=path)
    kind = CANONICAL.get(definition.primitive.lower())
    if kind == "str":
        return text
    if kind == "bytes":
        return text.encode()
    if kind in ("map", "array", None):
        try:
            return parse_json(text, source=path)
        except InvalidDocument as error:
            if kind is None and error.reason in ("MalformedJson", "EmptyDocument"):
                return text
            said = f'"{definition.name}" ({definition.primitive}) is given as JSON: {error.message}'
            raise InvalidInput(said, reason=error.reason, path=path) from error
    return _scalar(definition, kind, text, path)


def _scalar(definition: Definition, kind: str, text: str, path: str) -> Any:
    if kind == "bool" and text in _BOOL:
        return _BOOL[text]
    if kind == "int" and _INT.fullmatch(text):
        if len(text) > DEFAULT_LIMITS.digits:
            said = f'"{definition.name}": an integer of {len(text)} digits; the limit is {DEFAULT_LIMITS.digits}'
            raise InvalidInput(said, reason="IntegerOutOfRange", path=path)
        return int(text)
    if kind == "float" and _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if kind == "float" and (_FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text)):
        said = f'"{definition.name}": {shown(text)} is not a finite number'
        raise InvalidInput(said, reason="NotFinite", path=path)
    hint = " (true or false)" if kind == "bool" else ""
    said = f'"{definition.name}": expected {definition.primitive}{hint}, got the text {shown(text)}'
    raise InvalidInput(said, reason="TypeMismatch", path=path)


def document_sets(
    value: Any, definitions: Mapping[str, Definition], *, root: str = "", prefix: str = "context"
) -> Iterator[InputSet]:
    """Yield the input sets that plain data says.

    A mapping goes from the names of contexts to their inputs; a list has one context in each element, bare or as
    ``{"context": name, "inputs": …}`` or ``{"context": name, "values": …}``, and ``prefix-N`` names those without a
    name. The inputs of a context are a mapping from definitions to a value, or to a list of values, or a list of
    ``{"definition", "value", "origin"}``; ``values`` are always a mapping. The paths of errors begin with ``root``.
    """
    if isinstance(value, Mapping):
        for name, said in value.items():
            path = root + pointer(name)
            yield _input_set(str(name), path, _inputs(said, definitions, path))
    elif isinstance(value, list):
        for at, said in enumerate(value):
            yield _record(said, definitions, root + pointer(at), f"{prefix}-{at + 1}")
    else:
        said = f"expected a mapping of contexts, or a list of them, got {type_name(value)} {shown(value)}"
        raise InvalidInput(said, reason="TypeMismatch", path=root)


def _record(said: Any, definitions: Mapping[str, Definition], path: str, name: str) -> InputSet:
    if isinstance(said, Mapping) and is_record(said, definitions):
        given = said.get("context", name)
        if not isinstance(given, str) or not given:
            message = f"the name of a context is a text that is not empty, not {type_name(given)} {shown(given)}"
            raise InvalidInput(message, reason="TypeMismatch", path=f"{path}/context")
        parts = (_inputs(said[key], definitions, f"{path}/{key}") for key in ("values", "inputs") if key in said)
        return _input_set(given, path, chain.from_iterable(parts))
    return _input_set(name, path, _inputs(said, definitions, path))


def is_record(said: Mapping[str, Any], definitions: Mapping[str, Definition]) -> bool:
    """Say whether a mapping says the inputs of a context under keys of ours, and is not itself the inputs."""
    if not set(said) <= _RECORD_KEYS:
        return False
    return "inputs" in said or ("values" in said and "values" not in definitions)


def _input_set(name: str, where: str, found: Iterable[tuple[str, Input]]) -> InputSet:
    made = InputSet(name, [], where)
    for place, item in found:
        made.places.append(place)
        made.inputs.append(item)
    return made


def _inputs(said: Any, definitions: Mapping[str, Definition], path: str) -> Iterator[tuple[str, Input]]:
    """Yield (place, input)."""
    if isinstance(said, Mapping):
        for name, value in said.items():
            at = path + pointer(name)
            definition = _known(str(name), definitions, at)
            if isinstance(value, list) and _takes_several(definition):
                for index, item in enumerate(value):
                    place = f"{at}/{index}"
                    yield place, input_of_value(definition, item, place)
            else:
                yield at, input_of_value(definition, value, at)
    elif isinstance(said, list):
        for index, item in enumerate(said):
            place = f"{path}/{index}"
            yield place, _item(item, definitions, place)
    else:
        message = f"expected the inputs of a context: a mapping or a list, got {type_name(said)} {shown(said)}"
        raise InvalidInput(message, reason="TypeMismatch", path=path)


def _takes_several(definition: Definition) -> bool:
    """Say whether a list stands for several values: not where a list is itself a value of the definition."""
    check = checker_of(definition.primitive)
    return check is not None and not check[1]([])


def _item(item: Any, definitions: Mapping[str, Definition], path: str) -> Input:
    if isinstance(item, Mapping) and item.get("valueFrom") is not None and "value" not in item:
        message = "the value is in a ConfigMap of a cluster; write it as `value`, or give the inputs with --inputs"
        raise InvalidInput(message, reason="OnlyInCluster", path=f"{path}/valueFrom")
    if not isinstance(item, Mapping) or not {"definition", "value"} <= set(item) <= _ITEM_KEYS:
        message = f"expected a mapping with definition and value (and origin, uid, if wanted), got {shown(item)}"
        raise InvalidInput(message, reason="TypeMismatch", path=path)
    texts = {key: item[key] for key in ("definition", "origin", "uid") if key in item}
    for key, text in texts.items():
        if not isinstance(text, str):
            message = f"expected text, got {type_name(text)} {shown(text)}"
            raise InvalidInput(message, reason="TypeMismatch", path=f"{path}/{key}")
    definition = _known(texts["definition"], definitions, f"{path}/definition")
    origin, uid = texts.get("origin", SEED), texts.get("uid", "")
    return input_of_value(definition, item["value"], f"{path}/value", origin=origin, uid=uid)


@dataclass
class InputFile:
    """A file of input sets: ``.jsonl``, ``.ndjson`` and ``.csv`` with one context on each line, ``.yaml``, ``.yml`` and
    ``.json`` with all in one document, or ``-`` for JSON lines from standard input.

    Iterating reads it from the beginning, one context in memory at a time; standard input can be read only once.
    Contexts without a name are called by file and line. Raises `InvalidDocument`, `InvalidInput` and
    `DuplicateContext`, whose path is ``file:line`` (with ``#`` and a JSON pointer into the line), or a JSON pointer
    into the document. ``fits`` is called with each input set until the file has been checked, and may refuse it.
    """

    source: str
    definitions: Mapping[str, Definition]
    fits: Callable[[InputSet], None] | None = None
    document: Document | None = field(default=None, init=False)

    @property
    def repeatable(self) -> bool:
        """Whether the file can be read twice: not if it is a pipe or standard input."""
        return self.source != STDIN and Path(self.source).is_file()

    def check(self) -> int:
        """Read the file once to the end, so that nothing runs on half of it; return how many contexts it has."""
        count = sum(1 for _ in self)
        self.fits = None
        return count

    def __iter__(self) -> Iterator[InputSet]:
        suffix = Path(self.source).suffix.lower()
        names: dict[str, str] = {}
        if self.source == STDIN:
            sets = self._stdin()
        elif suffix in _ROWS:
            sets = self._file(suffix)
        elif format_of(self.source):
            sets = self._document()
        else:
            expected = ".jsonl, .csv, .yaml or .json"
            refuse("UnknownFormat", self.source, f"its suffix does not tell the format; name the file {expected}")
        for found, where in sets:
            if found.name in names:
                said = f'the context "{found.name}" is there twice: {names[found.name]} and {where}; give each its name'
                raise DuplicateContext(said, path=where)
            names[found.name] = where
            yield found

    def _stdin(self) -> Iterator[tuple[InputSet, str]]:
        # Through a reader of its own: an interpreter that ends aborts when a thread still waits within sys.stdin.
        with open(sys.stdin.fileno(), "rb", closefd=False) as file:
            yield from self.rows(file, "stdin", ".jsonl")

    def _file(self, suffix: str) -> Iterator[tuple[InputSet, str]]:
        with open_regular(self.source) as file:
            yield from self.rows(file, self.source, suffix)

    def rows(self, file: IO[bytes], source: str, suffix: str) -> Iterator[tuple[InputSet, str]]:
        """Yield the input set of each line of an open file, and its place; ``suffix`` is ``.jsonl`` or ``.csv``."""
        label = Path(source).name
        for row in _ROWS[suffix](file, source):
            where, name = f"{source}:{row.line}", f"{label}:{row.line}"
            if suffix == ".csv":
                yield self._fitting(self._csv_row(row, where, name)), where
            else:
                yield self._fitting(_record(row.value, self.definitions, f"{where}#", name)), where

    def _fitting(self, found: InputSet) -> InputSet:
        if self.fits is not None:
            self.fits(found)
        return found

    def _csv_row(self, row: Row, where: str, name: str) -> InputSet:
        inputs: list[Input] = []
        for column, text in row.value.items():
            if column == "context" and column not in self.definitions:
                name = text or name
                continue
            definition = _known(column, self.definitions, where)
            if text or CANONICAL.get(definition.primitive.lower()) in ("str", "bytes"):
                inputs.append(input_of_value(definition, _typed(definition, text, where), where))
        return InputSet(name, inputs, where, [where] * len(inputs))

    def _document(self) -> Iterator[tuple[InputSet, str]]:
        if self.document is None:
            self.document = read_document(self.source)
        sets = document_sets(self.document.value, self.definitions, prefix=Path(self.source).name)
        while True:
            try:
                found = next(sets, None)
                if found is not None:
                    self._fitting(found)
            except InvalidInput as error:
                line = lines_of(self.document, [error.path]).get(error.path, 1)
                message = f"{error.message} ({self.source}, line {line})"
                raise type(error)(message, reason=error.reason, path=error.path) from error
            if found is None:
                return
            yield found, f"{self.source}#{pointer(found.name)}"
