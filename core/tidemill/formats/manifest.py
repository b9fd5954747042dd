"""A data flow becomes an object for Kubernetes: the wrapper that `document` takes off again.

What an object says to the operator alone (pools and the like) is kept where the data flow came from one. Neighbours:
`write` makes the text, `inputs` is what reads the input sets that are written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from tidemill.errors import InvalidFlow, Problem, TidemillError, pointer, shown
from tidemill.formats.inputs import is_record
from tidemill.formats.load import LoadedFlow
from tidemill.formats.write import plain_data
from tidemill.model.dataflow import DataFlow
from tidemill.model.primitives import type_name

__all__ = ["manifest_of", "object_name"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_CONTEXT = re.compile(r"([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?")
_LONGEST = 253
_LONGEST_CONTEXT = 63


def object_name(text: str) -> str:
    """Return what an object may be called after ``text``: lower case, and hyphens for all else that is no letter or
    digit. Empty if nothing is left."""
    return re.sub(r"[^a-z0-9.]+|(?<=\.)\.+", "-", text.lower())[:_LONGEST].strip("-.")


def manifest_of(dataflow: DataFlow, name: str, loaded: LoadedFlow | None = None) -> dict[str, Any]:
    """Return the DataFlow object of a data flow, as plain data with its keys in the order in which they are read.

    ``loaded`` is the file that the data flow came from, whose inputs (and pools, if it is an object itself) are kept.
    Raises `TidemillError`: InvalidName, NotExportable; and `InvalidFlow` for inputs that an object cannot hold.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        said = "lower-case letters, digits and hyphens, at most 253 characters"
        raise TidemillError(
            f"no object can be called {shown(name)}; expected {said}", reason="InvalidName", path="--name"
        )
    spec = _flow(dataflow)
    if loaded is not None:
        spec |= _of_cluster(loaded)
        if loaded.inputs is not None:
            spec["inputs"] = plain_data(list(_input_sets(loaded.inputs, loaded)))
    return {"apiVersion": _api_version(), "kind": "DataFlow", "metadata": {"name": name}, "spec": spec}


def _api_version() -> str:
    from tidemill.formats.schema import API_VERSION  # imports pydantic

    return API_VERSION


def _flow(dataflow: DataFlow) -> dict[str, Any]:
    try:
        exported = dataflow.export(linked=True)
    except TidemillError as error:
        if error.reason != "DefinitionConflict":
            raise
        exported = dataflow.export()  # two definitions of one name can only be told apart in place
    first = ("linked", "definitions", "operations", "flow", "seed")
    data = plain_data(exported)
    kept = {key: data[key] for key in [*first, *sorted(set(data) - set(first))] if data.get(key)}
    return kept


def _of_cluster(loaded: LoadedFlow) -> dict[str, Any]:
    """Return what the file says to the operator alone, if it is an object."""
    from tidemill.formats.schema import ClusterPart

    if not loaded.document.prefix:
        return {}
    spec = loaded.document.document.value["spec"]
    return {key: spec[key] for key in spec if key in ClusterPart.model_fields and key != "inputs"}


def _input_sets(value: Any, loaded: LoadedFlow) -> Iterator[dict[str, Any]]:
    """Yield the input sets of an object; raises `InvalidFlow` with the place of what it cannot hold."""
    if isinstance(value, Mapping):
        for name, said in value.items():
            path = pointer("inputs", name)
            yield _context(name, path, loaded) | _inputs(said, path, loaded)
    elif isinstance(value, list):
        for at, said in enumerate(value):
            # One that is alone may go without a name; of several each has one.
            name = f"context-{at + 1}" if len(value) > 1 else ""
            yield _record(said, name, pointer("inputs", at), loaded)
    else:
        _refuse(f"expected a mapping of contexts, or a list of them, got {type_name(value)}", "/inputs", loaded)


def _record(said: Any, name: str, path: str, loaded: LoadedFlow) -> dict[str, Any]:
    if not isinstance(said, Mapping) or not is_record(said, loaded.dataflow.definitions):
        return _context(name, path, loaded) | _inputs(said, path, loaded)
    made = _context(said.get("context") or name, path, loaded)
    values = dict(said.get("values") or {})
    inputs = said.get("inputs") or []
    if isinstance(inputs, Mapping):  # by definition, as values are
        values, inputs = {**values, **inputs}, []
    return made | ({"values": values} if values else {}) | ({"inputs": inputs} if inputs else {})


def _inputs(said: Any, path: str, loaded: LoadedFlow) -> dict[str, Any]:
    if isinstance(said, Mapping):
        return {"values": dict(said)}
    if isinstance(said, list):
        return {"inputs": said}
    _refuse(f"expected the inputs of a context: a mapping or a list, got {type_name(said)}", path, loaded)


def _context(name: Any, path: str, loaded: LoadedFlow) -> dict[str, str]:
    """Return the key that names a context."""
    if name == "":
        return {}
    if not isinstance(name, str) or not _CONTEXT.fullmatch(name) or len(name) > _LONGEST_CONTEXT:
        said = "letters, digits and - _ . between them, at most 63 characters"
        _refuse(f"no context of an object can be called {shown(name)}; expected {said}", path, loaded)
    return {"context": name}


def _refuse(message: str, path: str, loaded: LoadedFlow) -> NoReturn:
    raise InvalidFlow(loaded.locate((Problem("NotExportable", path, message),)))
