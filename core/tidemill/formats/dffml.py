"""Data flows as DFFML writes them: what its ``dataflow create`` and ``dataflow merge`` print, and how files are merged.

The files themselves are read by `load` like any other. Neighbours: `write` (the form of our own), `load`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidemill.errors import InvalidFlow, Problem, TidemillError, pointer, shown
from tidemill.formats.load import flow_of
from tidemill.formats.read import Document
from tidemill.formats.write import plain_data, yaml_text
from tidemill.model.dataflow import DataFlow
from tidemill.model.primitives import type_name

__all__ = ["exported", "merged", "merged_flow", "text_of"]


def exported(dataflow: DataFlow, *, linked: bool = True) -> dict[str, Any]:
    """Return a data flow as plain data with the keys that DFFML writes: none that are empty, but ``inputs`` of a flow.

    Raises `TidemillError` (NotExportable, DefinitionConflict).
    """
    data: dict[str, Any] = plain_data(dataflow.export(linked=linked))
    for entry in data["flow"].values():
        entry.setdefault("inputs", {})
    return {key: value for key, value in data.items() if value not in ([], {}) or key in ("operations", "definitions")}


def text_of(data: Mapping[str, Any], kind: str) -> str:
    """Return plain data as DFFML prints it: ``json`` with sorted keys and four spaces, or ``yaml`` in block style."""
    if kind == "yaml":
        return yaml_text(dict(data), width=80)
    return json.dumps(data, sort_keys=True, indent=4, allow_nan=False) + "\n"


def merged_flow(documents: Sequence[Document]) -> DataFlow:
    """Return the data flow that files make together; raises `InvalidFlow` with what is wrong with the whole."""
    for document in documents:
        if not isinstance(document.value, Mapping):
            said = f"expected a mapping, got {type_name(document.value)} {shown(document.value)} ({document.source})"
            raise InvalidFlow([Problem("TypeMismatch", "", said)])
    whole = merged([_bare(document.value) for document in documents])
    names = " + ".join(document.source for document in documents)
    return flow_of(Document({"operations": {}, **whole}, names, "json", "")).dataflow


def _bare(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an object for Kubernetes says as a data flow, without what only a cluster needs."""
    spec = value.get("spec")
    if "apiVersion" not in value or not isinstance(spec, Mapping):
        return value
    from tidemill.formats.schema import ClusterPart  # imports pydantic

    return {key: said for key, said in spec.items() if key not in ClusterPart.model_fields}


def merged(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one document out of several, as DFFML merges them: mappings are merged, lists appended, and of two other
    values the last one holds. If one of them is linked, all are linked before.
    """
    if any(document.get("linked") for document in documents):
        documents = [_linked(document) for document in documents]
    found: dict[str, Any] = {}
    for document in documents:
        _merge(found, document)
    return found


def _linked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the linked form of what may be a part of a data flow only, and may be shaped like none: that is said of
    the whole."""
    if document.get("linked"):
        return document
    listed = document.get("definitions")
    definitions = dict(listed) if isinstance(listed, Mapping) else {}

    def named(definition: Any) -> Any:
        name = definition.get("name") if isinstance(definition, Mapping) else None
        if not isinstance(name, str):
            return definition
        if definitions.setdefault(name, definition) != definition:
            said = f'two different definitions are called "{name}"; rename one, so that a linked file can hold both'
            raise TidemillError(said, reason="DefinitionConflict", path=pointer("definitions", name))
        return name

    def operation(said: Any) -> Any:
        parts = ("inputs", "outputs", "conditions")
        return {**said, **{part: _each(said[part], named) for part in parts if part in said}}

    def seed(said: Any) -> Any:
        return {**said, "definition": named(said["definition"])} if "definition" in said else said

    linked = dict(document)
    for key, change in (("operations", operation), ("seed", seed)):
        if key in linked:
            linked[key] = _each(linked[key], change, only=dict)
    forward = linked.get("forward")
    if isinstance(forward, Mapping) and "book" in forward:
        linked["forward"] = {**forward, "book": _each(forward["book"], lambda listed: _each(listed, named))}
    return {**linked, "linked": True, "definitions": definitions}


def _each(value: Any, change: Callable[[Any], Any], only: type = object) -> Any:
    """Return a list, or a mapping, with every item of the type ``only`` changed."""
    if isinstance(value, Mapping):
        return {key: change(item) if isinstance(item, only) else item for key, item in value.items()}
    return [change(item) if isinstance(item, only) else item for item in value] if isinstance(value, list) else value


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    # Without recursion: a document may nest as deep as the reader lets it, but no deeper than this stack needs.
    left: list[tuple[dict[str, Any], Mapping[str, Any]]] = [(into, more)]
    while left:
        target, source = left.pop()
        for key, value in source.items():
            known = target.get(key)
            if isinstance(known, dict) and isinstance(value, Mapping):
                left.append((known, value))
            elif isinstance(known, list) and isinstance(value, list):
                target[key] = [*known, *value]
            else:
                target[key] = _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value
