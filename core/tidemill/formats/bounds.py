"""What a text may cost to read, and the one way in which a reader refuses.

Neighbours: `json_text`, `yaml_text` and `records` keep to `ReadLimits`; `read` gets the bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from tidemill.errors import InvalidDocument

__all__ = ["DEFAULT_LIMITS", "MIB", "ReadLimits", "decode", "has_surrogate", "position", "refuse"]

MIB = 1024 * 1024
"""Bytes in a mebibyte."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What one document, or one line of a file of lines, may be.

    ``size`` is in bytes, ``depth`` counts nested lists and mappings, ``digits`` the decimal digits of one integer.
    """

    size: int = 16 * MIB
    depth: int = 64
    digits: int = 4300


DEFAULT_LIMITS = ReadLimits()
"""The limits that apply where none are given."""


def refuse(reason: str, path: str, message: str) -> NoReturn:
    """Raise `InvalidDocument` with these three parts."""
    # A path may hold what the text held: half a surrogate pair must not break the one who prints it.
    printable = path.encode("utf-8", "backslashreplace").decode("utf-8")
    raise InvalidDocument(message, reason=reason, path=printable)


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of ``offset`` in ``text``, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def has_surrogate(text: str) -> bool:
    """Say whether ``text`` holds half of a surrogate pair, which no encoding can carry."""
    return _SURROGATE.search(text) is not None


def decode(data: bytes, source: str, *, line: int = 1) -> str:
    """Return ``data`` as text, without a byte order mark.

    ``source`` and ``line`` (the number of the first line) say where it came from. Raises `InvalidDocument`
    (InvalidUnicode) if it is not UTF-8.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        refuse(
            "InvalidUnicode",
            f"{source}:{at}",
            f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8; save the file as UTF-8",
        )
    return text.removeprefix("\ufeff")
