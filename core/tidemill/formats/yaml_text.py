"""YAML text becomes plain data, or an error that says where and why not.

The data is built from the parser's events and not by its constructor, which recurses, follows aliases, lets the last of
two equal keys win, and makes objects that tags ask for. Scalars follow the core schema of YAML 1.2; where the widely
used 1.1 rules read a scalar differently, an ImplicitType warning says so. Neighbours: `bounds`, `read`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from tidemill.errors import InvalidDocument, Problem, pointer, shown
from tidemill.formats.bounds import DEFAULT_LIMITS, ReadLimits, has_surrogate, position, refuse

__all__ = ["parse_yaml", "yaml_lines_of"]

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_KIND_1_1 = {"bool": "a boolean", "int": "another number", "float": "a number", "timestamp": "a date", "null": "null"}
_ALLOWED_TAGS = (_TAG + "str", _TAG + "map", _TAG + "seq")


def parse_yaml(
    text: str, *, source: str = "<text>", limits: ReadLimits = DEFAULT_LIMITS, parser: Any = None
) -> tuple[Any, tuple[Problem, ...]]:
    """Return the data that ``text`` holds, and the warnings (ImplicitType) about it.

    There is one document in it, or there are objects of Kubernetes of which one is a DataFlow, which is returned.
    ``source`` names the text in errors, ``parser`` is the PyYAML loader whose event parser is used. Raises
    `InvalidDocument`: EmptyDocument, MultipleDocuments, MalformedYaml, AliasesNotAllowed, TagNotAllowed,
    MergeKeyNotAllowed, DuplicateKey, KeyNotText, TooDeep, NotFinite, IntegerOutOfRange, InvalidUnicode.
    """
    documents = _Documents(lambda: _Builder(source, limits))
    try:
        for event in yaml.parse(text, Loader=parser or _PARSER):
            documents.take(event)
    except yaml.YAMLError as error:
        _refuse_malformed(text, source, error)
    except UnicodeEncodeError as error:  # the parser in pure Python makes half pairs and cannot name them
        refuse("InvalidUnicode", source, f"half of a surrogate pair is no character: {error.reason}")
    builder = documents.only()
    if not builder.begun:
        refuse("EmptyDocument", f"{source}:1", "there is nothing in it; a YAML document was expected")
    return builder.root, tuple(builder.warnings)


def yaml_lines_of(text: str, pointers: Iterable[str]) -> dict[str, int]:
    """Return the line on which the value at each of ``pointers`` begins, for those that exist in valid YAML."""
    wanted = frozenset(pointers)
    documents = _Documents(lambda: _Builder("", DEFAULT_LIMITS, wanted))
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            documents.take(event)
    except (yaml.YAMLError, InvalidDocument):
        pass  # somebody else reports it; what came before has its lines
    return next((each.lines for each in documents.builders if each.is_dataflow), documents.builders[0].lines)


def _refuse_malformed(text: str, source: str, error: yaml.YAMLError) -> NoReturn:
    if isinstance(error, yaml.reader.ReaderError):
        line, column = position(text, int(error.position))
        refuse(
            "MalformedYaml",
            f"{source}:{line}:{column}",
            f"character #x{int(error.character):04x} is not allowed in YAML; write it as an escape in double quotes",
        )
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = str(getattr(error, "problem", None) or error)
    path = f"{source}:{line}:{column}"
    if "Unicode character escape" in problem:
        refuse("InvalidUnicode", path, "the escape is no character; write characters above U+FFFF as \\U0001F600")
    lines = text.split("\n")
    if line <= len(lines) and lines[line - 1][column - 1 : column] == "\t":
        problem = "a tab cannot indent; use spaces"
    context = f" {error.context}" if isinstance(error, yaml.MarkedYAMLError) and error.context else ""
    refuse("MalformedYaml", path, f"{problem}{context} (line {line}, column {column})")


@dataclass(slots=True)
class _Frame:
    """One list or mapping that is being filled: ``at`` is the place of its current value, None if a key comes next."""

    into: Any
    at: str | int | None
    lines: dict[str, int] = field(default_factory=dict)

    def advance(self) -> None:
        self.at = self.at + 1 if isinstance(self.at, int) else None


class _Documents:
    """The documents of one text: one, or objects of Kubernetes of which one is ours."""

    def __init__(self, make: Callable[[], _Builder]) -> None:
        self.make = make
        self.builders = [make()]

    def take(self, event: yaml.Event) -> None:
        """Add one event of the parser to the document that it belongs to."""
        if isinstance(event, yaml.DocumentStartEvent) and self.builders[-1].begun:
            if not self.builders[-1].is_object:
                said = "a second document begins here; one file holds one document, or objects of Kubernetes"
                self.make().refuse("MultipleDocuments", event, said)
            self.builders.append(self.make())
        self.builders[-1].take(event)

    def only(self) -> _Builder:
        """Return the document that is meant; raises `InvalidDocument` (MultipleDocuments) if that cannot be told."""
        if len(self.builders) == 1:
            return self.builders[0]
        ours = [builder for builder in self.builders if builder.is_dataflow]
        if len(ours) != 1:
            said = f"of {len(self.builders)} objects {len(ours) or 'none'} are a DataFlow; one file holds one"
            self.make().refuse("MultipleDocuments", self.builders[1].begun, said)
        return ours[0]


class _Builder:
    """Builds plain data from events, one at a time and without recursion."""

    def __init__(self, source: str, limits: ReadLimits, wanted: frozenset[str] = frozenset()) -> None:
        self.source, self.limits, self.wanted = source, limits, wanted
        self.root: Any = None
        self.begun: yaml.Event | None = None
        self.warnings: list[Problem] = []
        self.lines: dict[str, int] = {}
        self.frames: list[_Frame] = []

    def take(self, event: yaml.Event) -> None:
        """Add one event of the parser to the data."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.frames.pop()
            if self.frames:
                self.frames[-1].advance()
        elif isinstance(event, yaml.AliasEvent):
            self.refuse("AliasesNotAllowed", event, f"*{event.anchor} is an alias; write the value out in place")
        elif isinstance(event, yaml.DocumentStartEvent):
            self.begun = event

    @property
    def is_object(self) -> bool:
        """Whether what was built is an object of Kubernetes."""
        return isinstance(self.root, dict) and "apiVersion" in self.root and "kind" in self.root

    @property
    def is_dataflow(self) -> bool:
        """Whether what was built is an object that has a data flow."""
        return self.is_object and self.root["kind"] == "DataFlow"

    @property
    def pointer(self) -> str:
        """The JSON pointer of the value that comes next."""
        places = (frame.at for frame in self.frames)
        return pointer(*(place for place in places if place is not None))

    def refuse(self, reason: str, event: Any, message: str) -> NoReturn:
        """Raise `InvalidDocument` about the value that comes next, naming the line of ``event``."""
        mark = event.start_mark
        refuse(reason, self.pointer, f"{message} ({self.source}, line {mark.line + 1}, column {mark.column + 1})")

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._refuse_decorations(event)
        made: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if self._expects_key():
            self.refuse("KeyNotText", event, "a list or mapping cannot be a key; keys are text")
        if len(self.frames) >= self.limits.depth:
            self.refuse("TooDeep", event, f"lists and mappings nest deeper than {self.limits.depth} levels")
        self._add(made, event)
        self.frames.append(_Frame(made, 0 if isinstance(made, list) else None))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_decorations(event)
        text = str(event.value)
        if has_surrogate(text):
            self.refuse("InvalidUnicode", event, f"{shown(text)} holds half a surrogate pair, which is no character")
        plain = bool(event.implicit[0]) and event.tag is None
        if self._expects_key():
            self._key(event, text, plain=plain)
        else:
            self._add(self._resolved(event, text) if plain else text, event)
            if self.frames:
                self.frames[-1].advance()

    def _expects_key(self) -> bool:
        return bool(self.frames) and self.frames[-1].at is None

    def _key(self, event: Any, text: str, *, plain: bool) -> None:
        frame = self.frames[-1]
        line = event.start_mark.line + 1
        if plain and text == "<<":
            self.refuse("MergeKeyNotAllowed", event, "<< merges by alias in YAML 1.1; write the keys out in place")
        frame.at = text
        if text in frame.lines:
            self.refuse(
                "DuplicateKey",
                event,
                f"{shown(text)} is defined twice (lines {frame.lines[text]}, {line}); keep one of them",
            )
        frame.lines[text] = line
        if plain and (_kind_1_1(text) != "str" or _kind_1_2(text) != "str"):
            self._warn(event, f'the key {text} is read as text, other readers take it as a value; write "{text}"')

    def _add(self, value: Any, event: Any) -> None:
        if self.wanted and (path := self.pointer) in self.wanted:
            self.lines[path] = event.start_mark.line + 1
        if not self.frames:
            self.root = value
            return
        into, at = self.frames[-1].into, self.frames[-1].at
        if isinstance(into, list):
            into.append(value)
        else:
            into[at] = value

    def _refuse_decorations(self, event: Any) -> None:
        if event.anchor is not None:
            self.refuse("AliasesNotAllowed", event, f"&{event.anchor} is an anchor; write the value out in place")
        if event.tag is not None and event.tag not in _ALLOWED_TAGS:
            tag = str(event.tag).replace(_TAG, "!!")
            self.refuse("TagNotAllowed", event, f"the tag {shown(tag)} asks for a type; only plain data is read")

    def _resolved(self, event: yaml.ScalarEvent, text: str) -> Any:
        if _NOT_FINITE.fullmatch(text):
            self.refuse("NotFinite", event, f"{text} is not a finite number; give a finite number or null")
        kind, other = _kind_1_2(text), _kind_1_1(text)
        value = self._value(event, text, kind)
        if kind != other or (kind == "int" and _DECIMAL.fullmatch(text) and text.lstrip("-+") != str(abs(value))):
            self._warn_implicit(event, text, value, other)
        return value

    def _value(self, event: yaml.ScalarEvent, text: str, kind: str) -> Any:
        if kind == "null":
            return None
        if kind == "bool":
            return _BOOL[text]
        if kind == "int":
            if len(text) > self.limits.digits:
                limit = self.limits.digits
                self.refuse("IntegerOutOfRange", event, f"an integer of {len(text)} digits; the limit is {limit}")
            return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)
        if kind == "float":
            number = float(text)
            if math.isinf(number):
                self.refuse("NotFinite", event, f"{shown(text)} is larger than any float; give a finite number")
            return number
        return text

    def _warn_implicit(self, event: yaml.ScalarEvent, text: str, value: Any, other: str) -> None:
        read_as = "text" if isinstance(value, str) else f"the number {shown(value)}"
        taken_as = _KIND_1_1.get(other, "text")
        self._warn(event, f'{text} is read as {read_as}, others take it as {taken_as}; write "{text}" for text')

    def _warn(self, event: Any, message: str) -> None:
        where = f"{self.source}, line {event.start_mark.line + 1}"
        self.warnings.append(Problem("ImplicitType", self.pointer, f"{message} ({where})"))


def _kind_1_2(text: str) -> str:
    """Return what a plain scalar is in the core schema of YAML 1.2."""
    if text in _NULL:
        return "null"
    if text in _BOOL:
        return "bool"
    if _DECIMAL.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return "int"
    return "float" if _FLOAT.fullmatch(text) else "str"


def _kind_1_1(text: str) -> str:
    """Return what a plain scalar is by the rules of YAML 1.1, as PyYAML has them."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], [])
    for tag, pattern in resolvers:
        if pattern.match(text):
            return str(tag).removeprefix(_TAG)
    return "str"
