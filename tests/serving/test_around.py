"""What every request goes through: who has gone is no mistake, and whose connection is lost matters."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter

from tidemill.errors import TidemillError
from tidemill.serving.around import Around

_log = logging.getLogger("tidemill.serving")


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Begin an answer that nobody reads to its end."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"one")
    raise ConnectionResetError("nothing was read for 30 s")


async def asks_elsewhere(_: web.Request) -> web.StreamResponse:
    """Lose a connection of the server's own."""
    raise ConnectionResetError("the other server has gone")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    def refusal(error: TidemillError) -> web.Response:
        return web.Response(status=500, text=error.reason)

    around = Around(refusal, Counter("refused", "by reason", ["reason"], registry=CollectorRegistry()), _log)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await around.answer(request, handler)

    app = web.Application(middlewares=[middleware])
    app.router.add_get("/breaks", breaks_off)
    app.router.add_get("/elsewhere", asks_elsewhere)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_an_answer_that_breaks_off_is_closed_and_no_mistake(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get(url + "breaks") as answer:
                await answer.read()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_connection_of_the_servers_own_that_is_lost_is_a_mistake(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as session, session.get(url + "elsewhere") as answer:
        assert (answer.status, await answer.text()) == (500, "Internal")
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == [_log.name]
