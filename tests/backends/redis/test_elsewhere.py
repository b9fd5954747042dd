"""Large values outside the store: in a folder that workers share, and in what speaks like S3."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis

from tests.backends.redis.leaks import left_in
from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.shapes import flow, operation, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.blobs import THRESHOLD, Blobs, Reference
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode, encode
from tidemill.backends.redis.elsewhere import Elsewhere
from tidemill.errors import CorruptValue, StoreMisconfigured, StoreUnavailable
from tidemill.model.definition import Definition

MIB = 1024 * 1024
TEXT, LENGTH = Definition("text", "str"), Definition("length", "int")
GROW = operation("grow", {"text": TEXT}, {"long": Definition("long", "str")})
MEASURE = operation("measure", {"long": GROW.outputs["long"]}, {"length": LENGTH})
SCRIPTS = {"grow": lambda text: {"long": text[::-1] * 2}, "measure": lambda long: {"length": len(long)}}


@pytest.fixture(params=["redis", "valkey"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Workers that play over a store, in which nothing may be left of a context that has ended."""
    clock = Clock()
    async with store(request.param, clock) as subject:
        yield Driver(subject, clock, scripts=dict(SCRIPTS))


def client_of(driver: Driver) -> Client:
    assert isinstance(driver.backend, RedisBackend)
    return driver.backend.client


async def blobs_in(client: Client) -> list[bytes]:
    return sorted([key async for key in client.redis.scan_iter(f"{client.tag}:blob:*")])


async def settled(client: Client) -> None:
    """Wait until the store has been told that the endings which were read have been."""
    async with asyncio.timeout(120):
        while await client.redis.exists(client.key("ended", "")):
            await client.redis.ping()


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as bodies need: objects are put, fetched and deleted by their paths."""

    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)

    def do_GET(self) -> None:
        body = self.objects.get(self.path)
        self.answer(404 if body is None else 200, body or b"")

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self.answer(204)

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None: ...


@contextmanager
def bucket() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the URL of a bucket on this machine, and what is in it."""
    objects: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneBucket", (Bucket,), {"objects": objects}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        where = f"http://127.0.0.1:{server.server_port}"
        yield f"s3://bucket/prefix?region=here&endpoint={where}&allow_anonymous=true", objects
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_bodies_may_be_objects_of_a_service(driver: Driver) -> None:
    client = client_of(driver)
    with bucket() as (url, objects):
        client.blobs = Blobs(client, elsewhere=Elsewhere(url), cache=0)
        ran = await driver.run(flow(GROW, MEASURE), SCRIPTS, seeds(TEXT, "x" * THRESHOLD))
        assert ran.calls("grow") == [{"text": "x" * THRESHOLD}]
        assert len(objects) == 2
        assert all(path.startswith("/bucket/prefix/") for path in objects)
        await settled(client)
        assert await client.blobs.collect() == 2
        assert objects == {}


async def test_a_service_that_is_away_is_unavailable() -> None:
    with bucket() as (url, _):
        place = Elsewhere(url)
    with pytest.raises(StoreUnavailable) as caught:
        await place.write("name", b"body")
    assert caught.value.reason == "BlobsUnavailable"


def files_in(folder: Path) -> list[str]:
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)


async def test_bodies_may_be_files_that_go_when_nobody_refers_to_them(driver: Driver, tmp_path: Path) -> None:
    client = client_of(driver)
    client.blobs = Blobs(client, elsewhere=Elsewhere(f"file://{tmp_path}"))
    await driver.open(flow(GROW, MEASURE), seeds(TEXT, "x" * THRESHOLD))
    assert len(files_in(tmp_path)) == 1
    assert await client.redis.exists(client.key("uploads", "")) == 0, "it is referred to, so nobody looks after it"
    client.blobs._cache.clear()
    client.blobs._size = 0
    await driver.drain()
    ran = await driver.end()
    assert ran.calls("grow") == [{"text": "x" * THRESHOLD}]
    await settled(client)
    assert len(files_in(tmp_path)) == 2
    assert await client.blobs.collect() == 2
    assert files_in(tmp_path) == []
    assert await client.blobs.collect() == 0


async def test_an_upload_that_is_never_referred_to_is_deleted_in_time(driver: Driver, tmp_path: Path) -> None:
    client = client_of(driver)
    client.blobs = Blobs(client, elsewhere=Elsewhere(f"file://{tmp_path}"))
    one = client.blobs.pack(encode("x" * MIB))
    assert isinstance(one, Reference)
    await client.blobs.write([one])
    await client.blobs.write([one])
    assert len(files_in(tmp_path)) == 1
    assert await client.blobs.collect(age=-10) == 0, "it may still be referred to: its time to live goes on"
    await client.redis.delete(*await blobs_in(client))  # as it does when that is over
    assert await client.blobs.collect(age=-10) == 1
    assert files_in(tmp_path) == []


async def test_a_file_that_is_gone_is_a_missing_blob(driver: Driver, tmp_path: Path) -> None:
    client = client_of(driver)
    client.blobs = Blobs(client, elsewhere=Elsewhere(f"file://{tmp_path}"))
    one = client.blobs.pack(encode("x" * MIB))
    assert isinstance(one, Reference)
    await client.blobs.write([one])
    client.blobs._cache.clear()
    (value,) = await Blobs(client).whole([one.raw])
    with pytest.raises(CorruptValue, match="no place was given"):
        decode(value)
    os.unlink(files_in(tmp_path)[0])
    (value,) = await client.blobs.whole([one.raw])
    with pytest.raises(CorruptValue, match="is missing"):
        decode(value)
    await client.redis.delete(*await blobs_in(client), client.key("uploads", ""))
    assert left_in_shard(client) == []


def left_in_shard(client: Client) -> list[str]:
    with Redis.from_url(f"unix://{client.url.path}") as look:
        found: list[str] = left_in(look, client.tag)
        return found


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/x", "unknown scheme"),
        ("file://host/x", "absolute path"),
        ("file:///", "absolute path"),
        ("s3:///prefix", "names no bucket"),
        ("s3://key:hush@bucket", "credentials belong"),
        ("s3://bucket?secret_access_key=hush", "belongs into the environment"),
    ],
)
def test_a_place_that_is_none_is_refused_and_shows_no_secret(url: str, said: str) -> None:
    with pytest.raises(StoreMisconfigured, match=said) as caught:
        Elsewhere(url)
    assert "hush" not in str(caught.value)


async def test_a_place_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreMisconfigured, match="OpenDAL says"):
        Elsewhere(f"file://{tmp_path}/file/below")
    place = Elsewhere(f"file://{tmp_path}/folder")
    (tmp_path / "folder" / "ab").touch()
    with pytest.raises(StoreUnavailable, match="cannot be used for large values") as caught:
        await place.write("ab/name", b"body")
    assert "\n" not in caught.value.message


def test_a_place_needs_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opendal", None)
    with pytest.raises(StoreUnavailable, match=r"pip install 'tidemill\[blobs\]'"):
        Elsewhere("file:///somewhere")
