"""What clients do wrong below the level of requests, or to harm: each is answered or closed, and the server goes on."""

import asyncio
import re

import pytest

from tests.operator.api.conftest import TOKEN, Client

DEADLINE = 120.0
AUTH = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n".encode()


async def raw(client: Client, sent: bytes) -> tuple[int, bytes]:
    """Send bytes, and return the status of the answer, 0 where there is none, and all of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.api.port)
    writer.write(sent)
    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()
    writer.close()
    found = re.match(rb"HTTP/1\.\d (\d{3}) ", answer)
    return (int(found[1]) if found else 0), answer


def post(client: Client, head: bytes, body: bytes) -> bytes:
    path = client.url("/contexts").removeprefix(client.root).encode()
    return b"POST " + path + b" HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n" + AUTH + head + b"\r\n" + body


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"word": "x"} {"word": "y"}', "MalformedJson"),
        ('{"word": ' + "9" * 5000 + "}", "IntegerOutOfRange"),
        ("[" * 10_000 + "]" * 10_000, "TooDeep"),
        ('{"word": Infinity}', "NotFinite"),
    ],
)
async def test_lines_that_only_look_like_json(client: Client, line: str, reason: str) -> None:
    status, said = await client.open(line)
    assert (status, said["reason"]) == (400, reason)
    assert len(said["message"]) < 1000


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}\n"),
        (b"Content-Length: -1\r\n", b"{}"),
        (b"Content-Length: x\r\n", b"{}"),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
        (b"Bad Header: 1\r\n", b""),
        (b"X: " + b"y" * 20_000 + b"\r\n", b""),
    ],
)
async def test_heads_that_two_servers_would_read_differently(client: Client, head: bytes, body: bytes) -> None:
    status, answer = await raw(client, post(client, head, body))
    assert status in (400, 431), answer[:300]
    assert (await client.ask("GET", "/contexts"))[1]["contexts"] == []


@pytest.mark.parametrize(
    "path", [b"/v1/..%2f..%2fetc%2fpasswd", b"/../../etc/passwd", b"/%00", b"/\x00", b"/%ff%fe", b"/" + b"a" * 20_000]
)
async def test_paths_that_lead_nowhere(client: Client, path: bytes) -> None:
    status, answer = await raw(client, b"GET " + path + b" HTTP/1.1\r\n" + AUTH + b"\r\n")
    assert status in (400, 404, 414), answer[:300]
    assert b"root:" not in answer
    assert (await client.ask("GET"))[0] == 200


@pytest.mark.parametrize("cursor", ["-1", "1e9", "", "0;1", "99999999999999999999999"])
async def test_cursors_that_no_page_has_ended_with(client: Client, cursor: str) -> None:
    status, said = await client.ask("GET", f"/contexts?cursor={cursor}")
    assert (status, said["reason"]) == (400, "BadCursor")


async def test_what_looks_like_a_page_is_sent_as_data(client: Client) -> None:
    """Nothing is ever shown as a page: what somebody has put into a value is data, and no browser guesses otherwise."""
    evil = "<script>alert(1)</script>"
    status, _ = await client.open(f'{{"context": "x", "inputs": {{"word": "{evil}"}}}}')
    assert status == 200
    for path in ("", "/contexts", "/contexts/words.x", f"/contexts/{evil.replace('/', '%2f')}"):
        async with client.session.get(client.url(path)) as answer:
            assert answer.content_type.endswith("json")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Set-Cookie" not in answer.headers
