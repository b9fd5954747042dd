"""Files of records as DFFML's sources ``json`` and ``csv`` keep them: a key, and features by name.

The JSON file maps tags to records by key; in the CSV file a row is a record, and every column that is not the key or
the tag is a feature, whose cells are Python literals where they are. Only what a data flow needs is here: keys to run
it for, and a place for results. Neighbours: `records` (inputs of contexts, one on each line), `write`.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidemill.errors import InvalidDocument, pointer, shown
from tidemill.formats.bounds import DEFAULT_LIMITS, decode, refuse
from tidemill.formats.json_text import parse_json
from tidemill.formats.read import open_regular
from tidemill.formats.records import read_csv
from tidemill.model.primitives import type_name

__all__ = ["KINDS", "Records", "SourceConfig", "read_records", "write_records"]

KINDS = ("json", "csv", "memory")
"""What a source may be; one in memory is empty, and nothing is written."""

Records = dict[str, dict[str, Any]]
"""Records by key: each with ``features``, and what else its file says of it."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """A source as options say it, with the names that DFFML has for them. ``key`` and ``tagcol`` are columns of CSV."""

    kind: str
    filename: str = ""
    tag: str = "untagged"
    readwrite: bool = False
    allowempty: bool = False
    key: str = "key"
    tagcol: str = "tag"


@dataclass(slots=True)
class _Table:
    """All records of a CSV file, by tag; whether its columns name keys and tags."""

    tags: dict[str, Records] = field(default_factory=dict)
    keyed: bool = True


def read_records(config: SourceConfig) -> Records:
    """Return the records of a source with its tag.

    Raises `InvalidDocument`: FileNotFound (unless ``allowempty``), or what is wrong with the file.
    """
    if config.kind == "memory" or (config.allowempty and not Path(config.filename).exists()):
        return {}
    if config.kind == "csv":
        return _csv(config).tags.get(config.tag, {})
    return _tagged(_json(config), config)


def write_records(config: SourceConfig, records: Records) -> None:
    """Write records into the file of a source, beside those of other tags; the file is whole at every moment.

    Does nothing unless the source is ``readwrite``.
    """
    if config.kind == "memory" or not config.readwrite:
        return
    there = Path(config.filename).exists()
    if config.kind == "csv":
        table = _csv(config) if there else _Table()
        table.tags[config.tag] = records
        _replace(config.filename, _csv_text(table, config))
    else:
        said = _json(config) if there else {}
        _replace(config.filename, json.dumps({**said, config.tag: records}, allow_nan=False))


def _replace(filename: str, text: str) -> None:
    folder = os.path.dirname(os.path.abspath(filename))
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8", newline="") as file:
        try:
            file.write(text)
            file.flush()
            if os.path.exists(filename):
                shutil.copymode(filename, file.name)
            os.replace(file.name, filename)
        except BaseException:
            os.unlink(file.name)
            raise


def _text(config: SourceConfig) -> str:
    with open_regular(config.filename) as file:
        data = file.read(DEFAULT_LIMITS.size + 1)
    if len(data) > DEFAULT_LIMITS.size:
        refuse("TooLarge", config.filename, f"it is larger than {DEFAULT_LIMITS.size} bytes")
    return decode(data, config.filename)


def _json(config: SourceConfig) -> dict[str, Any]:
    text = _text(config)
    if not text.strip() and config.allowempty:
        return {}
    said = parse_json(text, source=config.filename)
    return dict(_mapping(said, config.filename, ""))


def _tagged(said: Mapping[str, Any], config: SourceConfig) -> Records:
    found: Records = {}
    for key, record in _mapping(said.get(config.tag, {}), config.filename, pointer(config.tag)).items():
        place = pointer(config.tag, key)
        found[key] = dict(_mapping(record, config.filename, place))
        found[key]["features"] = dict(_mapping(found[key].get("features", {}), config.filename, f"{place}/features"))
    return found


def _mapping(value: Any, source: str, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        said = f"expected a mapping, got {type_name(value)} {shown(value)} ({source})"
        raise InvalidDocument(said, reason="TypeMismatch", path=place)
    return value


def _csv(config: SourceConfig) -> _Table:
    table = _Table()
    with open_regular(config.filename) as file:
        for number, row in enumerate(read_csv(file, config.filename)):
            cells: dict[str, str] = dict(row.value)
            tag = cells.pop(config.tagcol, "") or config.tag
            table.keyed = config.key in cells
            key = cells.pop(config.key, str(number))
            features = {name: _cell(text) for name, text in cells.items() if text != ""}
            table.tags.setdefault(tag, {})[key] = {"features": features}
    return table


def _cell(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _csv_text(table: _Table, config: SourceConfig) -> str:
    names = sorted({name for _, _, record in _rows(table) for name in record["features"]})
    header = [config.key] * table.keyed + [config.tagcol, *names]
    out = io.StringIO()
    writer = csv.DictWriter(out, header)
    writer.writeheader()
    for tag, key, record in _rows(table):
        named = {config.key: key} if table.keyed else {}
        writer.writerow({**named, config.tagcol: tag, **record["features"]})
    return out.getvalue()


def _rows(table: _Table) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for tag, records in table.tags.items():
        for key, record in records.items():
            yield tag, key, record
