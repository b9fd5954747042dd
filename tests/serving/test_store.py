"""A store that goes away is said, at once and with a time to come back; the server goes on when it is there again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.backends.redis.servers import DURABLE, Server
from tests.serving.operations import RELEASED, STARTED, flow, hold
from tests.serving.support import DEADLINE, channel, greeting, held, served, until
from tidemill.errors import StoreError

OK = {"a": [{"value": "Ada", "definition": "name"}]}


async def test_while_the_store_is_away_requests_are_put_off(tmp_path: Path) -> None:
    channels = (greeting(), greeting(path="/later", asynchronous=True), channel("/hold", flow(hold, get="held")))
    with Server(tmp_path / "store", **DURABLE) as store:
        async with held("h"), served(*channels, backend=store.url, limits={"run": 60.0}) as client:
            ident = (await client.post("/later", OK)).json["contexts"]["a"]
            assert (await client.get(f"/contexts/{ident}?wait=20")).json["status"] == "succeeded"
            waiting = asyncio.create_task(client.post("/hold?name=h"))
            async with asyncio.timeout(DEADLINE):
                await STARTED["h"].wait()
            await asyncio.to_thread(store.kill)

            async def away() -> bool:
                return (await client.get("/readyz")).status == 503

            await until(away)
            assert (await client.get("/livez")).status == 200
            for path in ("/greet", "/later"):
                reply = await client.post(path, OK)
                assert reply.status == 503, reply.body
                assert int(reply.headers["Retry-After"]) > 0
                assert reply.json["reason"] in ("NotReady", "StoreUnavailable")
            assert (await client.get(f"/contexts/{ident}")).status == 503
            await asyncio.to_thread(store.start)

            async def back() -> bool:
                return (await client.get("/readyz")).status == 200

            await until(back)
            assert (await client.post("/greet", OK)).json == {"a": {"greeting": "Hello, Ada!"}}
            assert (await client.get(f"/contexts/{ident}")).json["result"] == {"greeting": "Hello, Ada!"}
            RELEASED["h"].set()
            assert (await waiting).json == {"request": {"held": "h"}}, "it has outlived the store's absence"
            later = (await client.post("/later", OK)).json["contexts"]["a"]
            assert (await client.get(f"/contexts/{later}?wait=20")).json["status"] == "succeeded"


async def test_a_store_that_is_not_there_at_the_start_is_said() -> None:
    with pytest.raises(StoreError):
        async with served(greeting(), backend="redis://127.0.0.1:1"):
            pass
