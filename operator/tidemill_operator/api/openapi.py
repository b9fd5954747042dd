"""The API as an OpenAPI document: what `app` has routes for, in words that clients and fuzzers read.

A test holds it against the routes. Neighbours: `app`, which serves it at ``/openapi.json``.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from tidemill.journal.event import KINDS
from tidemill_operator.api.contexts import STATES
from tidemill_operator.api.journal import MOST

__all__ = ["document"]

_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_TEXT = {"type": "string"}
_LINES = "application/x-ndjson"
_EVENTS = "text/event-stream"


def document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidemill",
            "version": version("tidemill"),
            "summary": "Contexts of data flows: opened in bulk, added to, read, watched and ended.",
        },
        "security": [{"token": []}],
        "paths": {
            "/openapi.json": {"get": {"security": [], **_operation("described", "This document.", {"type": "object"})}},
            **{_BASE + path: {**item, "parameters": _place(path)} for path, item in _PATHS.items()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "A token of Kubernetes."}},
            "schemas": {"Error": _ERROR, "Context": _CONTEXT, "Counts": _COUNTS},
        },
    }


def _operation(
    name: str,
    summary: str,
    schema: Any,
    *,
    kind: str = "application/json",
    told: Any = None,
    body: Any = None,
    query: Any = None,
) -> dict[str, Any]:
    """Return what is said of one route. ``told`` is the schema of the same as server-sent events."""
    content = {kind: {"schema": schema}, **({_EVENTS: {"schema": told}} if told is not None else {})}
    errors = {str(status): _refused(why) for status, why in _REFUSALS.items()}
    said: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **errors},
    }
    if body is not None:
        said["requestBody"] = {"required": True, "content": body}
    if query is not None:
        said["parameters"] = [
            {"name": each, "in": "query", "schema": schema_, "description": about} for each, schema_, about in query
        ]
    return said


def _refused(why: str) -> dict[str, Any]:
    return {"description": why, "content": {"application/json": {"schema": _ref("Error")}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_BASE = "/v1/namespaces/{namespace}/{plural}/{name}"
_REFUSALS = {
    400: "The request is wrong: reason, path and message say how.",
    401: "There is no token, or one that the API server does not know.",
    403: "The user may not do this.",
    404: "There is no such object or context.",
    405: "No such method here.",
    408: "The client was silent for too long.",
    409: "The object, or the context, is not in a state for this.",
    413: "A line, or the body, is too large.",
    415: "Another Content-Type is expected.",
    429: "Too many requests; Retry-After says when to come again.",
    500: "A mistake in the server.",
    503: "The store, or the API server, does not answer; Retry-After says when to come again.",
}
_ERROR = _object(reason=_TEXT, path=_TEXT, message=_TEXT, problems={"type": "array", "items": {"type": "object"}})
_CONTEXT = _object(
    context=_TEXT,
    status={"enum": [*STATES, "known", "unreadable"]},
    result={"description": "What the output operations gave."},
    failure={"type": "object"},
    failures={"type": "array", "items": {"type": "object"}},
)
_COUNTS = _object(
    name=_TEXT,
    namespace=_TEXT,
    planDigest=_TEXT,
    state=_TEXT,
    contexts=_object(**{state: {"type": "integer"} for state in STATES}),
    operations={"type": "array", "items": {"type": "object"}},
    failures={"type": "array", "maxItems": 10, "items": {"type": "object"}},
)
_FLAG = {"type": "boolean"}
_NUMBER = {"type": "integer", "minimum": 0}
_EVENT = _object(id=_NUMBER, prev=_NUMBER, kind={"enum": list(KINDS)}, context=_TEXT)
_SET = {
    "description": 'The inputs of a context: {definition: value or list of values}, or {"context": name, "inputs": …}.',
    "type": "object",
}
_ADDED = _object(context=_TEXT, new={"type": "integer"})
_DONE = _object(context=_TEXT, status=_TEXT)
_STATE = {"enum": list(STATES)}
_PATHS: dict[str, dict[str, Any]] = {
    "": {"get": _operation("counts", "How far all contexts are.", _ref("Counts"))},
    "/events": {"get": _operation("events", "How far all contexts are, told as it changes.", _TEXT, kind=_EVENTS)},
    "/results": {
        "get": _operation(
            "results",
            "What became of all contexts that have ended, one on each line.",
            _ref("Context"),
            kind=_LINES,
            query=[("state", _TEXT, "succeeded, failed, or both with a comma between")],
        )
    },
    "/contexts": {
        "get": _operation(
            "listed",
            "Names of contexts, a page at a time.",
            _object(contexts={"type": "array", "items": _TEXT}, cursor=_TEXT),
            query=[("state", _STATE, "which contexts"), ("cursor", _TEXT, "what the page before has ended with")],
        ),
        "post": _operation(
            "opened",
            "Open a context for each line. The last line says how many, and what was refused.",
            _ref("Context"),
            kind=_LINES,
            body={_LINES: {"schema": _SET}},
            query=[
                ("strict", _FLAG, "whether the first failure fails a context"),
                ("hold", _FLAG, "whether they wait for more inputs until they are closed"),
                ("journal", _FLAG, "whether each keeps every change of its state, to be asked for its events"),
            ],
        ),
    },
    "/contexts/{context}": {
        "get": _operation(
            "one",
            "What became of a context.",
            _ref("Context"),
            query=[("wait", {"type": "integer", "minimum": 0, "maximum": 60}, "seconds to wait for its end")],
        )
    },
    "/contexts/{context}/events": {
        "get": _operation(
            "happened",
            "What happened to a context that keeps a journal: a page, or server-sent events until it has ended.",
            _object(context=_TEXT, events={"type": "array", "items": _EVENT}, after=_NUMBER, more=_FLAG),
            told=_TEXT,
            query=[
                ("after", _NUMBER, "only what comes after the event with this id; Last-Event-ID goes before it"),
                ("limit", {"type": "integer", "minimum": 1, "maximum": MOST}, "how many events a page has at most"),
            ],
        )
    },
    "/contexts/{context}/inputs": {
        "post": _operation(
            "added",
            "Add inputs to a context that is open.",
            _object(context=_TEXT, new={"type": "integer"}),
            body={"application/json": {"schema": _SET}},
        )
    },
    "/contexts/{context}/close": {"post": _operation("closed", "Take no more inputs for a context.", _DONE)},
    "/contexts/{context}/cancel": {"post": _operation("cancelled", "End a context before its time.", _DONE)},
    "/suspend": {"post": _operation("suspended", "Begin nothing new.", {"type": "object"})},
    "/resume": {"post": _operation("resumed", "Go on.", {"type": "object"})},
    "/cancel": {"post": _operation("ended", "End a DataFlowRun.", {"type": "object"})},
}


def _place(path: str) -> list[dict[str, Any]]:
    """Return the parameters in a path."""
    names = ["namespace", "plural", "name", *(["context"] if "{context}" in path else [])]
    schemas = {"plural": {"enum": ["dataflows", "dataflowruns"]}}
    return [{"name": name, "in": "path", "required": True, "schema": schemas.get(name, _NAME)} for name in names]
