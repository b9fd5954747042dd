"""A request with an Idempotency-Key is run once, however often and wherever it is sent, in memory and over a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.serving.operations import RELEASED, STARTED, flow, hold
from tests.serving.support import DEADLINE, Client, Reply, channel, greeting, held, served
from tidemill import Definition, op
from tidemill.backends.redis.embedded import EmbeddedStore

NAME, TIMES = Definition("name", "string"), Definition("times", "int")
ADA = {"a": [{"value": "Ada", "definition": "name"}], "b": {"name": "Bob"}}

runs: list[str] = []


@op(name="noting", inputs={"name": NAME}, outputs={"times": TIMES})
async def noting(name: str) -> dict[str, int]:
    runs.append(name)
    if name == "bad":
        raise ValueError("a bad name")
    return {"times": runs.count(name)}


@pytest.fixture(params=["memory", "store"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where contexts are."""
    runs.clear()
    if request.param == "memory":
        yield "memory"
        return
    with EmbeddedStore(durability="always") as store:
        yield store.url


async def sent(client: Client, path: str, body: object, key: str) -> Reply:
    """Send a request with a key."""
    return await client.ask("POST", path, json=body, headers={"Idempotency-Key": key})


async def test_the_same_request_is_run_once(backend: str) -> None:
    async with served(channel("/note", flow(noting, get="times")), backend=backend) as client:
        replies = await asyncio.gather(*(sent(client, "/note", ADA, "k") for _ in range(5)))
        replies.append(await sent(client, "/note", ADA, "k"))
        assert {reply.status for reply in replies} == {200}
        assert [reply.json for reply in replies] == [{"a": {"times": 1}, "b": {"times": 1}}] * 6
        assert sorted(runs) == ["Ada", "Bob"]
        assert (await sent(client, "/note", ADA, "another")).json == {"a": {"times": 2}, "b": {"times": 2}}
        assert (await sent(client, "/note", {"a": {"name": "Eve"}}, "k")).json == {"a": {"times": 1}}
        assert (await client.post("/note", ADA)).json["a"] == {"times": 3}, "without a key each is run"


async def test_a_failure_is_answered_again_too(backend: str) -> None:
    async with served(channel("/note", flow(noting, get="times")), backend=backend) as client:
        replies = [await sent(client, "/note", {"a": {"name": "bad"}}, "k") for _ in range(2)]
        assert [reply.status for reply in replies] == [500, 500]
        assert replies[0].json == replies[1].json
        assert runs == ["bad"]


async def test_two_channels_share_no_keys(backend: str) -> None:
    channels = (channel(f"/{name}", flow(noting, get="times")) for name in ("one", "two"))
    async with served(*channels, backend=backend) as client:
        for path in ("/one", "/two"):
            await sent(client, path, {"a": {"name": "Ada"}}, "k")
        assert runs == ["Ada", "Ada"]


async def test_in_the_background_the_ids_are_the_same(backend: str) -> None:
    async with served(greeting(asynchronous=True), backend=backend) as client:
        first, again = [await sent(client, "/greet", ADA, "k") for _ in range(2)]
        assert (first.status, again.status) == (202, 202)
        assert first.json == again.json
        assert (await sent(client, "/greet", ADA, "other")).json != first.json
        for ident in first.json["contexts"].values():
            assert (await client.get(f"/contexts/{ident}?wait=20")).json["status"] == "succeeded"


async def test_it_goes_on_when_it_takes_too_long_and_is_found_again() -> None:
    channels = (channel("/hold", flow(hold, get="held")),)
    async with held("h"), served(*channels, limits={"run": 0.2}) as client:
        reply = await client.ask("POST", "/hold?name=h", headers={"Idempotency-Key": "k"})
        assert (reply.status, reply.json["reason"]) == (504, "Timeout")
        async with asyncio.timeout(DEADLINE):
            await STARTED["h"].wait()
            RELEASED["h"].set()
            while reply.status != 200:
                reply = await client.ask("POST", "/hold?name=h", headers={"Idempotency-Key": "k"})
        assert reply.json == {"request": {"held": "h"}}


@pytest.mark.parametrize("key", ["ä", "k" * 256])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    async with served(greeting()) as client:
        reply = await sent(client, "/greet", ADA, key)
        assert (reply.status, reply.json["reason"]) == (400, "BadKey")
