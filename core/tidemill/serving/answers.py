"""What became of contexts becomes an answer: JSON, text or bytes; and what went wrong becomes JSON, too.

Neighbours: `channel` says which form, `app` sends it. No I/O, and nothing of HTTP but statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import (
    ContextError,
    InvalidDocument,
    InvalidFlow,
    InvalidInput,
    OperationFailure,
    StoreError,
    TidemillError,
    pointer,
    shown,
)
from tidemill.formats.values import as_json, jsonable
from tidemill.orchestrator.outcome import Outcome
from tidemill.serving.channel import Channel

__all__ = ["Answer", "answer_of", "error_of", "failed_of", "said_of", "status_of"]

_STATUS = {
    "UnsupportedMediaType": 415,
    "UnsupportedEncoding": 415,
    "TooLarge": 413,
    "BatchTooLarge": 413,
    "ContextLimitExceeded": 413,
    "RequestTimeout": 408,
    "NotFound": 404,
    "RunGone": 404,
    "MethodNotAllowed": 405,
    "Unauthenticated": 401,
    "CrossOrigin": 403,
    "Timeout": 504,
    "TooManyContexts": 503,
    "ShuttingDown": 503,
    "NotReady": 503,
}
"""Statuses by reason; any other is 400 where a request is wrong, 503 where the store is, else 500."""

_LATER = {503: "5", 504: "30"}
"""Seconds after which a request may be sent again, by status."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: status, media type, body, and further headers."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def status_of(error: TidemillError) -> int:
    """Return the status of an error."""
    if error.reason in _STATUS:
        return _STATUS[error.reason]
    if isinstance(error, StoreError):
        return 503
    return 400 if isinstance(error, (InvalidInput, InvalidDocument, ContextError)) else 500


def said_of(reason: str, path: str, message: str, **more: Any) -> dict[str, Any]:
    """Return an error as plain data; ``error`` is where clients of DFFML's service look for it."""
    return {"error": message, "reason": reason, "path": path, "message": message, **more}


def error_of(error: TidemillError) -> Answer:
    """Return the answer that says an error."""
    status = status_of(error)
    more = {}
    if isinstance(error, InvalidFlow):
        more["problems"] = [{"reason": p.reason, "path": p.path, "message": p.message} for p in error.problems]
    headers = {"Retry-After": _LATER[status]} if status in _LATER else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(said_of(error.reason, error.path, error.message, **more), status, headers)


def failed_of(failure: OperationFailure) -> dict[str, Any]:
    """Return a failure of a context as plain data: not its inputs and its traceback, which are for the log."""
    return {
        "reason": failure.reason,
        "path": failure.path,
        "message": failure.message,
        "instance": failure.instance,
        "operation": failure.operation,
    }


def answer_of(channel: Channel, outcomes: Mapping[str, Outcome]) -> Answer:
    """Return the answer for contexts, by the names that the request gave them, in their order."""
    failures = {name: failed_of(one.failure) for name, one in outcomes.items() if one.failure is not None}
    results = {name: one.result for name, one in outcomes.items() if one.failure is None}
    if failures:
        name, failure = next(iter(failures.items()))
        said = said_of(failure["reason"], pointer(name), failure["message"], failures=failures)
        return _json({**said, "results": jsonable(results)}, 500)
    mode, media, keys = channel.output
    if mode == "json":
        return _json(jsonable(results), 200)
    try:
        value = _at(results, keys)
    except TidemillError as error:
        return error_of(error)
    if isinstance(value, (bytes, bytearray, memoryview)):
        body = bytes(value)
    else:
        body = (value if isinstance(value, str) else as_json(value)).encode("utf-8", "backslashreplace")
    return Answer(200, f"{media}; charset=utf-8" if mode == "text" else media, body)


def _at(results: Mapping[str, Any], keys: list[str]) -> Any:
    """Return what the keys lead to. After the last one, or without any, mappings of one item are passed through."""
    current: Any = results
    for number, key in enumerate(keys):
        if isinstance(current, Mapping) and key in current:
            current = current[key]
        elif isinstance(current, (list, tuple)) and key.isdecimal() and int(key) < len(current):
            current = current[int(key)]
        else:
            said = f"the result has no {shown('.'.join(keys[: number + 1]))}, which the channel answers with"
            raise TidemillError(said, reason="OutputMissing", path=pointer(*keys[: number + 1]))
    while isinstance(current, Mapping) and len(current) == 1:
        current = next(iter(current.values()))
    return current


def _json(data: Any, status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, "application/json", as_json(data).encode(), headers or {})
