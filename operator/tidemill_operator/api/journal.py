"""What happened to a context: a page of its journal, or its events as they come.

The number of an event in the journal is its id as a server-sent event, so a client that comes back with
``Last-Event-ID`` goes on exactly behind the last one that it has heard. Neighbours: `contexts` (whose journal it is),
`events` (the same for how far a data flow is), `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from aiohttp import web

from tidemill.errors import TidemillError
from tidemill.formats.values import as_json
from tidemill.journal.event import Event
from tidemill_operator.api.contexts import Contexts
from tidemill_operator.api.errors import said_of
from tidemill_operator.api.events import ALIVE, HEADERS, sent
from tidemill_operator.api.flows import RequestError

__all__ = ["MOST", "happened", "is_followed"]

PAGE = 1000
"""Events on a page, unless told otherwise."""
MOST = 10_000
"""Events on a page at most."""


def is_followed(request: web.Request) -> bool:
    """Say whether a client wants events as they come, and not a page of them."""
    return "text/event-stream" in request.headers.get("Accept", "").lower()


async def happened(request: web.Request, contexts: Contexts, stop: asyncio.Event) -> web.StreamResponse:
    """Answer with what happened to a context. Raises `RequestError`, `ContextClosed` (NoJournal), `StoreError`."""
    name, after = request.match_info["context"], _number("after", request.query.get("after", "0"))
    if is_followed(request):
        after = _number("Last-Event-ID", request.headers.get("Last-Event-ID") or str(after))
        await contexts.events(name, 0, 1)  # what is not there is said before anything is told
        return await _told(request, contexts.followed(name, after), lambda: contexts.seen(name), stop)
    limit = _number("limit", request.query.get("limit", str(PAGE)))
    if not 1 <= limit <= MOST:
        raise RequestError(f"limit is {limit}, expected 1 to {MOST}", reason="BadQuery")
    events, more = await contexts.events(name, after, limit)
    last = events[-1].id if events else after
    said = {"context": name, "events": [event.plain() for event in events], "after": last, "more": more}
    return web.Response(text=as_json(said), content_type="application/json")


async def _told(
    request: web.Request, events: AsyncGenerator[Event, None], seen: Callable[[], Awaitable[None]], stop: asyncio.Event
) -> web.StreamResponse:
    """Tell a client of events until it goes, the context has ended, or ``stop`` is set."""
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    telling, stopping = asyncio.create_task(_all(response, events)), asyncio.create_task(stop.wait())
    try:
        while not (await asyncio.wait({telling, stopping}, timeout=ALIVE, return_when=asyncio.FIRST_COMPLETED))[0]:
            await seen()
            await sent(response, ": still here\n\n")
        if telling.done():
            telling.result()
    except TidemillError as error:
        await sent(response, f"event: refused\ndata: {as_json(said_of(error))}\n\n")
    finally:
        for task in (telling, stopping):
            task.cancel()
        await asyncio.gather(telling, stopping, return_exceptions=True)
    return response


async def _all(response: web.StreamResponse, events: AsyncGenerator[Event, None]) -> None:
    async with contextlib.aclosing(events):
        async for event in events:
            await sent(response, f"id: {event.id}\ndata: {as_json(event.plain())}\n\n")


def _number(name: str, said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= 15):
        raise RequestError(f"{name} is {said[:40]!r}, expected a whole number", reason="BadQuery")
    return int(said)
