"""Errors as answers: the status, and JSON with reason, path and message.

Neighbours: `app` (who sends them), `tidemill.serving.answers` (the same for data flows that are served as they are).
"""

from __future__ import annotations

from aiohttp import web

from tidemill.errors import InvalidFlow, TidemillError
from tidemill.formats.values import as_json
from tidemill.serving.answers import status_of
from tidemill_operator.cluster import ClusterError

__all__ = ["refusal", "said_of"]

_STATUS = {
    "Unauthenticated": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "RunGone": 404,
    "NoJournal": 404,
    "NotAccepted": 409,
    "Cancelled": 409,
    "RunClosed": 409,
    "IntakeClosed": 409,
    "PreconditionFailed": 412,
    "RateLimited": 429,
    "TooManyStreams": 503,
    "ShuttingDown": 503,
    "BadCursor": 400,
    "BadState": 400,
    "BadQuery": 400,
    "PlanNotStored": 503,
}
_LATER = {429: "1", 503: "5"}


def said_of(error: TidemillError) -> dict[str, object]:
    """Return an error as plain data."""
    said: dict[str, object] = {"reason": error.reason, "path": error.path, "message": error.message}
    if isinstance(error, InvalidFlow):
        said["problems"] = [{"reason": p.reason, "path": p.path, "message": p.message} for p in error.problems]
    return said


def refusal(error: TidemillError) -> web.Response:
    """Return the answer that says an error."""
    status = _STATUS.get(error.reason, 503 if isinstance(error, ClusterError) else status_of(error))
    headers = {"Retry-After": _LATER[status]} if status in _LATER else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(status=status, text=as_json(said_of(error)), content_type="application/json", headers=headers)
