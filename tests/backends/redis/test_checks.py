"""What a store has to be, over real servers that are set otherwise: what is found, what should be, and what to do."""

import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.exceptions import RedisError

from tests.backends.redis.stores import program_of
from tidemill.backends.redis import checks
from tidemill.backends.redis.access import commands
from tidemill.backends.redis.checks import Finding, examine, require
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.library import LAYOUT, assembled
from tidemill.backends.redis.refusals import store_error
from tidemill.backends.redis.urls import connection, store_url
from tidemill.errors import (
    CorruptState,
    FunctionLibraryMissing,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreReadOnly,
    StoreUnavailable,
)

TAG = f"{{checks{LAYOUT}:0}}"


@pytest.fixture(scope="module", params=["redis", "valkey"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with EmbeddedStore(program=program_of(request.param), unix=False) as store:
        yield store.url


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Any]:
    """A server as it should be; what a test sets is set back."""
    client = connection(url, protocol=2, decode_responses=True)
    names = ("maxmemory-policy", "appendonly", "appendfsync", "maxmemory")
    before = await client.config_get(*names)
    try:
        yield client
    finally:
        await client.execute_command("REPLICAOF", "NO", "ONE")
        for name in names:
            await client.config_set(name, before[name])
        while (await client.info("persistence"))["aof_rewrite_in_progress"]:
            pass  # a server that writes its first append-only file does not end when it is asked to
        await client.config_resetstat()
        await client.flushall()
        await client.function_flush()
        await client.aclose()


async def about(redis: Any, name: str, **chosen: Any) -> Finding:
    [finding] = [one for one in await examine(redis, "here", tag=TAG, **chosen) if one.name == name]
    return finding


async def refusal(redis: Any, **chosen: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await require(redis, "here", tag=TAG, **chosen)
    assert "the store at here" in caught.value.message
    return caught.value


async def test_a_store_as_it_should_be_has_only_its_functions_to_come(redis: Any) -> None:
    found = await require(redis, "here", tag=TAG)
    assert [one.name for one in found if one.status != "ok"] == ["functions"]
    assert [one.reason for one in found if one.status != "ok"] == ["FunctionLibraryMissing"]
    await redis.function_load(assembled())
    assert {one.status for one in await require(redis, "here", tag=TAG)} == {"ok"}


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "allkeys-lfu"])
async def test_one_that_would_drop_what_it_stores_is_refused_with_the_setting_to_change(
    redis: Any, policy: str
) -> None:
    await redis.config_set("maxmemory-policy", policy)
    error = await refusal(redis, durability="none")
    assert isinstance(error, StoreMisconfigured)
    assert error.reason == "EvictionPolicy"
    assert f"maxmemory-policy is {policy}, and has to be noeviction" in error.message
    assert "CONFIG SET maxmemory-policy noeviction" in error.message


async def test_one_that_drops_only_what_has_a_time_to_live_is_warned_of(redis: Any) -> None:
    await redis.config_set("maxmemory-policy", "volatile-lru")
    finding = await about(redis, "maxmemory-policy")
    assert (finding.status, finding.reason) == ("warn", "EvictionPolicy")


@pytest.mark.parametrize(
    ("settings", "enough"),
    [
        ({"appendfsync": "everysec"}, ["fast", "none"]),
        ({"appendfsync": "no"}, ["none"]),
        ({"appendonly": "no"}, ["none"]),
    ],
)
async def test_one_that_forgets_is_refused_unless_that_was_chosen(
    redis: Any, settings: dict[str, str], enough: list[str]
) -> None:
    for name, value in settings.items():
        await redis.config_set(name, value)
    for durability in checks.DURABILITY:
        if durability in enough:
            await require(redis, "here", tag=TAG, durability=durability)
            continue
        error = await refusal(redis, durability=durability)
        assert error.reason == "NotDurable"
        assert "CONFIG SET appendonly yes" in error.message
        assert f'choose the durability "{enough[0]}" by name' in error.message


