"""What every request of an HTTP server of this project goes through, whoever may ask it: errors as JSON, headers, and
guards that hear when a request begins and ends.

Neighbours: `app` and the HTTP API of the operator, whose middlewares are made of this; `guard`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import ClientConnectionError, web
from prometheus_client import Counter

from tidemill.errors import TidemillError, shown
from tidemill.serving.guard import Guards

__all__ = ["HEADERS", "Around", "guarded", "route_of"]

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "tidemill"}
"""Headers that every answer has."""
_REASONS = {404: "NotFound", 405: "MethodNotAllowed", 413: "TooLarge"}


class Around:
    """Answers with errors as ``respond`` makes them; ``refused`` counts them by reason, mistakes go to ``logger``."""

    def __init__(
        self, respond: Callable[[TidemillError], web.Response], refused: Counter, logger: logging.Logger
    ) -> None:
        self._respond = respond
        self._refused = refused
        self._logger = logger

    async def answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Return what a handler answers, or what its error becomes; 499 where nobody hears it any more."""
        try:
            return await handler(request)
        except web.HTTPException as error:
            reason = _REASONS.get(error.status, "MalformedRequest")
            said = f"{request.method} {shown(request.path)}: {error.reason}"
            response = self._respond(TidemillError(said, reason=reason))
            response.set_status(error.status)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except TidemillError as error:
            self._refused.labels(error.reason).inc()
            response = self._respond(error)
            if response.status in (408, 413):
                response.force_close()  # what is left of the body is read by nobody
            return response
        except Exception as error:
            if isinstance(error, ConnectionError | ClientConnectionError) and _unheard(request):
                self._logger.debug("%s %r: whoever asked has gone: %s", request.method, request.path, error)
                return web.Response(status=499)  # as others count it: the client has closed the connection
            self._logger.exception("%s %r", request.method, request.path)
            return self._respond(TidemillError("a mistake in the server; its log says more", reason="Internal"))

    @staticmethod
    def finish(response: web.StreamResponse) -> None:
        """Give an answer the headers that every answer has, unless it is on its way."""
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)


def _unheard(request: web.Request) -> bool:
    """Return whether nobody can be answered any more. An answer that has broken off is never followed by another."""
    transport = request.transport
    if transport is not None and request.writer.output_size > 0:
        transport.abort()
    return transport is None or transport.is_closing()


@contextlib.contextmanager
def guarded(guards: Guards | None, request: web.Request) -> Iterator[None]:
    """Have guards, if there are any, know that a request is being handled."""
    if guards is not None:
        guards.begun(request.transport)
    try:
        yield
    finally:
        if guards is not None:
            guards.ended(request.transport)


def route_of(request: web.Request) -> str:
    """Return the route of a request, for labels: never what somebody has asked for."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"
