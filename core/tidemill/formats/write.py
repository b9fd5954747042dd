"""A data flow becomes text: JSON or YAML with sorted keys, which `load` reads back as the same data flow.

Only plain data can be written: text, finite numbers, true, false, null, lists and mappings with text as keys (a tuple
becomes a list). Everything else is refused with its place, never written as something similar. Neighbours: `load`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from tidemill.errors import TidemillError, pointer, shown
from tidemill.formats.bounds import DEFAULT_LIMITS, has_surrogate
from tidemill.model.dataflow import DataFlow

__all__ = ["plain_data", "to_json", "to_yaml", "yaml_text"]


def to_json(dataflow: DataFlow, *, linked: bool = False) -> str:
    """Return the data flow as JSON; ``linked`` writes each definition once.

    Raises `TidemillError` (NotExportable) with the place of what is not plain data.
    """
    data = plain_data(dataflow.export(linked=linked))
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def to_yaml(dataflow: DataFlow, *, linked: bool = False) -> str:
    """Return the data flow as YAML that readers of YAML 1.1 and 1.2 understand alike; raises as `to_json` does."""
    return yaml_text(plain_data(dataflow.export(linked=linked)))


def yaml_text(data: Any, *, width: int = 120) -> str:
    """Return plain data as YAML, in lines of about ``width`` characters, that all readers of YAML understand alike."""
    import yaml

    return str(yaml.dump(data, Dumper=_dumper(), sort_keys=True, allow_unicode=True, width=width))


def _dumper() -> Any:
    import re

    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what YAML 1.2 would take for a number, as its base does for YAML 1.1, and writes no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        # In double quotes what cannot be seen is escaped; elsewhere some of it would be read as an end of line.
        visible = all(char.isprintable() or char == "\n" for char in value)
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if visible else '"')

    Dumper.add_representer(str, text)
    number = re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)$")
    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return Dumper


def plain_data(value: Any) -> Any:
    """Return a copy of ``value`` made of plain data only.

    Raises `TidemillError` (NotExportable) with the JSON pointer of the first part that is none, or is nested too deep
    to be read again.
    """
    return _plain(value, ())


def _plain(value: Any, path: tuple[object, ...]) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        if has_surrogate(value):
            _refuse(value, path, "half a surrogate pair is no character")
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            _refuse(value, path, "it is not finite")
        return float(value)
    if len(path) >= DEFAULT_LIMITS.depth:
        _refuse(value, path, f"it nests deeper than {DEFAULT_LIMITS.depth} levels")
    if isinstance(value, dict):
        return dict(_items(value, path))
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*path, at)) for at, item in enumerate(value)]
    _refuse(value, path, f"{type(value).__name__} is neither text, number, boolean, null, list nor mapping")


def _items(value: dict[Any, Any], path: tuple[object, ...]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if not isinstance(key, str):
            _refuse(key, path, f"a key has to be text, this one is {type(key).__name__}")
        yield key, _plain(item, (*path, key))


def _refuse(value: Any, path: tuple[object, ...], why: str) -> Any:
    raise TidemillError(
        f"{shown(value)} cannot be written to a file: {why}", reason="NotExportable", path=pointer(*path)
    )
