"""Results as JSON and as short text, whatever Python objects they are made of.

Neighbours: the command line prints them, `serving` answers with them.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import json
import math
import numbers
import os
import uuid
from collections.abc import Mapping
from typing import Any

from tidemill.errors import shown

__all__ = ["DEPTH", "as_json", "as_text", "jsonable"]

DEPTH = 64
"""Levels of lists and mappings that are written out; what lies deeper is written as the beginning of its ``repr``."""

_LARGE = 10**4000
"""From here on the interpreter may refuse to write an integer in decimal digits."""

_AS_STR = (datetime.date, datetime.time, decimal.Decimal, uuid.UUID, os.PathLike)


def as_json(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)


def as_text(value: Any) -> str:
    """Return a value as people read it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def jsonable(value: Any, depth: int = DEPTH, above: tuple[int, ...] = ()) -> Any:
    """Return a value as plain data that JSON can carry.

    Bytes become base64, dates, decimals, UUIDs and paths their text, sets sorted lists, dataclasses and named tuples
    mappings, numbers that are not finite text, integers of thousands of digits their hexadecimal text. Any other
    object, what nests too deep, and what holds itself (``above`` are the containers that hold it) is written as the
    beginning of its ``repr``.
    """
    if value is None or isinstance(value, (bool, str, numbers.Real)):
        return _scalar(value)
    if depth <= 0 or id(value) in above:
        return shown(value)
    above = (*above, id(value))
    structured = _structured(value)
    if structured is not None:
        value = structured
    if isinstance(value, Mapping):
        return {_scalar(str(key)): jsonable(item, depth - 1, above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item, depth - 1, above) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((jsonable(item, depth - 1, above) for item in value), key=as_json)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    return str(value) if isinstance(value, _AS_STR) else shown(value)


def _scalar(value: Any) -> Any:
    """Return a null, a boolean, text or a number as Python's own type of it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")  # half a surrogate pair cannot be printed
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) < _LARGE else hex(int(value))
    if isinstance(value, numbers.Rational):
        return str(value)
    return float(value) if math.isfinite(value) else repr(float(value))


def _structured(value: Any) -> dict[str, Any] | None:
    """Return the fields of a named tuple or a dataclass, or None for anything else."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    return None
