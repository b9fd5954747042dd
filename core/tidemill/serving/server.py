"""Listening: sockets, TLS, and an end in good order.

At the first signal nothing new is taken, what runs may end within the grace, and the rest is cancelled. Neighbours:
`app` answers, `guard` watches connections, the command line decides what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from tidemill.errors import InvalidDocument
from tidemill.orchestrator.memory import MemoryOrchestrator
from tidemill.orchestrator.running import Running
from tidemill.plan.compile import compile_plan
from tidemill.serving.app import Service, app_of, health_of
from tidemill.serving.background import Background, MemoryBackground, store_background
from tidemill.serving.channel import Channel
from tidemill.serving.flows import Gate, ServedFlow, opened
from tidemill.serving.guard import Guards
from tidemill.serving.limits import ServingLimits
from tidemill.serving.metrics import Metrics

__all__ = ["MEMORY", "ServerSettings", "Serving", "serving"]

MEMORY = "memory"


@dataclass(frozen=True)
class ServerSettings:
    """Where and how is served. ``port`` 0 is any that is free; ``health_port`` None: on the same port. ``backend`` is
    "memory" or the URL of a store, ``workers`` the parameter sets that run at once in this process (0 leaves them to
    workers of the store). ``grace`` is in seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    health_port: int | None = None
    cert: str | None = None
    key: str | None = None
    token_file: str | None = None
    origins: tuple[str, ...] = ()
    backend: str = MEMORY
    durability: str = "always"
    workers: int | None = None
    grace: float = 30.0
    limits: ServingLimits = ServingLimits()


class Serving:
    """A server that listens. ``port`` and ``health_port`` are those that were bound."""

    def __init__(self, service: Service, port: int, health_port: int, close: Callable[[], None]) -> None:
        self.service = service
        self.port = port
        self.health_port = health_port
        self._close = close

    async def drain(self, grace: float) -> None:
        """Take nothing new, and wait until what runs has ended, so many seconds at most."""
        self.service.draining = True
        self._close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self.service.active or self.service.gate.open:
                    await (self.service.quiet.wait() if self.service.active else self.service.gate.none.wait())


@contextlib.asynccontextmanager
async def serving(channels: Sequence[Channel], settings: ServerSettings) -> AsyncIterator[Serving]:
    """Serve meanwhile. Raises `InvalidDocument` (PathTaken), `InvalidFlow`, `LoadError`, `StoreError`, `OSError`."""
    _refuse_one_path_twice(channels)
    plans = [compile_plan(channel.dataflow) for channel in channels]
    async with contextlib.AsyncExitStack() as stack:
        orchestrator = await stack.enter_async_context(_orchestrator(settings))
        gate = Gate(settings.limits.open)
        flows = [
            ServedFlow(channel, plan, orchestrator, gate, settings.limits)
            for channel, plan in zip(channels, plans, strict=True)
        ]
        await stack.enter_async_context(opened(flows))
        background = await stack.enter_async_context(_background(orchestrator, settings))
        service = Service(flows, background, gate, settings.limits, Metrics(), settings.token_file, settings.origins)
        yield await stack.enter_async_context(_listening(service, settings))


def _refuse_one_path_twice(channels: Sequence[Channel]) -> None:
    seen: dict[str, Channel] = {}
    for channel in channels:
        shape = "/".join("{}" if piece.startswith("{") else piece for piece in channel.path.split("/"))
        if (other := seen.setdefault(shape, channel)) is not channel:
            said = f"{other.where} serves {other.path} already; {channel.where} needs a path of its own"
            raise InvalidDocument(said, reason="PathTaken", path=channel.where)


def _orchestrator(settings: ServerSettings) -> Running:
    most = settings.limits.open
    if settings.backend == MEMORY:
        return MemoryOrchestrator(max_ctxs=most, workers=settings.workers, exact=True)
    from tidemill.orchestrator.redis import RedisOrchestrator

    return RedisOrchestrator(settings.backend, max_ctxs=most, workers=settings.workers, durability=settings.durability)


@contextlib.asynccontextmanager
async def _background(orchestrator: Running, settings: ServerSettings) -> AsyncIterator[Background]:
    if settings.backend == MEMORY:
        yield MemoryBackground(settings.limits)
        return
    url, shown = getattr(orchestrator, "store", settings.backend), getattr(orchestrator, "shown", settings.backend)
    retention = settings.limits.retention
    async with store_background(url, shown, durability=settings.durability, retention=retention) as background:
        yield background


@contextlib.asynccontextmanager
async def _listening(service: Service, settings: ServerSettings) -> AsyncIterator[Serving]:
    limits = service.limits
    async with contextlib.AsyncExitStack() as stack:
        own_health = settings.health_port is not None
        runner = web.AppRunner(
            app_of(service, health=not own_health),
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            keepalive_timeout=limits.idle,
            lingering_time=1.0,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None  # it has been set up
        service.guards = Guards(runner.server, limits, service.metrics)
        server = await asyncio.get_running_loop().create_server(
            service.guards, settings.host, settings.port, ssl=_tls(settings), backlog=256
        )
        stack.callback(server.close)
        health_port = port = int(server.sockets[0].getsockname()[1])
        if settings.health_port is not None:
            health = web.AppRunner(health_of(service), access_log=None)
            await health.setup()
            stack.push_async_callback(health.cleanup)
            await web.TCPSite(health, settings.host, settings.health_port).start()
            health_port = int(health.addresses[0][1])
        yield Serving(service, port, health_port, server.close)


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.cert, settings.key)
    return context
