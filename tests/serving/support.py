"""A server on a real socket, and clients of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.serving import operations
from tidemill import DataFlow
from tidemill.serving.channel import Channel, channel_of
from tidemill.serving.limits import ServingLimits
from tidemill.serving.server import ServerSettings, Serving, serving

__all__ = ["DEADLINE", "Client", "Reply", "channel", "greeting", "held", "served", "until"]

DEADLINE = 120.0
"""Seconds after which something that has to happen has not."""


def channel(path: str, dataflow: DataFlow, **said: Any) -> Channel:
    """A channel as a file says it."""
    return channel_of({"path": path, **said}, dataflow, where="test.yaml")


def greeting(**said: Any) -> Channel:
    """A channel that greets, at /greet unless told otherwise."""
    return channel(said.pop("path", "/greet"), operations.flow(operations.greet, get="greeting"), **said)


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body as plain data."""
        assert self.headers["Content-Type"] == "application/json", self.body
        return json.loads(self.body)


class Client:
    """Asks a server. Whatever takes longer than the deadline fails."""

    def __init__(self, server: Serving, session: aiohttp.ClientSession) -> None:
        self.server, self._session = server, session
        self.url = f"http://127.0.0.1:{server.port}"

    async def ask(self, method: str, path: str, **more: Any) -> Reply:
        async with self._session.request(method, f"{self.url}{path}", **more) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, data: Any = None, **more: Any) -> Reply:
        """Post plain data as JSON."""
        return await self.ask("POST", path, **({"json": data} if data is not None else {}), **more)

    async def raw(self, *parts: bytes) -> bytes:
        """Send bytes as they are, and return what comes until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            async with asyncio.timeout(DEADLINE):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def served(*channels: Channel, limits: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[Client]:
    """Serve channels at a port that is free, and give a client."""
    made = ServerSettings(port=0, limits=ServingLimits(**(limits or {})), **settings)
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    async with serving(channels, made) as server, aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(server, session)


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if await check():
                return
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def held(*names: str) -> AsyncIterator[None]:
    """Have the operation ``hold`` know these names; at the end all of them are released."""
    for name in names:
        for events in (operations.STARTED, operations.RELEASED, operations.CANCELLED):
            events[name] = asyncio.Event()
    try:
        yield
    finally:
        for name in names:
            operations.RELEASED[name].set()