async def test_a_durability_that_there_is_not_is_refused(redis: Any) -> None:
    with pytest.raises(StoreMisconfigured, match=r'"often" \(has: always, fast, none\)'):
        await require(redis, "here", tag=TAG, durability="often")


async def test_what_was_dropped_before_makes_the_state_suspect(redis: Any) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-random")
    await redis.config_set("maxmemory", (await redis.info("memory"))["used_memory"] + 1_000_000)
    for number in range(200):
        await redis.set(f"filler:{number}", "x" * 20_000)
    await redis.config_set("maxmemory-policy", "noeviction")
    finding = await about(redis, "evicted keys")
    assert (finding.status, finding.reason) == ("warn", "StateSuspect")
    assert int(finding.found) > 0
    finding = await about(redis, "used memory")
    assert (finding.status, finding.reason) == ("warn", "StoreFull")
    with pytest.raises(RedisError) as caught:
        for number in range(200):
            await redis.set(f"more:{number}", "x" * 20_000)
    assert isinstance(store_error(caught.value, "here"), StoreFull)


async def test_a_replica_is_refused(redis: Any) -> None:
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    error = await refusal(redis)
    assert isinstance(error, StoreReadOnly)
    assert "the primary, which is 127.0.0.1:1" in error.message
    with pytest.raises(RedisError) as caught:
        await redis.set("key", "value")
    assert isinstance(store_error(caught.value, "here"), StoreReadOnly)


async def test_functions_of_another_layout_or_other_code_are_said(redis: Any) -> None:
    other = "#!lua name={}\nredis.register_function('{}_read', function() return 1 end)"
    await redis.function_load(other.format("tidemill_999", "tidemill_999"))
    finding = await about(redis, "functions")
    assert finding.found == f"none of layout {LAYOUT}, beside tidemill_999"
    assert finding.reason == "FunctionLibraryMissing"
    with pytest.raises(RedisError) as caught:
        await redis.fcall(f"tidemill_{LAYOUT}_read", 1, TAG)
    assert isinstance(store_error(caught.value, "here"), FunctionLibraryMissing)
    await redis.function_load(other.format(f"tidemill_{LAYOUT}", f"tidemill_{LAYOUT}"))
    assert (await about(redis, "functions")).found == f"other code of tidemill_{LAYOUT}, beside tidemill_999"


