"""Files of inputs at a URL: fetched within bounds, from where an administrator lets the operator go, with the
credentials of the object and no others."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.backends.redis.stores import server
from tests.operator.fake import FakeAPI, fake_api
from tests.operator.stage import stage
from tests.operator.words import dataflow
from tidemill.errors import TidemillError
from tidemill_operator.files import Files
from tidemill_operator.kinds.sources import InputsSource
from tidemill_operator.settings import Settings

LINES = b'{"word": "tide"}\n{"word": "mill"}\n'
KEY = {"access_key_id": "AKIATEST", "secret_access_key": "s"}


class Web:
    """What answers requests; ``asked`` are their heads."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[], web.StreamResponse] = lambda: web.Response(body=LINES)


@asynccontextmanager
async def serving() -> AsyncIterator[Web]:
    """Give a server of this machine."""
    found = Web(0)

    async def answer(request: web.Request) -> web.StreamResponse:
        found.asked.append((f"{request.method} {request.path}", dict(request.headers)))
        return found.answer()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    try:
        yield found
    finally:
        await runner.cleanup()


def settings(**changed: Any) -> Settings:
    said = {"namespaces": ["ns"], "url_schemes": ["https", "http", "s3", "file", "azblob"], **changed}
    return Settings.model_validate(said)


