"""What the primitive of a definition promises about a value, and the check that holds it to that.

A primitive is a free string. The ones below are checked, all others take anything. Nothing is converted: a value
either is what its definition says or is refused. Neighbours: `model.definition` carries the primitive,
`model.input` and the engine check values with what this module returns.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CANONICAL", "checker_of", "compatible", "primitive_of", "type_name"]

CANONICAL = {
    "str": "str",
    "string": "str",
    "int": "int",
    "integer": "int",
    "float": "float",
    "number": "float",
    "bool": "bool",
    "boolean": "bool",
    "bytes": "bytes",
    "map": "map",
    "dict": "map",
    "mapping": "map",
    "array": "array",
    "list": "array",
}
"""Spellings of the primitives that are checked, and the one that stands for each."""

_PRIMITIVE_OF_TYPE = {"dict": "map", "list": "array"}


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_int(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_bool(value: Any) -> bool:
    # numpy's bool is no subclass of bool and registers with no abstract class.
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _is_bytes(value: Any) -> bool:
    return isinstance(value, (bytes, bytearray, memoryview))


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "_asdict") or hasattr(value, "__dataclass_fields__")


def _is_array(value: Any) -> bool:
    return not isinstance(value, (str, bytes, bytearray, Mapping)) and hasattr(value, "__iter__")


_CHECKS: dict[str, tuple[type, Callable[[Any], bool]]] = {
    "str": (str, _is_str),
    "int": (int, _is_int),
    "float": (float, _is_float),
    "bool": (bool, _is_bool),
    "bytes": (bytes, _is_bytes),
    "map": (dict, _is_map),
    "array": (list, _is_array),
}


def checker_of(primitive: str) -> tuple[type, Callable[[Any], bool]] | None:
    """Return (the exact type that passes at once, the full check) of a primitive, or None if it takes anything."""
    canonical = CANONICAL.get(primitive.lower())
    return None if canonical is None else _CHECKS[canonical]


def compatible(given: str, taken: str) -> bool:
    """Say whether every value of primitive ``given`` may stand where primitive ``taken`` is asked for."""
    source, target = CANONICAL.get(given.lower()), CANONICAL.get(taken.lower())
    return source is None or target is None or source == target or (source, target) == ("int", "float")


def primitive_of(annotation: Any) -> str:
    """Return the primitive that stands for a type: ``dict`` is a map, ``list`` an array, other classes an object."""
    if annotation in (None, type(None), Any):
        return "generic"
    if isinstance(annotation, type) and getattr(annotation, "__origin__", None) is None:
        name = annotation.__name__
        if name in _PRIMITIVE_OF_TYPE:
            return _PRIMITIVE_OF_TYPE[name]
        return name if name in CANONICAL else "object"
    origin = getattr(annotation, "__origin__", None)
    return _PRIMITIVE_OF_TYPE.get(getattr(origin, "__name__", ""), "generic")


def type_name(value: Any) -> str:
    """Return the name of a value's type as messages give it."""
    return "null" if value is None else type(value).__name__
