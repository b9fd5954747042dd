"""The routes, and what every request goes through: who asks, whether he may, errors as JSON, counting.

Below ``/v1/namespaces/{namespace}/{dataflows|dataflowruns}/{name}`` stand the contexts of an object. Neighbours:
`access`, `flows`, `contexts`, `events`, `openapi` (which describes this), `server` (the sockets).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

from tidemill.errors import InvalidDocument, TidemillError, shown
from tidemill.formats.bounds import ReadLimits, decode
from tidemill.formats.json_text import parse_json
from tidemill.formats.values import as_json
from tidemill.serving.around import HEADERS, Around, guarded, route_of
from tidemill.serving.guard import Guards
from tidemill_operator.api.access import Access, User
from tidemill_operator.api.contexts import STATES, Contexts
from tidemill_operator.api.errors import refusal, said_of
from tidemill_operator.api.events import told
from tidemill_operator.api.flows import Flow, Flows, RequestError
from tidemill_operator.api.intake import batches, lines_of
from tidemill_operator.api.journal import happened
from tidemill_operator.api.metrics import Metrics
from tidemill_operator.api.openapi import document
from tidemill_operator.api.settings import ApiSettings
from tidemill_operator.cluster import Cluster, path_of

__all__ = ["BASE", "Service", "app_of"]

BASE = "/v1/namespaces/{namespace}/{plural:dataflows|dataflowruns}/{name}"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")
_WAIT = 60.0
"""Seconds that a request may wait for a context, at most."""

logger = logging.getLogger("tidemill.api")


@dataclass
class Service:
    """What answers. ``stop`` is set when it ends; ``guards`` watch over connections."""

    cluster: Cluster
    settings: ApiSettings
    access: Access
    flows: Flows
    metrics: Metrics
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    guards: Guards | None = None
    streams: int = 0

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[None]:
        """Count a response that lasts. Raises `RequestError` (TooManyStreams)."""
        if self.streams >= self.settings.streams:
            raise RequestError(f"{self.streams} responses that last are open; try again later", reason="TooManyStreams")
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1


def app_of(service: Service) -> web.Application:
    """Return the application."""
    app = web.Application(middlewares=[_Around(service)])
    routes = _Routes(service)
    app.router.add_get("/openapi.json", routes.described)
    for method, path, verb, handler in (
        ("GET", "", "get", routes.counts),
        ("GET", "/events", "get", routes.events),
        ("GET", "/results", "get", routes.results),
        ("GET", "/contexts", "list", routes.listed),
        ("POST", "/contexts", "create", routes.opened),
        ("GET", "/contexts/{context}", "get", routes.one),
        ("GET", "/contexts/{context}/events", "get", routes.happened),
        ("POST", "/contexts/{context}/inputs", "update", routes.added),
        ("POST", "/contexts/{context}/close", "update", routes.closed),
        ("POST", "/contexts/{context}/cancel", "update", routes.cancelled),
        ("POST", "/suspend", "update", routes.suspended),
        ("POST", "/resume", "update", routes.resumed),
        ("POST", "/cancel", "update", routes.ended),
    ):
        app.router.add_route(method, BASE + path, _Allowed(service, verb, handler).answer)
    return app


@web.middleware
class _Around:
    """What every request goes through."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._around = Around(refusal, service.metrics.refused, logger)

    async def __call__(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        service, began = self._service, time.monotonic()
        with guarded(service.guards, request):
            response = await self._around.answer(request, partial(self._admitted, handler))
        self._around.finish(response)
        service.metrics.requests.labels(route_of(request), request.method, str(response.status)).inc()
        service.metrics.seconds.labels(route_of(request)).observe(time.monotonic() - began)
        return response

    async def _admitted(self, handler: _Handler, request: web.Request) -> web.StreamResponse:
        if self._service.stop.is_set():
            raise RequestError("the server is shutting down", reason="ShuttingDown")
        if "Origin" in request.headers:
            raise RequestError("web pages of other servers may not ask here", reason="CrossOrigin")
        return await handler(request)


class _Allowed:
    """A handler that is called for those who may do what it does."""

    def __init__(self, service: Service, verb: str, handler: Callable[[web.Request, Flow], Any]) -> None:
        self._service = service
        self._verb = verb
        self._handler = handler

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer, or raise `AccessError`."""
        service, said = self._service, request.match_info
        user: User = await service.access.user(request.headers.get("Authorization", ""))
        service.access.admit(user)
        place = said["plural"], said["namespace"], said["name"]
        await service.access.require(user, self._verb, *place)
        flow = await service.flows.of(*place)
        if request.method != "GET":
            logger.info("%s %s of %s/%s by %s", request.method, request.path, flow.namespace, flow.name, user.name)
        response: web.StreamResponse = await self._handler(request, flow)
        return response


class _Routes:
    """What the routes do."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def _contexts(self, flow: Flow) -> Contexts:
        return Contexts(flow, self._service.flows.store(flow.namespace))

    async def described(self, request: web.Request) -> web.Response:
        return web.json_response(document())

    # -- opening and adding ---------------------------------------------------------------------------------------

    async def opened(self, request: web.Request, flow: Flow) -> web.StreamResponse:
        if request.content_type not in _LINES:
            said = f"expected Content-Type application/x-ndjson, got {shown(request.content_type)}"
            raise InvalidDocument(said, reason="UnsupportedMediaType")
        strict, hold = _flag(request, "strict", flow.strict), _flag(request, "hold", False)
        journal = _flag(request, "journal", flow.journal)
        contexts, name = self._contexts(flow), request.headers.get("Idempotency-Key") or secrets.token_hex(4)
        if not (name.isascii() and name.isprintable() and len(name) <= 64):
            raise RequestError("Idempotency-Key has 64 printable characters at most", reason="BadQuery")
        plan, settings = await contexts.plan(), self._service.settings
        lines = lines_of(request.content, most=settings.line, silence=settings.body_timeout)
        response: web.StreamResponse | None = None
        many, wrong = 0, None
        async with self._service.streaming():
            try:
                async for first, some in batches(lines):
                    found, wrong = await contexts.open(
                        plan, some, first, name, strict=strict, hold=hold, journal=journal
                    )
                    if found:
                        response = response or await _begun(request)
                        many += len(found)
                        self._service.metrics.opened.inc(len(found))
                        await response.write("".join(as_json(one) + "\n" for one in found).encode())
                    if wrong is not None:
                        break
            except TidemillError as error:
                wrong = error
            if wrong is not None and response is None:
                raise wrong
            response = response or await _begun(request)
            end: dict[str, Any] = {"opened": many, **({"refused": said_of(wrong)} if wrong is not None else {})}
            await response.write((as_json(end) + "\n").encode())
            if wrong is not None:
                response.force_close()  # what is left of the body is read by nobody
        return response

    async def added(self, request: web.Request, flow: Flow) -> web.Response:
        raw = await _body(request, self._service.settings)
        said = parse_json(decode(raw, "body"), source="body", limits=ReadLimits(size=self._service.settings.line))
        many = await self._contexts(flow).add(request.match_info["context"], said)
        return _json({"context": request.match_info["context"], "new": many})

    async def closed(self, request: web.Request, flow: Flow) -> web.Response:
        await self._contexts(flow).close(request.match_info["context"])
        return _json({"context": request.match_info["context"], "status": "closed"})

    async def cancelled(self, request: web.Request, flow: Flow) -> web.Response:
        await self._contexts(flow).cancel(request.match_info["context"])
        return _json({"context": request.match_info["context"], "status": "cancelled"})

    # -- reading ------------------------------------------------------------------------------------------------------

    async def counts(self, request: web.Request, flow: Flow) -> web.Response:
        said = {"name": flow.name, "namespace": flow.namespace, "planDigest": flow.digest}
        return _json({**said, **await self._contexts(flow).counts()})

    async def events(self, request: web.Request, flow: Flow) -> web.StreamResponse:
        async with self._service.streaming():
            return await told(request, self._contexts(flow).counts, self._service.stop)

    async def listed(self, request: web.Request, flow: Flow) -> web.Response:
        state, cursor = request.query.get("state", "open"), request.query.get("cursor", "0")
        names, following = await self._contexts(flow).page(state, cursor)
        return _json({"contexts": names, "cursor": following})

    async def one(self, request: web.Request, flow: Flow) -> web.Response:
        wait = _seconds(request, "wait")
        if not wait:
            return _json(await self._contexts(flow).one(request.match_info["context"]))
        async with self._service.streaming():
            return _json(await self._contexts(flow).one(request.match_info["context"], wait))

    async def happened(self, request: web.Request, flow: Flow) -> web.StreamResponse:
        async with self._service.streaming():
            return await happened(request, self._contexts(flow), self._service.stop)

    async def results(self, request: web.Request, flow: Flow) -> web.StreamResponse:
        states = request.query.get("state", "succeeded,failed").split(",")
        if not set(states) <= set(STATES[1:]):
            raise RequestError("state is succeeded, failed, or both with a comma between", reason="BadState")
        async with self._service.streaming():
            found = self._contexts(flow).results(states)
            first = await anext(found, None)
            response = await _begun(request)
            if first is not None:
                await response.write((as_json(first) + "\n").encode())
            try:
                async for said in found:
                    await response.write((as_json(said) + "\n").encode())
            except TidemillError as error:
                await response.write((as_json({"refused": said_of(error)}) + "\n").encode())
        return response

    # -- the object ---------------------------------------------------------------------------------------------------

    async def suspended(self, request: web.Request, flow: Flow) -> web.Response:
        return await self._changed(flow, suspend=True)

    async def resumed(self, request: web.Request, flow: Flow) -> web.Response:
        return await self._changed(flow, suspend=False)

    async def ended(self, request: web.Request, flow: Flow) -> web.Response:
        if flow.plural == "dataflows":
            said = "a DataFlow is not cancelled but suspended or deleted; a DataFlowRun and a context can be cancelled"
            raise RequestError(said, reason="BadQuery")
        return await self._changed(flow, cancel=True)

    async def _changed(self, flow: Flow, **spec: bool) -> web.Response:
        await self._service.cluster.merge(path_of(flow.plural, flow.namespace, flow.name), {"spec": spec})
        self._service.flows.stale(flow)
        return _json({"name": flow.name, **spec})


async def _begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", **HEADERS})
    await response.prepare(request)
    return response


async def _body(request: web.Request, settings: ApiSettings) -> bytes:
    """Return the body. Raises `InvalidDocument` (UnsupportedMediaType, TooLarge, RequestTimeout)."""
    if request.content_type != "application/json":
        said = f"expected Content-Type application/json, got {shown(request.content_type)}"
        raise InvalidDocument(said, reason="UnsupportedMediaType")
    raw = bytearray()
    while True:
        try:
            async with asyncio.timeout(settings.body_timeout):
                piece = await request.content.readany()
        except TimeoutError:
            raise InvalidDocument("the body stopped coming", reason="RequestTimeout") from None
        if not piece:
            return bytes(raw)
        raw += piece
        if len(raw) > settings.line:
            raise InvalidDocument(f"the body has more than {settings.line} bytes", reason="TooLarge")


def _flag(request: web.Request, name: str, default: bool) -> bool:
    said = request.query.get(name)
    if said is None:
        return default
    if said not in ("true", "false"):
        raise RequestError(f"{name} is {said!r}, expected true or false", reason="BadQuery")
    return said == "true"


def _seconds(request: web.Request, name: str) -> float:
    said = request.query.get(name, "0")
    if not said.isascii() or not said.isdigit() or len(said) > 4 or float(said) > _WAIT:
        raise RequestError(f"{name} is {said!r}, expected whole seconds up to {_WAIT:g}", reason="BadQuery")
    return float(said)


def _json(said: Any) -> web.Response:
    return web.Response(text=as_json(said), content_type="application/json")
