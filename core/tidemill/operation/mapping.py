"""Operations over mappings: a value at a path, and a mapping of one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.errors import InvalidInput, did_you_mean, shown
from tidemill.model.definition import Definition
from tidemill.runtime.decorator import op

__all__ = [
    "MAPPING",
    "MAPPING_KEY",
    "MAPPING_TRAVERSE",
    "MAPPING_VALUE",
    "create_mapping",
    "mapping_extract_value",
    "path_of",
    "traverse_get",
]

MAPPING = Definition(name="mapping", primitive="map")
MAPPING_TRAVERSE = Definition(name="mapping_traverse", primitive="List[str]")
MAPPING_KEY = Definition(name="key", primitive="str")
MAPPING_VALUE = Definition(name="value", primitive="generic")


def path_of(text: str) -> list[str]:
    """Return the keys of a path that is written with dots; a key in quotes may have dots of its own."""
    keys: list[str] = []
    quoted: list[str] = []
    for part in text.split("."):
        edges = sum(part.count(quote) for quote in "'\"")
        if quoted or edges == 1:
            opened = bool(quoted)
            quoted.append(part.strip("'\""))
            if opened and edges:
                keys.append(".".join(quoted))
                quoted = []
        else:
            keys.append(part.strip("'\"") if edges else part)
    return keys + quoted


def traverse_get(target: Any, *args: Any) -> Any:
    """Return what is at a path in mappings and lists: ``traverse_get(found, "one", "two")``, or ``"one.two"``.

    Raises KeyError, IndexError or TypeError where the path leads nowhere.
    """
    keys: Sequence[Any] = path_of(args[0]) if len(args) == 1 and isinstance(args[0], str) else args
    for key in keys:
        target = target[key]
    return target


@op(
    name="dffml.mapping.extract",
    inputs={"mapping": MAPPING, "traverse": MAPPING_TRAVERSE},
    outputs={"value": MAPPING_VALUE},
    executor="loop",
)
def mapping_extract_value(mapping: Any, traverse: Sequence[str]) -> dict[str, Any]:
    """Return what is at the path ``traverse`` in ``mapping``.

    Raises `InvalidInput` (KeyMissing) where it leads nowhere.
    """
    if not isinstance(mapping, Mapping):
        mapping = mapping._asdict() if hasattr(mapping, "_asdict") else vars(mapping)
    keys = [traverse] if isinstance(traverse, str) else list(traverse)
    try:
        return {"value": traverse_get(mapping, *keys)}
    except (KeyError, IndexError, TypeError) as error:
        hint = did_you_mean(str(keys[0]), map(str, mapping))
        raise InvalidInput(f"there is nothing at {shown(keys)} in the mapping {hint}", reason="KeyMissing") from error


@op(
    name="dffml.mapping.create",
    inputs={"key": MAPPING_KEY, "value": MAPPING_VALUE},
    outputs={"mapping": MAPPING},
    executor="loop",
)
def create_mapping(key: str, value: Any) -> dict[str, Any]:
    """Return a mapping of one key to one value."""
    return {"mapping": {key: value}}
