"""Words and URLs of stores: what they mean, what is wrong with wrong ones, and that no password is ever shown."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisError

from tidemill.backends.redis.embedded import EmbeddedStore, bundled
from tidemill.backends.redis.urls import OPTIONS, StoreURL, connection, redacted, store_url
from tidemill.errors import StoreMisconfigured

SECRET = "s3cr3t-w0rd"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("memory", {"scheme": "memory"}),
        ("embedded", {"scheme": "embedded", "path": ""}),
        ("embedded:/var/lib/tidemill", {"scheme": "embedded", "path": "/var/lib/tidemill"}),
        ("embedded:here", {"scheme": "embedded", "path": "here"}),
        ("redis://host", {"scheme": "redis", "hosts": (("host", 6379),), "database": 0}),
        ("REDIS://host:1/7", {"hosts": (("host", 1),), "database": 7}),
        ("redis://", {"hosts": (("localhost", 6379),)}),
        ("redis://[::1]:7/", {"hosts": (("::1", 7),)}),
        ("redis://:p%40ss@host", {"user": None, "password": "p@ss"}),
        ("redis://u:@host?socket_timeout=2.5&db=3", {"user": "u", "password": "", "database": 3}),
        ("rediss://host?ssl_ca_certs=/ca.pem", {"scheme": "rediss", "options": {"ssl_ca_certs": "/ca.pem"}}),
        ("unix:///run/a%20b.sock?db=2", {"scheme": "unix", "path": "/run/a b.sock", "database": 2}),
        ("unix://u:p@/run/s", {"user": "u", "password": "p", "path": "/run/s"}),
        (
            "redis+sentinel://u:p@one,two:7/main/3",
            {"hosts": (("one", 26379), ("two", 7)), "service": "main", "database": 3, "scheme": "redis+sentinel"},
        ),
        (
            "redis+cluster://u:p@one,two:7?ssl=true",
            {"hosts": (("one", 6379), ("two", 7)), "scheme": "redis+cluster", "database": 0},
        ),
        ("redis-sentinel://one/main", {"scheme": "redis+sentinel", "service": "main"}),
    ],
)
def test_what_a_url_says(text: str, wanted: dict[str, object]) -> None:
    said = store_url(text)
    assert {name: getattr(said, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with none"),
        ("redsi://host", r"redis://"),
        ("http://host", "begins with none"),
        ("host:6379", "begins with none"),
        ("embedded:", "no folder"),
        ("redis://host:0", "port from 1 to 65535"),
        ("redis://host:70000", "port from 1 to 65535"),
        (f"redis://:{SECRET}", "an @ between"),
        (f"redis://:{SECRET}/x@host", "percent-encoded"),
        (f"redis://:{SECRET}#x@host", "percent-encoded"),
        (f"redis://:{SECRET}?x@host", "percent-encoded"),
        (f"redis://:{SECRET}@x@host", "percent-encoded"),
        (f"redis://:{SECRET}@host/zero", "number of a database"),
        (f"redis://:{SECRET}@host/1/2", "number of a database"),
        (f"redis://:{SECRET}@[::1", "IPv6"),
        (f"redis://:{SECRET}@one,two", "several hosts"),
        (f"redis://:{SECRET}@host?socket_timeuot=1", 'did you mean "socket_timeout"'),
        (f"redis://:{SECRET}@host?socket_timeout=soon", "has to be a number"),
        (f"redis://:{SECRET}@host?client_name=", "has no value"),
        (f"redis://host?password={SECRET}", "no option 'password'"),
        (f"unix://:{SECRET}@host/path", "absolute path"),
        ("unix://", "absolute path"),
        (f"redis+sentinel://:{SECRET}@one:26379", "call the primary"),
        (f"redis+cluster://:{SECRET}@one/1", "no databases"),
        (f"redis+cluster://:{SECRET}@one?db=1", "no databases"),
        (f"sentinel://:{SECRET}@one:26379/main", "begins with none"),
        (f"redis:/:{SECRET}@host", "begins with none"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(text: str, why: str) -> None:
    with pytest.raises(StoreMisconfigured, match=why) as caught:
        store_url(text)
    assert caught.value.reason == "InvalidStoreURL"
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"redis://:{SECRET}@host:6379/0",
        f"rediss://user:{SECRET}@host",
        f"unix://:{SECRET}@/run/valkey.sock",
        f"redis+sentinel://user:{SECRET}@one,two/main?sentinel_password={SECRET}",
        f"redis+cluster://user:{SECRET}@one,two",
    ],
)
async def test_a_password_is_in_nothing_that_is_printed(text: str) -> None:
    said = store_url(text)
    client = connection(said)
    for shown in (repr(said), str(said), f"{said}", repr(client), str(vars(said)["shown"])):
        assert SECRET not in shown
    assert "host" in said.shown or "/run" in said.shown or "one,two" in said.shown
    await client.aclose()


HEADS = ["redis://", "rediss://:", "unix://", "redis+sentinel://u:", "redis+cluster://", "x://", ""]


@given(st.text(max_size=30), st.sampled_from(HEADS))
def test_any_text_is_a_url_or_a_clear_error(text: str, head: str) -> None:
    try:
        assert isinstance(store_url(head + text), StoreURL)
    except StoreMisconfigured as error:
        assert error.reason == "InvalidStoreURL"


@given(st.text(min_size=6, max_size=20), st.sampled_from(["redis://:{}@host", "redis://u:{}@", "unix://:{}@/p"]))
def test_no_password_is_shown_whatever_it_is_made_of(password: str, form: str) -> None:
    if password not in form:
        assert password not in redacted(form.format(password))


def test_every_scheme_has_its_options() -> None:
    assert set(OPTIONS) == {"redis", "rediss", "unix", "redis+sentinel", "redis+cluster"}


@pytest.mark.parametrize("text", ["memory", "embedded"])
def test_what_has_no_address_is_not_connected_to(text: str) -> None:
    with pytest.raises(StoreMisconfigured, match="start it first"):
        connection(text)


async def test_it_connects_over_a_port_and_over_a_socket() -> None:
    for unix in (False, True):
        async with EmbeddedStore(unix=unix, durability="none") as store:
            client = connection(f"{store.url}?client_name=tidemill")
            assert await client.ping()
            assert await client.client_getname() in ("tidemill", b"tidemill")
            await client.aclose()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[str]:
    """The URL of a primary that a sentinel watches."""
    with EmbeddedStore(unix=False, durability="none") as store:
        with EmbeddedStore(unix=False, durability="none") as other:
            at = other.url.rpartition(":")[2]  # free once that server has ended
        password, port = store.url.removeprefix("redis://:").replace("@127.0.0.1", "").split(":")
        said = f"sentinel monitor main 127.0.0.1 {port} 1\nsentinel auth-pass main {password}\n"
        settings = tmp_path / "sentinel.conf"
        settings.write_text(f"port {at}\nbind 127.0.0.1\n{said}", encoding="utf-8")
        with subprocess.Popen([bundled(), str(settings), "--sentinel"], stdout=subprocess.DEVNULL) as sentinel:
            yield f"redis+sentinel://:{password}@127.0.0.1:{at}/main"
            sentinel.kill()


async def test_sentinels_say_where_the_primary_is(watched: str) -> None:
    deadline = time.monotonic() + 120
    client = connection(watched, protocol=2)
    while True:
        try:
            assert await client.ping()
            break
        except RedisError as error:  # the sentinel has not asked it yet
            assert time.monotonic() < deadline, error
    await client.aclose()
