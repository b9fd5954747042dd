"""Whatever is sent, the answer says what was wrong with it, and the server goes on."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.operator.api.conftest import Client, served
from tests.operator.stage import Stage
from tests.operator.words import dataflow
from tidemill_operator.api.app import app_of
from tidemill_operator.api.openapi import document

LINES = {"Content-Type": "application/x-ndjson"}


async def asked(client: Client, *arguments: Any, **request: Any) -> tuple[int, str]:
    status, said = await client.ask(*arguments, **request)
    return status, said["reason"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "MalformedJson"),
        ('{"word": NaN}', "NotFinite"),
        ('{"word": "a", "word": "b"}', "DuplicateKey"),
        ("[" * 200 + "]" * 200, "TooDeep"),
        ('{"word": "\\ud800"}', "InvalidUnicode"),
        ("7", "TypeMismatch"),
        ('{"word": null}', "NullValue"),
    ],
)
async def test_a_line_that_is_none_is_refused(client: Client, line: str, reason: str) -> None:
    assert await asked(client, "POST", "/contexts", data=line.encode(), headers=LINES) == (400, reason)


async def test_bytes_that_are_no_text_are_refused(client: Client) -> None:
    assert await asked(client, "POST", "/contexts", data=b'{"word": "\xff"}', headers=LINES) == (400, "InvalidUnicode")


async def test_a_line_without_end_is_cut_off(place: Stage) -> None:
    async with served(place, line=2048) as client:
        assert await asked(client, "POST", "/contexts", data=b'"' + b"x" * 300_000, headers=LINES) == (413, "TooLarge")
        assert (await client.ask("GET"))[0] == 200


async def test_a_client_that_falls_silent_is_given_up(place: Stage) -> None:
    async with served(place, body_timeout=0.2) as client:

        async def slowly() -> Any:
            yield b'{"word": '
            await asyncio.sleep(30)

        assert await asked(client, "POST", "/contexts", data=slowly(), headers=LINES) == (408, "RequestTimeout")


@pytest.mark.parametrize(
    ("method", "path", "request_", "expected"),
    [
        ("POST", "/contexts", {"json": {}}, (415, "UnsupportedMediaType")),
        ("POST", "/contexts?strict=yes", {"data": b"{}", "headers": LINES}, (400, "BadQuery")),
        ("GET", "/contexts?state=lost", {}, (400, "BadState")),
        ("GET", "/contexts?cursor=../x", {}, (400, "BadCursor")),
        ("GET", "/contexts?cursor=" + "9" * 40, {}, (400, "BadCursor")),
        ("GET", "/results?state=open", {}, (400, "BadState")),
        ("GET", "/contexts/none", {}, (404, "RunGone")),
        ("GET", "/contexts/none?wait=1e9", {}, (400, "BadQuery")),
        ("DELETE", "/contexts", {}, (405, "MethodNotAllowed")),
        ("GET", "/elsewhere", {}, (404, "NotFound")),
        ("POST", "/contexts/none/inputs", {"data": b"{}", "headers": LINES}, (415, "UnsupportedMediaType")),
        ("POST", "/contexts/none/inputs", {"json": {"word": "x"}}, (404, "RunGone")),
    ],
)
async def test_requests_that_cannot_be_are_refused(
    client: Client, method: str, path: str, request_: Any, expected: tuple[int, str]
) -> None:
    assert await asked(client, method, path, **request_) == expected


async def test_an_object_that_is_not_there_or_not_accepted(client: Client) -> None:
    stage = client.stage
    assert await asked(client, "GET", name="nothing") == (404, "NotFound")
    wrong = dataflow(stage.namespace, "wrong")
    wrong["spec"]["operations"]["measure"]["inputs"]["word"] = "wrod"
    stage.apply(wrong)
    await stage.until(lambda: stage.reason("Accepted", "wrong"), "it is looked at")
    status, said = await client.ask("GET", name="wrong")
    assert (status, said["reason"]) == (409, "NotAccepted")
    assert "wrod" in said["message"]


async def test_a_namespace_that_is_not_served(place: Stage) -> None:
    async with served(place, namespaces=["another"]) as client:
        assert await asked(client, "GET") == (404, "NotFound")


async def test_a_store_that_is_away_is_said_to_be(place: Stage) -> None:
    async with served(place, store="redis://127.0.0.1:1/0") as client:
        async with client.session.get(client.url()) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        assert (await asked(client, "POST", "/contexts", data=b'{"word": "x"}', headers=LINES))[0] == 503


async def test_only_so_many_responses_last_at_once(place: Stage) -> None:
    async with served(place, streams=1) as client:
        async with client.session.get(client.url("/events")) as answer:
            assert answer.status == 200
            await answer.content.readline()
            assert await asked(client, "GET", "/results") == (503, "TooManyStreams")


async def test_it_says_how_it_is_and_what_it_has_done(client: Client) -> None:
    await client.ask("GET")
    async with aiohttp.ClientSession() as session:
        root = f"http://127.0.0.1:{client.api.health}"
        async with session.get(f"{root}/readyz") as answer:
            assert answer.status == 200
        async with session.get(f"{root}/metrics") as answer:
            text = await answer.text()
        assert 'tidemill_api_requests_total{code="200",method="GET",route="/v1/namespaces/' in text
        assert client.stage.namespace not in text
        client.api.stop()
        async with session.get(f"{root}/readyz") as answer:
            assert answer.status == 503
    assert await asked(client, "GET") == (503, "ShuttingDown")


async def test_the_document_describes_the_routes(client: Client) -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in app_of(client.api.service).router.routes()
        if route.method != "HEAD" and route.resource is not None
    }
    paths = document()["paths"]
    described = {(word.upper(), path) for path, item in paths.items() for word in item if word != "parameters"}
    assert routes == described
    async with aiohttp.ClientSession() as session, session.get(f"{client.root}/openapi.json") as answer:
        assert (await answer.json())["openapi"] == "3.1.0"