async def test_an_old_server_and_a_slow_one_are_said(redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SLOW", 0)
    assert (await about(redis, "latency")).reason == "SlowStore"
    monkeypatch.setattr(checks, "LEAST", {"redis": (99, 0), "valkey": (99, 0)})
    assert (await refusal(redis)).reason == "ServerTooOld"


async def a_user(redis: Any, url: str, *rules: str) -> Any:
    await redis.execute_command("ACL", "SETUSER", "somebody", "reset", "on", ">word", *rules)
    return connection(f"redis://somebody:word@127.0.0.1:{store_url(url).hosts[0][1]}", protocol=2)


async def test_a_user_that_may_not_do_everything_is_refused_with_what_to_grant(redis: Any, url: str) -> None:
    client = await a_user(redis, url, "~*", "+@all", "-blpop", "-hset", "-function|load")
    error = await refusal(client)
    assert error.reason == "NotAllowed"
    assert "access is without BLPOP, HSET," in error.message
    assert "+blpop +hset" in error.message
    await client.aclose()
    client = await a_user(redis, url, "~other*", "+@all")
    assert (await refusal(client)).reason == "NotAllowed"
    await client.aclose()
    client = await a_user(redis, url, f"~{TAG}*", *(f"+{name.lower().replace(' ', '|')}" for name in commands()))
    await redis.execute_command("ACL", "SETUSER", "somebody", "+ping", "+info", "+multi", "+discard", "+config|get")
    assert (await about(client, "access")).status == "ok"
    await client.aclose()


async def test_a_user_that_may_load_no_functions_works_with_those_that_are_there(redis: Any, url: str) -> None:
    client = await a_user(redis, url, "~*", "+@all", "-function|load")
    mine = Client(f"redis://somebody:word@127.0.0.1:{store_url(url).hosts[0][1]}")
    error = await refusal(client)
    assert isinstance(error, FunctionLibraryMissing)
    assert "wait for whoever may load them, or ACL SETUSER … +function|load" in error.message
    with pytest.raises(FunctionLibraryMissing, match="may not load them; wait for whoever may, which on a cluster is"):
        await mine.load()
    await redis.function_load(assembled() + "\n-- of an older operator")
    finding = {one.name: one for one in await require(client, "here", tag=TAG)}["functions"]
    assert (finding.status, finding.found) == ("warn", f"other code of tidemill_{LAYOUT}")
    await mine.load()
    assert await mine.loaded()
    await mine.close()
    await client.aclose()


async def test_what_is_not_to_be_seen_is_said_and_not_assumed(redis: Any, url: str) -> None:
    client = await a_user(redis, url, "~*", "+@all", "-config")
    found = {one.name: one for one in await require(client, "here", tag=TAG)}
    assert found["settings"].reason == "ConfigForbidden"
    assert found["settings"].found == "not to be seen: appendfsync"
    assert found["durability"].reason == "CannotCheck"
    assert found["maxmemory-policy"].status == "ok"
    await redis.config_set("appendonly", "no")
    assert (await refusal(client)).reason == "NotDurable"
    await client.aclose()
    client = await a_user(redis, url, "~*", "+@all", "-config", "-info", "-function|list")
    reasons = {one.name: one.reason for one in await examine(client, "here", tag=TAG)}
    assert reasons["server"] == reasons["maxmemory-policy"] == reasons["durability"] == "CannotCheck"
    await client.aclose()


async def test_one_that_cannot_be_asked_is_unavailable_and_no_password_is_told(url: str) -> None:
    port = store_url(url).hosts[0][1]
    for wrong, kind in [
        ("redis://:s3cr3t@127.0.0.1:1", StoreUnavailable),
        ("unix:///nowhere/socket", StoreUnavailable),
        (f"redis://:s3cr3t@127.0.0.1:{port}", StoreMisconfigured),
        (f"redis://127.0.0.1:{port}", StoreMisconfigured),
    ]:
        client = connection(wrong, protocol=2)
        with pytest.raises(kind) as caught:
            await examine(client, store_url(wrong).shown, tag=TAG)
        assert "s3cr3t" not in str(caught.value)
        await client.aclose()


async def test_what_was_never_written_there_is_corrupt_state(redis: Any) -> None:
    await redis.function_load(assembled())
    await redis.set(f"{TAG}:names", "no hash")
    with pytest.raises(RedisError) as caught:
        await redis.fcall(f"tidemill_{LAYOUT}_close", 1, TAG, b"\x91\xa1x")
    assert isinstance(store_error(caught.value, "here"), CorruptState)


def test_what_else_a_server_says_is_kept() -> None:
    error = store_error(RedisError("ERR something new"), "here")
    assert (type(error), error.message) == (StoreError, "the store at here refused: ERR something new")


async def test_a_node_of_a_cluster_has_to_have_the_slot() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        bus = probe.getsockname()[1]
    async with EmbeddedStore(settings={"cluster-enabled": "yes", "cluster-port": str(bus)}, unix=False) as store:
        client = connection(store.url, protocol=2)
        error = await refusal(client)
        assert error.reason == "WrongNode"
        await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        finding = None
        while (
            finding is None or finding.status != "ok"
        ):  # the node takes a moment to believe it; the test has its limit
            finding = await about(client, "cluster")
        assert finding.found.startswith("yes")
        await client.aclose()
