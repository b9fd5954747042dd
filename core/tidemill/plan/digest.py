"""The name of a plan: a hash over everything that the data flow says, in one canonical spelling.

Two data flows have one digest if and only if they say the same, whatever the order of their keys. Code is not part of
it, but its name is.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tidemill.model.dataflow import DataFlow

__all__ = ["canonical", "digest_of"]


def digest_of(dataflow: DataFlow) -> str:
    """Return ``sha256:`` and the hash of the data flow."""
    said = {
        "operations": {name: {**op._asdict(), "instance_name": name} for name, op in dataflow.operations.items()},
        "seed": [{"value": item.value, "definition": item.definition, "origin": item.origin} for item in dataflow.seed],
        "flow": {name: entry.export() for name, entry in dataflow.flow.items()},
        "configs": dataflow.configs,
        "forward": dataflow.forward.book,
        "limits": dataflow.limits.export(),
    }
    return "sha256:" + hashlib.sha256(canonical(said)).hexdigest()


def canonical(value: Any) -> bytes:
    """Return one spelling of ``value``: JSON with sorted keys, anything else by its type and its ``repr``."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        # Keys keep their type: 1 and "1" are two keys.
        return {f"{type(key).__name__}:{key}": _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(json.dumps(_plain(item), sort_keys=True) for item in value)}
    if hasattr(value, "__qualname__"):
        return {"code": f"{value.__module__}:{value.__qualname__}"}
    if hasattr(value, "_asdict"):
        return {"type": type(value).__name__, "fields": _plain(value._asdict())}
    if hasattr(value, "__dataclass_fields__"):
        return {
            "type": type(value).__name__,
            "fields": {n: _plain(getattr(value, n)) for n in value.__dataclass_fields__},
        }
    if hasattr(value, "value") and hasattr(type(value), "__members__"):
        return {"enum": value.value}
    return {"type": f"{type(value).__module__}.{type(value).__qualname__}", "repr": repr(value)}
