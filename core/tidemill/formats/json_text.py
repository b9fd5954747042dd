"""JSON text becomes plain data, or an error that says where and why not.

The standard library's parser does the work. What it would let pass (duplicate keys, NaN, half a surrogate pair) or
die of (nesting, thousands of digits) is noticed cheaply first; only then a slower walk over the tokens finds the place
to name. Neighbours: `bounds`, `read`, `records`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from tidemill.errors import pointer, shown
from tidemill.formats.bounds import DEFAULT_LIMITS, ReadLimits, has_surrogate, position, refuse

__all__ = ["json_lines_of", "parse_json"]

# Possessive quantifiers: a string that never ends must not be tried again from each of its characters.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rf'{_STRING}|[\[\]{{}},:]|[^\s\[\]{{}},:"]++', re.DOTALL)
_BRACKET = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


class _Hazard(Exception):
    """The text holds something that must be refused; a walk over its tokens will say where."""


def parse_json(text: str, *, source: str = "<text>", line: int = 1, limits: ReadLimits = DEFAULT_LIMITS) -> Any:
    """Return the data that ``text`` holds.

    ``source`` names the text in errors and ``line`` is the number of its first line. Raises `InvalidDocument`:
    EmptyDocument, MalformedJson, TooDeep, DuplicateKey, NotFinite, IntegerOutOfRange, InvalidUnicode.
    """
    if not text.strip():
        refuse("EmptyDocument", f"{source}:{line}", "there is nothing in it; a JSON document was expected")
    walk = _Walk(text, source, line, limits)
    if _may_nest_too_deep(text, limits.depth):
        walk.check()
    suspicious = _ESCAPED_SURROGATE.search(text) or re.search(rf"\d{{{limits.digits + 1}}}", text)
    if suspicious:
        walk.check()
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused, parse_float=_finite)
    except _Hazard:
        walk.check()
        raise  # not reached: the walk sees what the hooks saw
    except json.JSONDecodeError as error:
        at = line + error.lineno - 1
        refuse("MalformedJson", f"{source}:{at}:{error.colno}", f"{error.msg} (line {at}, column {error.colno})")
    except ValueError as error:  # this interpreter was told to convert fewer digits than our limit allows
        refuse("IntegerOutOfRange", f"{source}:{line}", str(error))


def json_lines_of(text: str, pointers: Iterable[str]) -> dict[str, int]:
    """Return the line on which the value at each of ``pointers`` begins, for those that exist in valid JSON."""
    wanted, found = set(pointers), {}
    walk = _Walk(text, "", 1, DEFAULT_LIMITS)
    for offset, _ in walk.values():
        at = walk.pointer
        if at in wanted and at not in found:
            found[at] = position(text, offset)[0]
    return found


def _may_nest_too_deep(text: str, limit: int) -> bool:
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = deepest = 0
    for match in _BRACKET.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in "]}":
            depth -= 1
    return deepest > limit


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Hazard
    return made


def _refused(_: str) -> NoReturn:
    raise _Hazard


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _Hazard
    return value


class _Frame:
    """One list or mapping that is open: the keys seen (None in a list), and the place within it."""

    __slots__ = ("at", "expects_key", "keys")

    def __init__(self, *, is_map: bool) -> None:
        self.keys: dict[str, int] | None = {} if is_map else None
        self.at: str | int = "" if is_map else 0
        self.expects_key = is_map


class _Walk:
    """Walks over the tokens of a text and knows the JSON pointer of where it is; ends quietly where it is no JSON."""

    def __init__(self, text: str, source: str, line: int, limits: ReadLimits) -> None:
        self.text, self.source, self.line, self.limits = text, source, line, limits
        self.frames: list[_Frame] = []

    @property
    def pointer(self) -> str:
        """The JSON pointer of the current value."""
        return pointer(*(frame.at for frame in self.frames))

    def check(self) -> None:
        """Raise `InvalidDocument` for the first token that must be refused."""
        for offset, token in self.values():
            if token in _CONSTANTS:
                self.refuse("NotFinite", offset, f"{token} is not a number of JSON; give a finite number or null")
            if token[0] == '"':
                self._check_string(offset, token)
            elif token[0] in "-0123456789":
                self._check_number(offset, token)

    def values(self) -> Iterator[tuple[int, str]]:
        """Yield (offset, token) of every value, where a list or mapping is its opening bracket."""
        for match in _TOKEN.finditer(self.text):
            token, offset = match.group(), match.start()
            frame = self.frames[-1] if self.frames else None
            if token in "]}":
                if frame is None:
                    return
                self.frames.pop()
            elif token == ",":
                self._next(frame)
            elif token == ":":
                continue
            elif frame is not None and frame.expects_key:
                self._key(frame, token, offset)
            else:
                yield offset, token
                if token in "[{":
                    self._open(token, offset)

    def _next(self, frame: _Frame | None) -> None:
        if frame is not None and isinstance(frame.at, int):
            frame.at += 1
        elif frame is not None:
            frame.expects_key = True

    def _open(self, token: str, offset: int) -> None:
        if len(self.frames) >= self.limits.depth:
            self.refuse("TooDeep", offset, f"lists and mappings nest deeper than {self.limits.depth} levels")
        self.frames.append(_Frame(is_map=token == "{"))

    def _key(self, frame: _Frame, token: str, offset: int) -> None:
        frame.expects_key = False
        try:
            key = json.loads(token)
        except ValueError:
            key = token  # no JSON; the parser will say so
        frame.at = key if isinstance(key, str) else token
        if frame.keys is None:
            return
        if frame.at in frame.keys:
            first = position(self.text, frame.keys[frame.at])[0] + self.line - 1
            again = position(self.text, offset)[0] + self.line - 1
            self.refuse(
                "DuplicateKey", offset, f"{shown(frame.at)} is defined twice (lines {first}, {again}); keep one of them"
            )
        frame.keys[frame.at] = offset
        self._check_string(offset, token)

    def _check_string(self, offset: int, token: str) -> None:
        if not _ESCAPED_SURROGATE.search(token):
            return
        try:
            text = json.loads(token)
        except ValueError:
            return
        if has_surrogate(text):
            self.refuse("InvalidUnicode", offset, f"{shown(text)} holds half a surrogate pair, which is no character")

    def _check_number(self, offset: int, token: str) -> None:
        if not re.search("[.eE]", token):
            digits = len(token.lstrip("-"))
            if digits > self.limits.digits:
                limit = self.limits.digits
                self.refuse("IntegerOutOfRange", offset, f"an integer of {digits} digits; the limit is {limit}")
            return
        try:
            infinite = math.isinf(float(token))
        except ValueError:
            return
        if infinite:
            self.refuse("NotFinite", offset, f"{shown(token)} is larger than any float; give a finite number")

    def refuse(self, reason: str, offset: int, message: str) -> NoReturn:
        """Raise `InvalidDocument` about the current value, naming the line and the column of ``offset``."""
        line, column = position(self.text, offset)
        where = f"{self.source}, line {line + self.line - 1}, column {column}"
        refuse(reason, self.pointer, f"{message} ({where})")