def secret(api: FakeAPI, **values: str) -> dict[str, str]:
    """Have a Secret with these values, and return what refers to it."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    api.put("secrets", {"metadata": {"name": "credentials", "namespace": "ns"}, "data": data})
    return {"name": "credentials"}


async def fetched(url: str, api: FakeAPI, files: Files, **keys: str) -> bytes:
    said = {"name": "file", "url": url, **({"secretRef": secret(api, **keys)} if keys else {})}
    with await files.fetch("ns", InputsSource.model_validate(said)) as file:
        return file.read()


async def refused(url: str, api: FakeAPI, files: Files, **keys: str) -> TidemillError:
    with pytest.raises(TidemillError) as raised:
        await fetched(url, api, files, **keys)
    assert str(raised.value.message)
    return raised.value


async def test_a_file_is_fetched_from_a_folder_the_web_and_an_object_store(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(LINES)
    async with fake_api() as (api, cluster), serving() as there:
        files = Files(cluster, settings(url_hosts=["127.0.0.1"]))
        assert await fetched((tmp_path / "in.jsonl").as_uri(), api, files) == LINES
        at = f"http://127.0.0.1:{there.port}"
        assert await fetched(f"{at}/in.jsonl", api, files, token="secret-token") == LINES
        assert there.asked[-1][1]["Authorization"] == "Bearer secret-token"
        assert await fetched(f"{at}/in.jsonl", api, files, username="u", password="p") == LINES
        assert there.asked[-1][1]["Authorization"].startswith("Basic ")
        assert await fetched("s3://bucket/in.jsonl", api, files, **KEY, endpoint=at) == LINES
        assert there.asked[-1][0] == "GET /bucket/in.jsonl"
        assert "AKIATEST" in there.asked[-1][1]["Authorization"]


async def test_without_a_secret_nobody_is_told_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OPERATOR")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "its own")
    async with fake_api() as (api, cluster), serving() as there:
        files = Files(cluster, settings(url_hosts=["127.0.0.1"]))
        at = f"http://127.0.0.1:{there.port}"
        assert await fetched("s3://bucket/in.jsonl", api, files, endpoint=at) == LINES
        assert "Authorization" not in there.asked[-1][1]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"]
)
async def test_addresses_that_are_not_public_are_not_asked(host: str) -> None:
    async with fake_api() as (api, cluster), serving() as there:
        error = await refused(f"http://{host}:{there.port}/in.jsonl", api, Files(cluster, settings()))
        assert (error.reason, there.asked) == ("UrlNotAllowed", [])
        assert "TIDEMILL_URL_HOSTS" in error.message


async def test_an_endpoint_is_one_that_the_operator_is_told() -> None:
    async with fake_api() as (api, cluster):
        error = await refused("s3://b/k", api, Files(cluster, settings()), **KEY, endpoint="https://other.example")
        assert (error.reason, "https://other.example" in error.message) == ("UrlNotAllowed", True)


async def test_schemes_are_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(LINES)
    async with fake_api() as (api, cluster):
        files = Files(cluster, Settings.model_validate({"namespaces": ["ns"]}))
        for url in ((tmp_path / "x").as_uri(), "http://example.org/x"):
            error = await refused(url, api, files)
            assert (error.reason, "TIDEMILL_URL_SCHEMES" in error.message) == ("UrlNotAllowed", True)


async def test_nothing_is_redirected_and_what_is_missing_is_said() -> None:
    async with fake_api() as (api, cluster), serving() as there:
        files = Files(cluster, settings(url_hosts=["127.0.0.1"]))
        url = f"http://127.0.0.1:{there.port}/in.jsonl"
        there.answer = lambda: web.Response(status=302, headers={"Location": "http://10.0.0.1/"})
        error = await refused(url, api, files)
        assert (error.reason, "not followed" in error.message) == ("FileUnreachable", True)
        there.answer = lambda: web.Response(status=404)
        assert (await refused(url, api, files)).reason == "FileNotFound"
        error = await refused("s3://bucket/k", api, files, **KEY, endpoint=f"http://127.0.0.1:{there.port}")
        assert (error.reason, error.message) == ("FileNotFound", "s3://bucket/k: there is no such file")
    error = await refused(url, api, files)
    assert error.reason == "FileUnreachable"


async def test_there_are_bounds(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(LINES * 100)
    async with fake_api() as (api, cluster):
        error = await refused((tmp_path / "x").as_uri(), api, Files(cluster, settings(url_bytes=100)))
        assert (error.reason, "more than 100 bytes" in error.message) == ("TooLarge", True)


async def test_a_secret_that_cannot_be_used_is_named() -> None:
    async with fake_api() as (api, cluster):
        files = Files(cluster, settings())
        error = await refused("s3://b/k", api, files, acces_key_id="x")
        assert (error.reason, 'did you mean "access_key_id"' in error.message) == ("InvalidSecret", True)
        api.delete("secrets", "ns", "credentials")
        source = InputsSource.model_validate({"name": "f", "url": "s3://b/k", "secretRef": {"name": "credentials"}})
        with pytest.raises(TidemillError, match='there is no Secret "credentials"') as raised:
            await files.fetch("ns", source)
        assert raised.value.reason == "SecretNotFound"
        api.refuse = lambda verb, path: 403 if "secrets" in path else None
        with pytest.raises(TidemillError, match="watch.inputSecrets") as raised:
            await files.fetch("ns", source)
        assert raised.value.reason == "SecretForbidden"


@pytest.mark.parametrize("url", ["s3://b", "s3://b/", "s3://user@b/k", "s3://b/k?region=x", "s3:///k"])
async def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    async with fake_api() as (api, cluster):
        assert (await refused(url, api, Files(cluster, settings()))).reason == "InvalidUrl"


# -- through an operator --------------------------------------------------------------------------------------------


def sourced(namespace: str, path: Path) -> dict[str, Any]:
    return dataflow(namespace, inputsFrom=[{"name": "file", "url": path.as_uri()}])


async def test_its_lines_are_contexts_and_a_wrong_one_stops_all(tmp_path: Path) -> None:
    many, path = 300, tmp_path / "in.jsonl"
    lines = [f'{{"word": "{"w" * (1 + at % 9)}"}}\n' for at in range(many)]
    async with stage(server("valkey"), tmp_path) as one:
        operator = one.start(url_schemes=["file"], opened_at_once=100)
        one.apply(sourced(one.namespace, path))
        await one.until(lambda: one.reason("Accepted") == "FileNotFound", "the file is missed")
        path.write_text("".join([*lines[:250], '{"wrod": "x"}\n']))
        await one.looked_at(operator, 1)
        await one.until(lambda: one.reason("Accepted") == "UnknownDefinition", "a line is wrong")
        assert "file:251" in one.message("Accepted")
        assert (one.get()["status"].get("contexts") or {}).get("total", 0) == 0
        path.write_text("".join(lines))
        one.work()
        body = sourced(one.namespace, path)
        body["spec"]["strict"] = False
        one.apply(body)
        await one.ended()
        assert one.get()["status"]["contexts"] == {"open": 0, "succeeded": many, "failed": 0, "total": many}


async def test_a_file_with_too_many_contexts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(LINES)
    async with stage(server("valkey"), tmp_path) as one:
        one.start(url_schemes=["file"], url_contexts=1)
        one.apply(sourced(one.namespace, path))
        await one.until(lambda: one.reason("Accepted") == "ContextLimitExceeded", "there are too many")
        assert "has more than 1 contexts" in one.message("Accepted")
        assert "/spec/inputsFrom/0/url" in one.message("Accepted")
