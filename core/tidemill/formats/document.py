"""What a document says as a data flow: its shape checked, every finding with place, value and what was expected.

Neighbours: `schema` has the shape, `read` the document, `load` makes the data flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.errors import InvalidFlow, Problem, did_you_mean, pointer, shown
from tidemill.formats.read import Document, lines_of
from tidemill.model.primitives import type_name

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

__all__ = ["FlowDocument", "check_shape", "locate", "shape_problems"]

_EXPECTED = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}


@dataclass(frozen=True, slots=True)
class FlowDocument:
    """A document whose shape is that of a data flow.

    ``said`` is what `DataFlow` is made from, ``inputs`` what the document gives to run it with, ``prefix`` the JSON
    pointer to the data flow within the document, ``name`` what a wrapper calls it. ``elsewhere`` is the path of what
    names more inputs that only a cluster has.
    """

    document: Document
    said: dict[str, Any]
    inputs: Any
    prefix: str = ""
    name: str = ""
    elsewhere: str = ""


def check_shape(document: Document) -> FlowDocument:
    """Return what the document says as a data flow, bare or in the wrapper of Kubernetes.

    Raises `InvalidFlow` with every finding: TypeMismatch, UnknownField, MissingField, InvalidName, InvalidSource,
    InvalidValue, UnsupportedVersion.
    """
    from tidemill.formats import schema  # imports pydantic, which only somebody who reads a file has to wait for

    value = document.value
    if not isinstance(value, dict):
        message = f"expected a mapping with the key operations, got {type_name(value)} {shown(value)}"
        raise InvalidFlow(locate([Problem("TypeMismatch", "", message)], document))
    if "apiVersion" in value or "kind" in value:
        return _wrapped(document, value)
    _check(schema.LinkedFlow if value.get("linked") is True else schema.PlainFlow, value, document, "")
    said = {key: part for key, part in value.items() if key != "inputs"}
    return FlowDocument(document, _renamed(said), value.get("inputs"))


def _wrapped(document: Document, value: dict[str, Any]) -> FlowDocument:
    from tidemill.formats import schema

    _check(schema.WrappedFlow, value, document, "")
    prefix, name, spec = "/spec", str(value.get("metadata", {}).get("name", "")), value["spec"]
    if spec.get("dataFlowFrom") is not None and not spec.get("operations"):
        message = "the data flow is in a ConfigMap of a cluster; give the file that was put there"
        raise InvalidFlow(locate([Problem("OnlyInCluster", "/dataFlowFrom", message)], document, prefix))
    if isinstance(spec.get("inputs"), dict):
        message = (
            "in an object for Kubernetes inputs are a list of {context, values} or {context, inputs}, got a mapping of "
            "contexts; `tidemill convert FLOW --to object` rewrites that of a file without apiVersion"
        )
        raise InvalidFlow(locate([Problem("TypeMismatch", "/inputs", message)], document, prefix))
    _check(schema.LinkedSpec if spec.get("linked") is True else schema.PlainSpec, spec, document, prefix)
    said = {key: part for key, part in spec.items() if key not in schema.ClusterPart.model_fields}
    inputs = [{key: part for key, part in each.items() if part != ""} for each in spec.get("inputs") or ()]
    elsewhere = "/spec/inputsFrom" if spec.get("inputsFrom") else ""
    return FlowDocument(document, _renamed(said), inputs or None, prefix, name, elsewhere)


def locate(problems: Iterable[Problem], document: Document, prefix: str = "") -> list[Problem]:
    """Return the problems in the order of the document, with ``prefix`` before their paths, and file and line in the
    messages."""
    moved = [(problem, prefix + problem.path) for problem in problems]
    lines = lines_of(document, {path for _, path in moved})
    found = []
    for problem, path in moved:
        line = lines.get(path)
        where = f" ({document.source}, line {line})" if line else f" ({document.source})"
        found.append((line or 0, Problem(problem.reason, path, problem.message + (where if document.source else ""))))
    return [problem for _, problem in sorted(found, key=lambda pair: pair[0])]


_SPELT = {
    camel: re.sub("[A-Z]", lambda found: f"_{found.group().lower()}", camel)
    for camel in ("conditionsMode", "instanceName", "parameterSets", "valueBytes", "valueDepth", "subflowDepth")
}


def _renamed(said: dict[str, Any]) -> dict[str, Any]:
    """Return the data flow with the fields that have two spellings in that of the exported form."""

    def spelt(part: Mapping[str, Any]) -> dict[str, Any]:
        return {_SPELT.get(key, key): value for key, value in part.items()}

    renamed = {**said, "operations": {name: spelt(operation) for name, operation in said["operations"].items()}}
    if said.get("limits"):
        renamed["limits"] = spelt(said["limits"])
    return renamed


def _check(model: type[BaseModel], value: Any, document: Document, prefix: str) -> None:
    if problems := shape_problems(model, value):
        raise InvalidFlow(locate(problems, document, prefix))


def shape_problems(model: type[BaseModel], value: Any) -> list[Problem]:
    """Return what keeps ``value`` from being what ``model`` describes, each finding with its place."""
    from pydantic import ValidationError

    try:
        model.model_validate(value)
    except ValidationError as error:
        return [_problem(model, details) for details in error.errors(include_url=False)]
    return []


def _problem(model: type[BaseModel], details: ErrorDetails) -> Problem:
    kind, value = details["type"], details["input"]
    places = [place for place in details["loc"] if place != "[key]"]
    path = pointer(*places)
    if kind == "extra_forbidden":
        name = str(places[-1])
        near = did_you_mean(name, _fields_at(model, places[:-1]))
        return Problem("UnknownField", path, f"there is no field {shown(name)} here {near}")
    if kind == "missing":
        return Problem("MissingField", path, f'"{places[-1]}" is missing, it is required here')
    if kind in _EXPECTED:
        said = f"expected {_EXPECTED[kind]}, got {type_name(value)} {shown(value)}"
        return Problem("TypeMismatch", path, said)
    if kind[0].isupper():  # ours: the type of the finding is its reason
        return Problem(kind, path, f"{details['msg']}; it is {shown(value)}")
    reason = "UnsupportedVersion" if path in ("/apiVersion", "/kind") else "InvalidValue"
    expected = details["msg"].replace("Input should be", "expected")
    return Problem(reason, path, f"{expected}; it is {type_name(value)} {shown(value)}")


def _fields_at(model: Any, places: Iterable[int | str]) -> list[str]:
    """Return the names of the fields of the part of ``model`` at ``places``."""
    from typing import get_args

    from pydantic import BaseModel

    def is_model(kind: Any) -> bool:
        return isinstance(kind, type) and issubclass(kind, BaseModel)

    current = model
    for place in places:
        if is_model(current):
            names = {info.alias or name: info.annotation for name, info in current.model_fields.items()}
            current = names.get(str(place))
        else:
            current = get_args(current)[-1]
        while not is_model(current) and type(None) in get_args(current):
            current = next(choice for choice in get_args(current) if choice is not type(None))
    return [info.alias or name for name, info in current.model_fields.items()]
