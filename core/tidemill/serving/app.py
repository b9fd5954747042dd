"""The routes: channels, contexts in the background, health and metrics; and what every request goes through.

Neighbours: `intake` and `answers` have no I/O, here is all of it; `server` listens.
"""

from __future__ import annotations

import asyncio
import functools
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientPayloadError, web

from tidemill.errors import InvalidDocument, TidemillError, shown
from tidemill.formats.values import as_json, jsonable
from tidemill.orchestrator.outcome import Outcome
from tidemill.serving.answers import Answer, answer_of, error_of, failed_of
from tidemill.serving.around import Around, guarded, route_of
from tidemill.serving.background import Background
from tidemill.serving.channel import Channel, ImmediateResponse
from tidemill.serving.flows import Gate, ServedFlow
from tidemill.serving.guard import Guards
from tidemill.serving.intake import Asked
from tidemill.serving.limits import ServingLimits
from tidemill.serving.metrics import Metrics

__all__ = ["Service", "app_of", "health_of"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logging.getLogger("tidemill.serving")


@dataclass
class Service:
    """What serves: data flows, what runs in the background, and who may ask. ``token_file`` has what a client has to
    send as its bearer token, ``origins`` are those of web pages that may ask."""

    flows: Sequence[ServedFlow]
    background: Background
    gate: Gate
    limits: ServingLimits
    metrics: Metrics
    token_file: str | None = None
    origins: Sequence[str] = ()
    draining: bool = False
    guards: Guards | None = None
    active: int = 0
    quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def problems(self) -> list[str]:
        """Return why this is not to be asked now, each in a line; nothing if it is."""
        found = [f"{flow.channel.path}: {flow.problem}" for flow in self.flows if flow.problem]
        return ["it is shutting down", *found] if self.draining else found


def app_of(service: Service, *, health: bool = True) -> web.Application:
    """Return the application that answers for all channels, and (``health``) for itself."""
    app = web.Application(middlewares=[_Around(service, health)])
    for flow in service.flows:
        handler = _Serving(service, flow).answer
        resource = app.router.add_resource(flow.channel.path, name=None)
        resource.add_route("GET", handler)
        resource.add_route("POST", handler)
    app.router.add_get("/contexts/{id}", _Contexts(service).answer, allow_head=False)
    if health:
        _add_health(app, service)
    return app


def health_of(service: Service) -> web.Application:
    """Return the application that answers how the server is, for a port of its own."""
    app = web.Application()
    _add_health(app, service)
    return app


def _add_health(app: web.Application, service: Service) -> None:
    async def livez(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        problems = service.problems()
        return web.Response(status=503 if problems else 200, text="\n".join(problems or ["ok"]) + "\n")

    async def metrics(request: web.Request) -> web.Response:
        service.metrics.open.set(service.gate.open)
        service.metrics.connections.set(len(service.guards.of) if service.guards is not None else 0)
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=service.metrics.text(), headers=headers)

    for path, answer in (("/livez", livez), ("/readyz", readyz), ("/metrics", metrics)):
        app.router.add_get(path, answer)


def _sent(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


@web.middleware
class _Around:
    """What every request goes through: who may ask, errors as JSON, headers, counting."""

    def __init__(self, service: Service, health: bool) -> None:
        self._service = service
        self._own = ("/livez", "/readyz", "/metrics") if health else ()
        self._around = Around(lambda error: _sent(error_of(error)), service.metrics.refused, _log)

    async def __call__(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        service = self._service
        health = request.path in self._own and request.method == "GET"
        service.active += 1
        service.quiet.clear()
        began = time.monotonic()
        try:
            with guarded(service.guards, request):
                if health:
                    response = await handler(request)
                else:
                    response = await self._around.answer(request, functools.partial(self._admitted, handler))
        finally:
            service.active -= 1
            if not service.active:
                service.quiet.set()
        self._finish(request, response)
        if not health:
            self._count(request, response.status, time.monotonic() - began)
        return response

    async def _admitted(self, handler: _Handler, request: web.Request) -> web.StreamResponse:
        self._admit(request)
        if request.method == "OPTIONS":
            return web.Response(status=204)
        if self._service.draining:
            raise TidemillError("the server is shutting down", reason="ShuttingDown")
        return await handler(request)

    def _admit(self, request: web.Request) -> None:
        """Refuse whoever may not ask. Raises `TidemillError` (Unauthenticated, CrossOrigin)."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._allowed(request, origin):
            said = f"pages of {shown(origin)} may not ask here; the server allows origins with --origin"
            raise TidemillError(said, reason="CrossOrigin")
        if request.method == "OPTIONS" or self._service.token_file is None:
            return
        token = Path(self._service.token_file).read_bytes().strip()  # read each time: it may have been replaced
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("utf-8", "replace"), token):
            raise TidemillError("send the header Authorization: Bearer TOKEN", reason="Unauthenticated")

    def _allowed(self, request: web.Request, origin: str) -> bool:
        own = f"{request.scheme}://{request.host}"
        return origin == own or origin in self._service.origins or "*" in self._service.origins

    def _finish(self, request: web.Request, response: web.StreamResponse) -> None:
        self._around.finish(response)
        origin = request.headers.get("Origin")
        if origin is not None and response.status != 403 and self._allowed(request, origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "GET, POST"
                allowed = "Authorization, Content-Type, Idempotency-Key, Prefer"
                response.headers["Access-Control-Allow-Headers"] = allowed
        if self._service.draining:
            response.force_close()

    def _count(self, request: web.Request, status: int, seconds: float) -> None:
        self._service.metrics.requests.labels(route_of(request), str(status)).inc()
        self._service.metrics.seconds.labels(route_of(request)).observe(seconds)


class _Serving:
    """Answers for one channel."""

    def __init__(self, service: Service, flow: ServedFlow) -> None:
        self._service, self._flow = service, flow

    async def answer(self, request: web.Request) -> web.StreamResponse:
        channel = self._flow.channel
        sets, key = self._flow.intake(await self._asked(request)), _key(request, channel)
        if channel.immediate_response is not None:
            await self._begun(sets, key)
            return _immediate(channel.immediate_response)
        if channel.asynchronous or "respond-async" in request.headers.get("Prefer", "").lower():
            return _accepted(await self._begun(sets, key))
        outcomes = await (self._once(sets, key) if key else self._flow.run(sets))
        for outcome in outcomes.values():
            status = "failed" if outcome.failure is not None else "succeeded"
            self._service.metrics.contexts.labels(channel.path, status).inc()
        return _sent(answer_of(channel, outcomes))

    async def _begun(self, sets: Any, key: str) -> dict[str, str]:
        return await self._service.background.begin(self._flow, sets, key)

    async def _once(self, sets: Any, key: str) -> dict[str, Outcome]:
        """Run what no request with this key has run yet, and return what became of it.

        Raises `TidemillError` (Timeout): it goes on, and the same request finds it.
        """
        found: dict[str, Outcome] = {}
        end = time.monotonic() + self._service.limits.run
        for name, ident in (await self._begun(sets, key)).items():
            outcome = await self._service.background.look(ident, max(end - time.monotonic(), 0.0))
            if outcome is None:
                said = f"it takes longer than {self._service.limits.run:g} s; ask again with the same Idempotency-Key"
                raise TidemillError(said, reason="Timeout")
            found[name] = outcome
        return found

    async def _asked(self, request: web.Request) -> Asked:
        return Asked(
            body=await self._body(request) if request.method == "POST" else None,
            content_type=request.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            pieces=request.match_info,
            query=list(request.query.items()),
            headers=list(request.headers.items()),
        )

    async def _body(self, request: web.Request) -> bytes:
        """Return the body. Raises `InvalidDocument` (TooLarge, RequestTimeout, UnsupportedEncoding, MalformedBody)."""
        limits = self._service.limits
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding != "identity":
            said = f"the body is encoded as {shown(encoding)}; send it as it is"
            raise InvalidDocument(said, reason="UnsupportedEncoding")
        if (request.content_length or 0) > limits.body:
            raise _too_large(limits)
        parts = bytearray()
        try:
            async with asyncio.timeout(limits.arrival):
                async for part in request.content.iter_any():
                    parts += part
                    if len(parts) > limits.body:
                        raise _too_large(limits)
        except TimeoutError:
            said = f"the body has not arrived within {limits.arrival:g} s"
            raise InvalidDocument(said, reason="RequestTimeout") from None
        except (ClientPayloadError, web.RequestPayloadError, ValueError) as error:
            raise InvalidDocument(
                f"the body is cut off, or not what its head says: {error}", reason="MalformedBody"
            ) from error
        return bytes(parts)


def _too_large(limits: ServingLimits) -> InvalidDocument:
    return InvalidDocument(f"the body is larger than {limits.body} bytes", reason="TooLarge")


def _key(request: web.Request, channel: Channel) -> str:
    """Return what tells one request from another, "" where nothing was said. Raises `InvalidDocument` (BadKey)."""
    key = request.headers.get("Idempotency-Key", "")
    if key and not (key.isascii() and key.isprintable() and len(key) <= 255):
        raise InvalidDocument("Idempotency-Key has 255 printable characters at most", reason="BadKey")
    return f"{channel.path} {key}" if key else ""


def _accepted(ids: dict[str, str]) -> web.Response:
    body = as_json({"contexts": ids}).encode()
    headers = {"Content-Type": "application/json"}
    if len(ids) == 1:
        headers["Location"] = f"/contexts/{next(iter(ids.values()))}"
    return web.Response(status=202, body=body, headers=headers)


def _immediate(said: ImmediateResponse) -> web.Response:
    if said.text is not None:
        kind, body = "text/plain; charset=utf-8", said.text.encode()
    elif said.body is not None:
        kind, body = "application/octet-stream", said.body
    else:
        kind, body = "application/json", as_json({} if said.data is None else said.data).encode()
    headers = {"Content-Type": said.content_type or kind, **said.headers}
    return web.Response(status=said.status, body=body, headers=headers)


class _Contexts:
    """Answers what became of a context in the background; ``?wait=SECONDS`` waits for its end."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(self, request: web.Request) -> web.StreamResponse:
        ident, wait = request.match_info["id"], request.query.get("wait", "0")
        try:
            seconds = min(max(float(wait), 0.0), self._service.limits.run)
        except ValueError:
            said = f"wait is {shown(wait)}, expected seconds"
            raise InvalidDocument(said, reason="TypeMismatch", path="/query/wait") from None
        for flow in self._service.flows:
            flow.ready()
        outcome = await self._service.background.look(ident, seconds if seconds == seconds else 0.0)
        said_of_it: dict[str, Any] = {"context": ident, "status": "open"}
        if outcome is not None:
            said_of_it["status"] = "failed" if outcome.failure is not None else "succeeded"
            if outcome.failure is not None:
                said_of_it["failure"] = failed_of(outcome.failure)
            else:
                said_of_it["result"] = jsonable(outcome.result)
        body = as_json(said_of_it).encode()
        headers = {"Content-Type": "application/json"}
        return web.Response(status=202 if outcome is None else 200, body=body, headers=headers)
