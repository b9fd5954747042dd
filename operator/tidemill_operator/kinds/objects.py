"""Objects as they come from the API server: bytes become models, or findings with the place of each.

What a tenant wrote is bounded here before anything else looks at it. Neighbours: `dataflow` and `run` (the models),
`accept` (what is made of them).
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tidemill.errors import InvalidDocument, InvalidFlow, Problem
from tidemill.formats.bounds import MIB, ReadLimits
from tidemill.formats.document import check_shape, shape_problems
from tidemill.formats.read import Document, parse_document
from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.run import DataFlowRunSpec
from tidemill_operator.kinds.status import RunStatus
from tidemill_operator.names import DATAFLOW

__all__ = [
    "OBJECT_LIMITS",
    "DataFlowObject",
    "DataFlowRunObject",
    "Metadata",
    "parse_object",
    "read_object",
    "read_status",
]

OBJECT_LIMITS = ReadLimits(size=4 * MIB, depth=64)
"""What an object may be: the API server itself stores no more than 1.5 MiB of one."""


class Metadata(BaseModel):
    """What we look at of an object's metadata."""

    model_config = ConfigDict(extra="ignore")

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resourceVersion: str = ""
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None
    finalizers: list[str] = []
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Object(BaseModel):
    model_config = ConfigDict(extra="ignore")

    apiVersion: str
    kind: str
    metadata: Metadata
    status: Any = None


class DataFlowObject(_Object):
    """A DataFlow. ``said`` is the object as plain data, which its data flow is made from."""

    spec: DataFlowSpec
    said: dict[str, Any] = {}


class DataFlowRunObject(_Object):
    """A DataFlowRun. ``said`` is the object as plain data."""

    spec: DataFlowRunSpec
    said: dict[str, Any] = {}


_Status = TypeVar("_Status", bound=RunStatus)


def parse_object(data: bytes, source: str = "the object") -> dict[str, Any]:
    """Return an object as plain data.

    Raises `InvalidDocument`: TooDeep, TooLarge, or another reason for which JSON is refused. What nests too deep is
    said of the spec even if it was found in the record of who manages which field, which nests as deep.
    """
    try:
        value = parse_document(data, source=source, format="json", limits=OBJECT_LIMITS).value
    except InvalidDocument as error:
        path = "/spec" if error.path.startswith("/metadata") else error.path
        raise InvalidDocument(error.message, reason=error.reason, path=path) from error
    if not isinstance(value, dict):
        raise InvalidDocument("expected an object of Kubernetes", reason="TypeMismatch")
    return value


def read_object(said: dict[str, Any]) -> DataFlowObject | DataFlowRunObject:
    """Return the model of an object that was parsed.

    Raises `InvalidFlow` with every finding about the shape of its spec, each with a JSON pointer into the object.
    """
    kind = DataFlowObject if said.get("kind") == DATAFLOW else DataFlowRunObject
    problems = shape_problems(kind, said)
    if kind is DataFlowObject and not problems and said["spec"].get("operations"):
        try:
            check_shape(Document(_bare(said), "", "json", "{}"))
        except InvalidFlow as error:
            problems = list(error.problems)
    if kind is DataFlowObject and not problems and said["spec"].get("dataFlowFrom") and said["spec"].get("configs"):
        message = "the data flow is where spec.dataFlowFrom says; put the configuration of its operations there too"
        problems = [Problem("UnexpectedField", "/spec/configs", message)]
    if problems:
        raise InvalidFlow(list(_known_once(problems)))
    made: DataFlowObject | DataFlowRunObject = kind.model_validate(said)
    made.said = said
    return made


def _bare(said: dict[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in said}


def _known_once(problems: list[Problem]) -> list[Problem]:
    return list({(problem.reason, problem.path): problem for problem in problems}.values())


def read_status(model: type[_Status], said: Any) -> _Status:
    """Return the status of an object; an empty one if there is none, or none that this version wrote."""
    try:
        return model.model_validate(said)
    except ValidationError:
        return model()
