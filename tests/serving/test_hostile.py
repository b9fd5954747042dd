"""What clients do wrong, or to harm: each is answered or closed, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from pathlib import Path
from typing import Any

import pytest

from tests.serving.operations import flow, hold
from tests.serving.support import DEADLINE, Client, channel, greeting, held, served

OK = {"a": [{"value": "Ada", "definition": "name"}]}
HEAD = b"POST /greet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.\d (\d{3}) ", answer)
    return int(found[1]) if found else 0


async def lives(client: Client) -> None:
    """It still answers."""
    assert (await client.post("/greet", OK)).json == {"a": {"greeting": "Hello, Ada!"}}


async def test_a_body_that_is_too_large_is_not_read() -> None:
    async with served(greeting(), limits={"body": 100}) as client:
        reply = await client.raw(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        assert status(reply) == 413
        assert b'"reason": "TooLarge"' in reply
        chunk = b"40\r\n" + b"x" * 64 + b"\r\n"
        reply = await client.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk, chunk, chunk)
        assert status(reply) == 413
        await lives(client)


async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    async with served(greeting(), limits={"arrival": 0.2}) as client:
        reply = await client.raw(HEAD + b"Content-Length: 10\r\n\r\n{")
        assert status(reply) == 408
        assert b'"reason": "RequestTimeout"' in reply
        await lives(client)


async def test_a_head_that_does_not_arrive_is_not_waited_for() -> None:
    async with served(greeting(), limits={"head": 0.2, "idle": 0.2}) as client:
        assert await client.raw(b"") == b""
        assert await client.raw(b"GET / HTT") == b""
        reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
        writer.write(b"GET /greet HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():  # a line now and then does not make it wait longer
                    writer.write(b"X-More: 1\r\n")
                    await writer.drain()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()
        one = await client.raw(b"GET /greet?name=Ada HTTP/1.1\r\nHost: x\r\n\r\n", b"GET")
        assert status(one) == 200, "the first is answered, and the second not waited for"
        assert b'tidemill_serve_dropped_total{reason="slow"}' in (await client.get("/metrics")).body
        await lives(client)


async def test_a_request_may_take_longer_than_its_head() -> None:
    dataflow = channel("/", flow(hold, get="held"))
    async with held("h"), served(dataflow, limits={"head": 0.05, "idle": 0.05}) as client:
        waiting = asyncio.create_task(client.post("/?name=h"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.3)
        from tests.serving.operations import RELEASED

        RELEASED["h"].set()
        assert (await waiting).status == 200


async def test_no_more_connections_than_the_limit() -> None:
    async with served(greeting(), limits={"connections": 2}) as client:
        opened = [await asyncio.open_connection("127.0.0.1", client.server.port) for _ in range(2)]
        assert await client.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(DEADLINE):
            while True:
                with contextlib.suppress(OSError, Exception):
                    await lives(client)
                    break
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", {415}),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
        (HEAD + b"Content-Length: x\r\n\r\n", {400}),
        (HEAD + b"Content-Length: -1\r\n\r\n", {400}),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {400}),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        (HEAD + b"Bad Header: 1\r\n\r\n", {400}),
        (HEAD + b"X: " + b"y" * 20_000 + b"\r\n\r\n", {400, 431}),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {400, 414}),
        (b"GET /greet/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
        (b"GET //greet HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
        (b"GET /greet%00 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
        (b"GET /greet\x00 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET /%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
        (b"GET http://other/greet?name=Ada HTTP/1.1\r\nHost: x\r\n\r\n", {200, 400, 404}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", {0, 400}),
        (b"\r\n\r\n\r\n", {0, 400}),
        (b"PUT /greet HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
        (b"HEAD /greet HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
        (b"TRACE /greet HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
        (b"DELETE /contexts/x HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
        (b"GET /contexts/..%2fx HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
        (b"GET /contexts/x?wait=soon HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        (b"GET /contexts/x?wait=nan HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    ],
)
async def test_what_is_no_request_for_anything_is_refused(sent: bytes, wanted: set[int]) -> None:
    async with served(greeting(), limits={"head": 0.5, "idle": 0.2}) as client:
        answer = await client.raw(sent)
        assert status(answer) in wanted, answer[:300]
        assert b"Traceback" not in answer
        await lives(client)


async def test_requests_one_after_the_other_are_answered_in_order() -> None:
    async with served(greeting(), limits={"idle": 0.2}) as client:
        sent = b"".join(b"GET /greet?name=n%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(5))
        assert re.findall(rb"Hello, (n\d)!", await client.raw(sent)) == [b"n0", b"n1", b"n2", b"n3", b"n4"]


async def test_whatever_bytes_come_the_server_goes_on() -> None:
    """A bounded fuzz: requests with bytes changed, cut out and doubled."""
    choose = random.Random(6)
    whole = HEAD + b'Content-Length: 53\r\n\r\n{"a": [{"value": "Ada", "definition": "name"}], "b":[]}'
    async with served(greeting(), limits={"head": 0.2, "arrival": 0.2, "idle": 0.2}) as client:
        for _ in range(15):
            many = []
            for _ in range(8):
                changed = bytearray(whole)
                for _ in range(choose.randint(1, 6)):
                    at, end = sorted(choose.sample(range(len(changed)), 2))
                    part = bytes([choose.randrange(256)]), b"", bytes(changed[at : at + 30]) * 2
                    changed[at : min(end, at + choose.choice([1, 1, 30]))] = choose.choice(part)
                many.append(client.raw(bytes(changed)))
            for answer in await asyncio.gather(*many):
                assert status(answer) in (0, 200, 400, 404, 405, 408, 413, 415, 500, 501, 505), answer[:200]
                assert b"Internal" not in answer, answer
        await lives(client)


async def test_pages_of_others_may_not_ask_unless_they_are_allowed() -> None:
    async with served(greeting(), origins=("https://mine.example",)) as client:
        reply = await client.post("/greet", OK, headers={"Origin": "https://evil.example"})
        assert (reply.status, reply.json["reason"]) == (403, "CrossOrigin")
        assert "Access-Control-Allow-Origin" not in reply.headers
        for origin in ("https://mine.example", client.url):
            reply = await client.post("/greet", OK, headers={"Origin": origin})
            assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (200, origin)
        preflight = await client.ask("OPTIONS", "/greet", headers={"Origin": "https://mine.example"})
        assert preflight.status == 204
        assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]


async def test_a_token_is_asked_for_and_may_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    async with served(greeting(), token_file=str(file)) as client:

        async def asked(**headers: str) -> Any:
            return (await client.post("/greet", OK, headers=headers)).status

        reply = await client.post("/greet", OK)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert await asked(Authorization="Bearer wrong") == 401
        assert await asked(Authorization="Basic s3cret") == 401
        assert await asked(Authorization="Bearer s3cret") == 200
        file.write_text("other")
        assert await asked(Authorization="Bearer s3cret") == 401
        assert await asked(Authorization="bearer other") == 200
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/contexts/x")).status == 401
