"""Following the events of a context: a connection that is lost is made anew, and nothing is heard twice or missed."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web

from tidemill.orchestrator.cluster.client import ApiError, Client, Place, connected

EVENTS = [
    {"id": 1, "prev": 0, "kind": "opened", "context": "a"},
    {"id": 2, "prev": 1, "kind": "added", "context": "a"},
    {"id": 3, "prev": 2, "kind": "ended", "context": "a", "status": "succeeded"},
]


class Server:
    """Tells one event on each connection, and then does to it what ``fates`` say, one after the other."""

    def __init__(self, *fates: str) -> None:
        self.fates = list(fates)
        self.asked: list[str] = []
        self.state = "open"

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell the event after the one that the client has heard last."""
        if "after" in request.query:
            return web.json_response({"events": EVENTS[int(request.query["after"]) :][:1]})
        last = request.headers["Last-Event-ID"]
        self.asked.append(last)
        fate = self.fates.pop(0)
        if fate.isdigit():
            return web.json_response({"reason": "StoreUnavailable", "message": "away"}, status=int(fate))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in EVENTS[int(last) :][:1]:
            await response.write(f"id: {event['id']}\ndata: {json.dumps(event)}\n\n: still here\n\n".encode())
        if fate == "refuse":
            await response.write(b'event: refused\ndata: {"reason": "NoJournal", "message": "it is gone"}\n\n')
        if fate == "lose":
            assert request.transport is not None
            request.transport.abort()
        return response

    async def one(self, request: web.Request) -> web.Response:
        """Say what state the context is in."""
        return web.json_response({"context": "a", "status": self.state})


@asynccontextmanager
async def asking(server: Server) -> AsyncIterator[Client]:
    app = web.Application()
    base = "/v1/namespaces/mill/dataflows/words/contexts/a"
    app.add_routes([web.get(f"{base}/events", server.events), web.get(base, server.one)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with connected(Place(f"http://127.0.0.1:{port}", "t", "mill", "dataflows", "words")) as client:
            yield client
    finally:
        await runner.cleanup()


async def followed(server: Server, after: int = 0) -> list[int]:
    async with asking(server) as client, aclosing(client.followed("a", after)) as events:
        return [event.id async for event in events]


async def test_a_connection_that_is_lost_is_made_anew_behind_the_last_event() -> None:
    server = Server("lose", "end", "503", "end")
    assert await followed(server) == [1, 2, 3]
    assert server.asked == ["0", "1", "2", "2"]


async def test_where_all_was_told_nothing_is_waited_for() -> None:
    server = Server("end")
    server.state = "succeeded"
    assert await followed(server, 3) == []


async def test_what_ends_between_two_connections_is_heard() -> None:
    server = Server("end", "end")
    server.state = "succeeded"
    assert await followed(server, 1) == [2, 3]


@pytest.mark.parametrize(("fate", "reason"), [("503", "StoreUnavailable"), ("refuse", "NoJournal")])
async def test_what_is_refused_is_said(fate: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        await followed(Server(fate))
    assert caught.value.reason == reason
