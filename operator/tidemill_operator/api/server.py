"""The sockets of the HTTP API, and its life: it serves until it is told to stop, then ends what lasts and goes.

Neighbours: `app` (what is served), `__main__` (who starts it).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator

from aiohttp import web

from tidemill.runtime.health import Health
from tidemill.serving.guard import Guards
from tidemill.serving.limits import ServingLimits
from tidemill_operator.api.access import Access
from tidemill_operator.api.app import Service, app_of
from tidemill_operator.api.flows import Flows
from tidemill_operator.api.metrics import Metrics
from tidemill_operator.api.settings import ApiSettings
from tidemill_operator.cluster import Cluster

__all__ = ["Api", "serving"]

logger = logging.getLogger("tidemill.api")


class Api:
    """An API that serves: where, and how it is told to stop."""

    def __init__(self, service: Service, port: int, health: int) -> None:
        self.service = service
        self.port = port
        self.health = health

    def stop(self) -> None:
        """Take nothing new, and end responses that last."""
        self.service.stop.set()


@contextlib.asynccontextmanager
async def serving(settings: ApiSettings, cluster: Cluster) -> AsyncIterator[Api]:
    """Serve meanwhile. Raises `OSError` where it cannot listen."""
    metrics, flows = Metrics(), Flows(cluster, settings)
    access = Access(cluster, settings.audiences, settings.remembered, settings.rate, settings.burst)
    service = Service(cluster, settings, access, flows, metrics)
    metrics.streams.set_function(lambda: service.streams)
    health = Health(settings.host, settings.health_port, live=list, ready=lambda: _ready(service), metrics=metrics.text)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(flows.close)
        runner = web.AppRunner(
            app_of(service), access_log=None, handler_cancellation=True, auto_decompress=False, shutdown_timeout=5.0
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None  # it has been set up
        service.guards = Guards(runner.server, ServingLimits(connections=settings.connections), metrics)
        server = await asyncio.get_running_loop().create_server(
            service.guards, settings.host, settings.port, ssl=_tls(settings), backlog=256
        )
        stack.callback(server.close)
        idle = asyncio.create_task(_close_idle(flows))
        stack.callback(idle.cancel)
        await stack.enter_async_context(health)
        yield Api(service, int(server.sockets[0].getsockname()[1]), health.port)
        service.stop.set()


def _ready(service: Service) -> list[str]:
    return ["it is shutting down"] if service.stop.is_set() else []


async def _close_idle(flows: Flows) -> None:
    while True:
        await asyncio.sleep(60)
        await flows.close_idle()


def _tls(settings: ApiSettings) -> ssl.SSLContext | None:
    if not settings.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key or None)
    return context
