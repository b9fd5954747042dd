"""How far a data flow is, as server-sent events: one whenever it has changed, the whole of it each time.

An event's id says what it tells, so a client that comes back with ``Last-Event-ID`` is told at once if anything is
different, and nothing if not; what happened in between is in what is told. Neighbours: `contexts` (who counts), `app`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tidemill.errors import TidemillError

__all__ = ["ALIVE", "HEADERS", "sent", "told"]

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
"""Headers of an answer that is told in events."""
EVERY = 1.0
"""Seconds between two looks."""
ALIVE = 15.0
"""Seconds after which something is sent though nothing has changed, so that both sides know the connection lives."""
SLOW = 10.0
"""Seconds that a client may take to read before it is given up."""


async def told(
    request: web.Request, look: Callable[[], Awaitable[dict[str, Any]]], stop: asyncio.Event
) -> web.StreamResponse:
    """Tell a client until it goes, all contexts have ended, or ``stop`` is set."""
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    last, silent = request.headers.get("Last-Event-ID", ""), 0.0
    while not stop.is_set():
        try:
            said = await look()
        except TidemillError as error:  # it may be back soon; the client hears that we are still there
            await sent(response, f": {error.reason}\n\n")
            said = None
        if said is not None:
            data = json.dumps(said, sort_keys=True)
            number = hashlib.sha256(data.encode()).hexdigest()[:16]
            if number != last:
                await sent(response, f"id: {number}\nevent: progress\ndata: {data}\n\n")
                last, silent = number, 0.0
        if silent >= ALIVE:
            await sent(response, ": still here\n\n")
            silent = 0.0
        try:
            async with asyncio.timeout(EVERY):
                await stop.wait()
        except TimeoutError:
            silent += EVERY
    return response


async def sent(response: web.StreamResponse, text: str) -> None:
    """Send a piece of a response. Raises `ConnectionError` where nobody reads it."""
    try:
        async with asyncio.timeout(SLOW):
            await response.write(text.encode())
    except TimeoutError:
        raise ConnectionResetError(f"nothing was read for {SLOW:g} s") from None
