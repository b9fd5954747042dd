"""Values as bytes: msgpack with typed extensions, never pickle.

What comes back is of the type that went in, for everything in `TYPES`; a NamedTuple, a dataclass or a pydantic model
goes over as a mapping, and becomes itself again where a definition has it as its ``spec``. A value that cannot be
encoded is refused, with the place and the type of what stands in the way.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from tidemill.errors import CorruptValue

__all__ = ["CORRUPT", "MAX_DEPTH", "REFERENCE", "Unencodable", "corrupt", "decode", "encode"]

MAX_DEPTH = 64
"""Levels of lists and mappings that a value may nest."""


class Unencodable(Exception):
    """A value cannot be encoded: ``path`` leads to the part in the way, ``kind`` is the name of its type."""

    def __init__(self, path: str, kind: str, why: str) -> None:
        super().__init__(f"type {kind} at {path or '/'}: {why}")
        self.path = path
        self.kind = kind
        self.why = why


def _text(value: Any) -> bytes:
    return str(value).encode()


def _iso(value: Any) -> bytes:
    return str(value.isoformat()).encode()


def _packed(value: Any) -> bytes:
    return encode(list(value))


def _complex(value: complex) -> bytes:
    return encode([value.real, value.imag])


def _delta(value: datetime.timedelta) -> bytes:
    return encode([value.days, value.seconds, value.microseconds])


TYPES: dict[int, tuple[type, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    1: (datetime.datetime, _iso, lambda raw: datetime.datetime.fromisoformat(raw.decode())),
    2: (datetime.date, _iso, lambda raw: datetime.date.fromisoformat(raw.decode())),
    3: (datetime.time, _iso, lambda raw: datetime.time.fromisoformat(raw.decode())),
    4: (datetime.timedelta, _delta, lambda raw: datetime.timedelta(*decode(raw))),
    5: (decimal.Decimal, _text, lambda raw: decimal.Decimal(raw.decode())),
    6: (uuid.UUID, lambda value: value.bytes, lambda raw: uuid.UUID(bytes=raw)),
    7: (tuple, _packed, lambda raw: tuple(decode(raw))),
    8: (set, lambda value: _packed(_sorted(value)), lambda raw: set(decode(raw))),
    9: (frozenset, lambda value: _packed(_sorted(value)), lambda raw: frozenset(decode(raw))),
    10: (int, _text, lambda raw: int(raw.decode())),
    11: (complex, _complex, lambda raw: complex(*decode(raw))),
    12: (fractions.Fraction, _text, lambda raw: fractions.Fraction(raw.decode())),
}
"""The typed extensions: code → type, to bytes, from bytes. Codes are part of what is stored: they are never given
anew."""

NUMPY = 20
"""The code of numpy's arrays and scalars, where numpy is installed."""

REFERENCE, CORRUPT = 30, 31
"""The codes of what stands in the place of a value: a reference to a blob, and why there is none."""

_CODES = {kind: code for code, (kind, _, _) in TYPES.items()}


def encode(value: Any) -> bytes:
    """Return ``value`` as bytes. Raises `Unencodable`."""
    try:
        return bytes(msgpack.packb(value, default=_default, strict_types=True, use_bin_type=True))
    except (Unencodable, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _culprit(value, error.why if isinstance(error, Unencodable) else str(error)) from error


def decode(raw: bytes) -> Any:
    """Return the value that was encoded. Raises `CorruptValue` for bytes that nothing here has encoded."""
    try:
        return msgpack.unpackb(raw, ext_hook=_extension, strict_map_key=False, raw=False)
    except CorruptValue:
        raise
    except Exception as error:
        raise CorruptValue(f"{len(raw)} bytes are no value: {type(error).__name__}: {error}") from error


def corrupt(why: str) -> bytes:
    """Return what stands in the place of a value that was lost: to decode it raises `CorruptValue` with ``why``."""
    return bytes(msgpack.packb(msgpack.ExtType(CORRUPT, why.encode())))


def _default(value: Any) -> Any:
    kind = type(value)
    code = _CODES.get(kind)
    if code is not None:
        return msgpack.ExtType(code, TYPES[code][1](value))
    if hasattr(value, "_asdict"):
        return dict(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, Mapping):
        return dict(value)
    if kind.__module__ == "numpy" and hasattr(value, "tobytes") and value.dtype.kind in "biufcSUmM":
        return msgpack.ExtType(NUMPY, encode([value.dtype.str, list(value.shape), value.tobytes()]))
    bases: tuple[Callable[[Any], Any], ...] = (int, float, str, bytes, dict, list)
    for base in bases:  # a subclass goes over as what it is a kind of
        if isinstance(value, base):  # type: ignore[arg-type]
            return base(value)
    if isinstance(value, memoryview):
        return bytes(value)
    raise TypeError("there is no encoding for it")


def _extension(code: int, raw: bytes) -> Any:
    if code == NUMPY:
        import numpy

        dtype, shape, data = decode(raw)
        array = numpy.frombuffer(data, dtype=dtype).reshape(shape)
        return array.copy() if shape else array[()]
    if code == CORRUPT:
        raise CorruptValue(raw.decode("utf-8", "replace"))
    if code not in TYPES:
        raise ValueError(f"no value of extension type {code} is known")
    return TYPES[code][2](raw)


def _sorted(values: Any) -> list[Any]:
    """Return the elements of a set in one order, so that equal sets are equal bytes."""
    return sorted(values, key=encode)


def _culprit(value: Any, why: str) -> Unencodable:
    """Return where in a value the first part is that cannot be encoded."""
    path, inner = "", value
    for _ in range(MAX_DEPTH):
        pairs: Any = ()
        if isinstance(inner, Mapping):
            pairs = inner.items()
        elif isinstance(inner, (list, tuple)):
            pairs = enumerate(inner)
        for key, item in pairs:
            try:
                msgpack.packb(item, default=_default, strict_types=True)
            except Exception:
                path, inner = f"{path}/{key}", item
                break
        else:
            return Unencodable(path, type(inner).__name__, why)
    return Unencodable(path, type(inner).__name__, f"it nests deeper than {MAX_DEPTH} levels")
