"""The name of a plan: a hash over everything that the data flow says, in one canonical spelling.

Two data flows have one digest if and only if they say the same, whatever the order of their keys. Code is not part of
it, but its name is.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

from tidemill.errors import InvalidFlow, Problem, TidemillError, pointer, shown
from tidemill.model.dataflow import DataFlow, export_config
from tidemill.model.definition import Definition, export_spec
from tidemill.model.input import Input

__all__ = ["canonical", "digest_of"]

WORD = 1024
"""Bits of a number up to which it is spelt in digits."""


def digest_of(dataflow: DataFlow) -> str:
    """Return ``sha256:`` and the hash of the data flow.

    Raises `InvalidFlow` (TooDeep, NotComparable) for values that have no one spelling: such that contain themselves,
    nest deeper than Python goes, or cannot be shown.
    """
    try:
        spelt = canonical(_said(dataflow))
    except Exception as error:
        raise InvalidFlow(_unspellable(dataflow, error)) from error
    return "sha256:" + hashlib.sha256(spelt).hexdigest()


def _unspellable(dataflow: DataFlow, error: Exception) -> list[Problem]:
    """Return which seeds and configurations have no spelling; the data flow as a whole if it is none of them."""
    parts: list[tuple[str, Any]] = [(pointer("seed", at, "value"), item.value) for at, item in enumerate(dataflow.seed)]
    parts += [(pointer("configs", name), _config(config)) for name, config in dataflow.configs.items()]
    return [problem for path, value in parts for problem in _problem(path, value)] or [_why("", error)]


def _problem(path: str, value: Any) -> list[Problem]:
    try:
        canonical(value)
    except Exception as error:
        return [_why(path, error)]
    return []


def _why(path: str, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        said = "the value contains itself, or nests too deep to be told from others; give it with the inputs instead"
        return Problem("TooDeep", path, said)
    said = f"the value cannot be told from others: {shown(error)}"
    return Problem("NotComparable", path, said)


def _said(dataflow: DataFlow) -> dict[str, Any]:
    return {
        "operations": {name: {**op._asdict(), "instance_name": name} for name, op in dataflow.operations.items()},
        "seed": [_seed(item) for item in dataflow.seed],
        "flow": {name: entry.said() for name, entry in dataflow.flow.items()},
        "configs": {name: _config(config) for name, config in dataflow.configs.items()},
        "forward": dataflow.forward.book,
        "limits": dataflow.limits.export(),
    }


def _seed(item: Input) -> dict[str, Any]:
    said = {"value": item.value, "definition": item.definition, "origin": item.origin}
    if item.given_uid:
        said["uid"] = item.given_uid
    if item.parents:
        said["parents"] = [parent.given_uid for parent in item.parents]
    return said


def _config(config: Any) -> Any:
    """Return what a configuration says in a file; what cannot be written speaks for itself."""
    try:
        return export_config(config)
    except TidemillError:
        return config


def _definition(definition: Definition) -> dict[str, Any]:
    # The spec of a definition that was read from a file is another class that says the same.
    spec = None if definition.spec is None else export_spec(definition.spec)
    return {**definition._asdict(), "spec": spec, "links": list(definition.links or ())}


def canonical(value: Any) -> bytes:
    """Return one spelling of ``value``: JSON with sorted keys, anything else by its type and its ``repr``."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > WORD:  # Python writes no number of thousands of digits
        return {"int": hex(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        # Keys keep their type: 1 and "1" are two keys.
        return {f"{type(key).__name__}:{_key(key)}": _plain(item) for key, item in value.items()}
    if isinstance(value, Definition):
        return {"definition": _plain(_definition(value))}
    if isinstance(value, DataFlow):
        return {"dataflow": _plain(_said(value))}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_asdict"):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(json.dumps(_plain(item), sort_keys=True) for item in value)}
    return _object(value)


def _key(key: Any) -> Any:
    return hex(key) if isinstance(key, int) and key.bit_length() > WORD else key


def _object(value: Any) -> Any:
    if isinstance(value, functools.partial):  # its repr has the address of the function
        return {"partial": [_plain(value.func), _plain(value.args), _plain(value.keywords)]}
    if hasattr(value, "__qualname__"):
        return {"code": f"{getattr(value, '__module__', None)}:{value.__qualname__}"}
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
