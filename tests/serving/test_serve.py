"""A data flow at a path: inputs from the request, the result as the response, in memory and over a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import operations
from tests.serving.operations import CANCELLED, RELEASED, STARTED, agent, flow, hold, measure
from tests.serving.support import DEADLINE, channel, greeting, held, served, until
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.errors import InvalidDocument, LoadError


def of(name: str, *more: str) -> list[Any]:
    return [{"value": value, "definition": "name"} for value in (name, *more)]


@pytest.fixture(params=["memory", "store"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "memory":
        yield "memory"
        return
    with EmbeddedStore() as store:
        yield store.url


async def test_contexts_of_a_body_are_run_and_answered_by_name(backend: str) -> None:
    async with served(greeting(), backend=backend) as client:
        reply = await client.post("/greet", {"a": of("Ada"), "b": {"name": "Grace"}})
        assert (reply.status, reply.json) == (
            200,
            {"a": {"greeting": "Hello, Ada!"}, "b": {"greeting": "Hello, Grace!"}},
        )
        assert reply.headers["Cache-Control"] == "no-store"


async def test_requests_may_use_the_same_names_at_the_same_time(backend: str) -> None:
    async with served(greeting(), backend=backend) as client:
        replies = await asyncio.gather(*(client.post("/greet", {"a": of(f"n{n}")}) for n in range(20)))
        assert [reply.json for reply in replies] == [{"a": {"greeting": f"Hello, n{n}!"}} for n in range(20)]


async def test_pieces_of_the_path_and_the_query_are_inputs() -> None:
    async with served(greeting(path="/greet/{name}"), greeting(path="/")) as client:
        assert (await client.get("/greet/Ada%20L%2Fx")).json == {"request": {"greeting": "Hello, Ada L/x!"}}
        assert (await client.get("/?name=Ada")).json == {"request": {"greeting": "Hello, Ada!"}}
        assert (await client.post("/?name=Ada")).json == {"request": {"greeting": "Hello, Ada!"}}
        reply = await client.post("/?name=Zoe&count=3", {"a": of("Ada"), "b": []})
        assert reply.json == {"a": {"greeting": "Hello, Zoe!"}, "b": {"greeting": "Hello, Zoe!"}}


async def test_a_body_may_be_one_input_and_the_answer_text_or_bytes(backend: str) -> None:
    sized = flow(measure, get="size")
    raw = flow(measure, get="raw")
    channels = (
        channel("/text", operations.flow(operations.greet, get="greeting"), input_mode="text:name", output_mode="text"),
        channel("/json", sized, input_mode="bytes:blob"),
        channel("/size", sized, input_mode="bytes:blob", output_mode="text:post_input.size"),
        channel("/raw", raw, input_mode="bytes:blob", output_mode="bytes:image/png:post_input.raw"),
        channel("/value", operations.flow(operations.greet, get="greeting"), input_mode="json:name"),
    )
    async with served(*channels, backend=backend) as client:
        text = await client.ask("POST", "/text", data="Zoë".encode())
        assert (text.body, text.headers["Content-Type"]) == ("Hello, Zoë!".encode(), "text/plain; charset=utf-8")
        assert (await client.ask("POST", "/json", data=b"\x00\xff")).json == {"post_input": {"size": 2}}
        assert (await client.ask("POST", "/size", data=b"")).body == b"0"
        png = await client.ask("POST", "/raw", data=b"\x01\xff")
        assert (png.body, png.headers["Content-Type"]) == (b"\xff\x01", "image/png")
        assert (await client.post("/value", "Ada")).json == {"post_input": {"greeting": "Hello, Ada!"}}


async def test_headers_are_an_input_without_credentials() -> None:
    async with served(channel("/", flow(agent, get="agent"), forward_headers="headers")) as client:
        headers = [("x-one", "1"), ("X-TWO", "2"), ("X-TWO", "3"), ("Authorization", "Bearer secret")]
        assert (await client.get("/", headers=headers)).json == {"request": {"agent": "X-One=1 X-Two=2, 3"}}


async def test_a_context_in_the_background_is_asked_for_by_its_id(backend: str) -> None:
    channels = (greeting(asynchronous=True), greeting(path="/sync"))
    async with served(*channels, backend=backend) as client:
        reply = await client.post("/greet", {"a": of("Ada"), "b": of("nobody")})
        assert reply.status == 202
        ids = reply.json["contexts"]
        first = await client.get(f"/contexts/{ids['a']}?wait=60")
        assert (first.status, first.json["status"], first.json["result"]) == (
            200,
            "succeeded",
            {"greeting": "Hello, Ada!"},
        )
        second = (await client.get(f"/contexts/{ids['b']}?wait=60")).json
        assert (second["status"], second["failure"]["reason"]) == ("failed", "Exception")
        assert "result" not in second
        again = await client.get(f"/contexts/{ids['a']}")
        assert again.json == first.json
        reply = await client.post("/sync", {"a": of("Ada")}, headers={"Prefer": "respond-async"})
        assert (reply.status, reply.headers["Location"]) == (202, f"/contexts/{reply.json['contexts']['a']}")
        assert (await client.get("/contexts/http-" + "0" * 32 + ".0")).status == 404
        assert (await client.get("/contexts/default?wait=1")).json["reason"] == "RunGone"


async def test_what_is_in_the_background_is_open_until_it_has_ended(backend: str) -> None:
    async with held("h"), served(channel("/", flow(hold, get="held"), asynchronous=True), backend=backend) as client:
        ident = (await client.post("/", {"a": of("h")})).json["contexts"]["a"]
        async with asyncio.timeout(DEADLINE):
            await STARTED["h"].wait()
        reply = await client.get(f"/contexts/{ident}?wait=0.1")
        assert (reply.status, reply.json) == (202, {"context": ident, "status": "open"})
        waiting = asyncio.create_task(client.get(f"/contexts/{ident}?wait=60"))
        RELEASED["h"].set()
        assert (await waiting).json["result"] == {"held": "h"}


async def test_over_a_store_any_process_knows_what_became_of_a_context() -> None:
    with EmbeddedStore() as store:
        async with served(greeting(asynchronous=True), backend=store.url) as client:
            ident = (await client.post("/greet", {"a": of("Ada")})).json["contexts"]["a"]
            await client.get(f"/contexts/{ident}?wait=60")
        async with served(greeting(path="/other"), backend=store.url, workers=0) as client:
            reply = await client.get(f"/contexts/{ident}")
            assert reply.json["result"] == {"greeting": "Hello, Ada!"}


async def test_results_in_memory_are_forgotten_after_a_while() -> None:
    async with served(greeting(asynchronous=True), limits={"retention": 0.01}) as client:
        ident = (await client.post("/greet", {"a": of("Ada")})).json["contexts"]["a"]

        async def forgotten() -> bool:
            return (await client.get(f"/contexts/{ident}")).status == 404

        await until(forgotten)


async def test_an_answer_may_be_given_before_the_data_flow_has_run() -> None:
    said = {"status": 201, "content_type": "application/json", "data": {"text": "ok"}, "headers": {"X-Mine": "1"}}
    dataflow = flow(hold, get="held")
    channels = (
        channel("/data", dataflow, immediate_response=said),
        channel("/text", dataflow, immediate_response={"text": "ok"}),
        channel("/body", dataflow, immediate_response={"body": "ok"}),
    )
    async with held("one", "two", "three"), served(*channels) as client:
        reply = await client.post("/data", {"a": of("one")})
        assert (reply.status, reply.json, reply.headers["X-Mine"]) == (201, {"text": "ok"}, "1")
        reply = await client.post("/text", {"a": of("two")})
        assert (reply.body, reply.headers["Content-Type"]) == (b"ok", "text/plain; charset=utf-8")
        reply = await client.post("/body", {"a": of("three")})
        assert (reply.body, reply.headers["Content-Type"]) == (b"ok", "application/octet-stream")
        async with asyncio.timeout(DEADLINE):
            for name in ("one", "two", "three"):
                await STARTED[name].wait()


async def test_a_failure_is_said_without_its_inputs_and_traceback(backend: str) -> None:
    async with served(greeting(), backend=backend) as client:
        reply = await client.post("/greet", {"a": of("Ada"), "x/y": of("nobody")})
        assert reply.status == 500
        said = reply.json
        assert (said["reason"], said["path"]) == ("Exception", "/x~1y")
        assert said["error"] == said["message"]
        assert "there is nobody to greet" in said["message"]
        assert said["results"] == {"a": {"greeting": "Hello, Ada!"}}
        assert set(said["failures"]["x/y"]) == {"reason", "path", "message", "instance", "operation"}


async def test_a_run_that_takes_too_long_is_cancelled(backend: str) -> None:
    dataflow = channel("/", flow(hold, get="held"))
    async with held("late"), served(dataflow, backend=backend, limits={"run": 0.3}) as client:
        reply = await client.post("/", {"a": of("late")})
        assert (reply.status, reply.json["reason"]) == (504, "Timeout")
        async with asyncio.timeout(DEADLINE):
            await CANCELLED["late"].wait()
            await client.server.service.gate.none.wait()


async def test_what_a_client_no_longer_waits_for_is_cancelled() -> None:
    async with held("left"), served(channel("/", flow(hold, get="held"))) as client:
        waiting = asyncio.create_task(client.post("/", {"a": of("left")}))
        async with asyncio.timeout(DEADLINE):
            await STARTED["left"].wait()
            waiting.cancel()
            await CANCELLED["left"].wait()


async def test_no_more_contexts_are_open_than_the_limit() -> None:
    dataflow = channel("/", flow(hold, get="held"))
    async with held("h1", "h2"), served(dataflow, limits={"open": 2}) as client:
        waiting = asyncio.create_task(client.post("/", {"a": of("h1"), "b": of("h2")}))
        async with asyncio.timeout(DEADLINE):
            await STARTED["h2"].wait()
        reply = await client.post("/", {"a": of("h1")})
        assert (reply.status, reply.json["reason"]) == (503, "TooManyContexts")
        assert int(reply.headers["Retry-After"]) > 0
        for name in ("h1", "h2"):
            RELEASED[name].set()
        assert (await waiting).status == 200


async def test_it_is_ready_counts_and_drains() -> None:
    async with held("last"), served(channel("/", flow(hold, get="held")), health_port=0) as client:
        health = f":{client.server.health_port}"
        client.url, url = client.url.rpartition(":")[0] + health, client.url
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).body == b"ok\n"
        client.url = url
        assert (await client.get("/readyz")).status == 404
        waiting = asyncio.create_task(client.post("/", {"a": of("last")}))
        async with asyncio.timeout(DEADLINE):
            await STARTED["last"].wait()
        draining = asyncio.create_task(client.server.drain(DEADLINE))
        await asyncio.sleep(0)
        client.url = url.rpartition(":")[0] + health
        assert (await client.get("/readyz")).status == 503
        metrics = (await client.get("/metrics")).body.decode()
        assert "tidemill_serve_open 1.0" in metrics
        assert not draining.done()
        RELEASED["last"].set()
        assert (await waiting).json == {"a": {"held": "last"}}
        await draining
        client.url = url
        with pytest.raises(OSError):
            await client.get("/")


async def test_one_path_is_served_once_and_what_cannot_run_is_not_served() -> None:
    with pytest.raises(InvalidDocument, match="a path of its own"):
        async with served(greeting(path="/a/{name}"), greeting(path="/a/{greeting}")):
            pass
    broken = operations.flow(operations.greet, get="greeting")
    broken.implementations.clear()
    (name, operation), *_ = broken.operations.items()
    broken.operations[name] = operation._replace(name="nowhere.at_all:x")
    with pytest.raises(LoadError):
        async with served(channel("/", broken)):
            pass
