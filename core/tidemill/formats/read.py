"""One file, or one text, becomes one document of plain data: bounded, and with a place for every complaint.

Neighbours: `json_text` and `yaml_text` parse, `records` reads files that have one record per line, `document` gives
the data its meaning.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tidemill.errors import Problem
from tidemill.formats.bounds import DEFAULT_LIMITS, MIB, ReadLimits, decode, refuse
from tidemill.formats.json_text import json_lines_of, parse_json

__all__ = ["Document", "format_of", "lines_of", "open_regular", "parse_document", "read_document"]

_FORMATS = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its plain data, and the text, ``format`` ("json" or "yaml") and ``source`` that it came from."""

    value: Any
    source: str
    format: str
    text: str
    warnings: tuple[Problem, ...] = ()


def format_of(name: str) -> str | None:
    """Return "json" or "yaml" by the suffix of a file's name, or None if it has another."""
    return _FORMATS.get(Path(name).suffix.lower())


def parse_document(
    data: bytes | str, *, source: str = "<text>", format: str | None = None, limits: ReadLimits = DEFAULT_LIMITS
) -> Document:
    """Return the document that ``data`` holds.

    Without a ``format`` it is JSON if it begins with a brace, else YAML. Raises `InvalidDocument`: TooLarge, or what
    `parse_json` and `parse_yaml` raise.
    """
    if len(data) > limits.size:
        _refuse_size(source, limits)
    text = decode(data, source) if isinstance(data, bytes) else data
    chosen = format or ("json" if text.lstrip()[:1] == "{" else "yaml")
    if chosen == "json":
        return Document(parse_json(text, source=source, limits=limits), source, chosen, text)
    from tidemill.formats.yaml_text import parse_yaml  # only a YAML file is worth the import of a YAML parser

    value, warnings = parse_yaml(text, source=source, limits=limits)
    return Document(value, source, chosen, text, warnings)


def read_document(
    path: str | os.PathLike[str], *, format: str | None = None, limits: ReadLimits = DEFAULT_LIMITS
) -> Document:
    """Return the document in a ``.json``, ``.yaml`` or ``.yml`` file, or in any file that is of this ``format``.

    Raises `InvalidDocument`: UnknownFormat, FileNotFound, NotAFile, FileUnreadable, or what `parse_document` raises.
    """
    source = os.fspath(path)
    chosen = format or format_of(source)
    if chosen is None:
        suffix = Path(source).suffix
        said = f'the suffix "{suffix}" is none that is read' if suffix else "it has no suffix that tells its format"
        refuse("UnknownFormat", source, f"{said}; name the file .json, .yaml or .yml")
    with open_regular(source) as file:
        # One byte more than allowed tells too large from just fitting, whatever the file system says of its size.
        return parse_document(file.read(limits.size + 1), source=source, format=chosen, limits=limits)


def open_regular(path: str) -> IO[bytes]:
    """Return the file at ``path``, opened for reading bytes; `InvalidDocument` says why it cannot be."""
    try:
        return open(path, "rb")
    except FileNotFoundError:
        refuse("FileNotFound", path, "there is no such file")
    except IsADirectoryError:
        refuse("NotAFile", path, "this is a directory; name a file in it")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        refuse("FileUnreadable", path, f"it cannot be read: {reason}")


def lines_of(document: Document, pointers: Iterable[str]) -> dict[str, int]:
    """Return the line on which the value at each JSON pointer begins; a missing value gets that of its container."""
    wanted = {pointer: _ancestors(pointer) for pointer in pointers}
    every = {at for chain in wanted.values() for at in chain}
    if document.format == "json":
        found = json_lines_of(document.text, every)
    else:
        from tidemill.formats.yaml_text import yaml_lines_of

        found = yaml_lines_of(document.text, every)
    return {
        pointer: next(found[at] for at in chain if at in found)
        for pointer, chain in wanted.items()
        if any(at in found for at in chain)
    }


def _ancestors(pointer: str) -> list[str]:
    """Return the pointer and those of all its containers, nearest first."""
    parts = pointer.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _refuse_size(source: str, limits: ReadLimits) -> None:
    size = f"{limits.size // MIB} MiB" if limits.size % MIB == 0 else f"{limits.size} bytes"
    refuse("TooLarge", source, f"it is larger than {size}; give large inputs as a file of JSON lines or CSV")
