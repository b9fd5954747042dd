"""The store holds what was not written there: the context that it belongs to fails and says so, and no other does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Running
from tests.contract.shapes import A, B, flow, multi, operation, output, seeds, single
from tidemill.backends.redis import client as clients
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.library import LAYOUT
from tidemill.backends.redis.refusals import store_error
from tidemill.errors import FunctionLibraryMissing, OperationFailure, StoreUnavailable
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.networks.implementations import Child
from tidemill.plan.compile import compile_plan

USE = operation("use", {"a": A}, {"b": B})
TELL = output("tell")
SCRIPTS = {"use": lambda a: {"b": a + 1}, "tell": single("B")}


@pytest.fixture(params=["redis", "valkey"])
async def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Driver]:
    """Workers that play over a store."""
    monkeypatch.setattr(clients, "WAIT", 0.1)  # silence after which endings are asked for that nobody was told of
    clock = Clock()
    async with store(request.param, clock) as subject:
        yield Driver(subject, clock, scripts=dict(SCRIPTS))


def client_of(driver: Driver) -> Client:
    assert isinstance(driver.backend, RedisBackend)
    return driver.backend.client


async def key_of(driver: Driver, name: str) -> str:
    """Return the key of a context."""
    client = client_of(driver)
    number = await client.redis.hget(f"{client.tag}:names", name)
    assert number is not None
    return f"{client.tag}:c:{number.decode()}"


async def three(driver: Driver) -> str:
    """Open three contexts; return the key of the one in the middle, which is to be hit."""
    for name in ("first", "hit", "last"):
        await driver.open(flow(USE, TELL), seeds(A, 1), name=name)
    return await key_of(driver, "hit")


async def spared(driver: Driver) -> None:
    """Do all work; the other two contexts have to end as if nothing had been."""
    await driver.drain()
    for name in ("first", "last"):
        assert (await driver.end(name)).result == {"B": 2}


async def quarantined(driver: Driver, why: str) -> None:
    """The others end well; the one that was hit says what is wrong with it, and its bytes are kept."""
    await spared(driver)
    failure = (await driver.end("hit")).failure
    assert failure.reason == "CorruptState"
    assert why in failure.message
    client = client_of(driver)
    (kept,) = [key async for key in client.redis.scan_iter(f"{client.tag}:corrupt:*")]
    assert 0 < await client.redis.ttl(kept) <= 7 * 24 * 3600
    assert kept.decode().rpartition(":")[2] in failure.message


async def patched(driver: Driver, key: str, at: int, value: Any) -> None:
    """Change one part of the record of a context."""
    redis = client_of(driver).redis
    record = msgpack.unpackb(await redis.hget(key, "s"), raw=True, strict_map_key=False)
    record[at] = value
    await redis.hset(key, "s", msgpack.packb(record, use_bin_type=False))


OPEN = 8
"""Where the record has how much of a context is open."""


@pytest.mark.parametrize("raw", [b"", b"abc", b"\xc1", b"\x93\x01\x02\x03", b"\xdd\xff\xff\xff\xff", b"\x91" * 2000])
async def test_the_record_of_a_context_is_garbage(driver: Driver, raw: bytes) -> None:
    await client_of(driver).redis.hset(await three(driver), "s", raw)
    await quarantined(driver, "not what was written")


async def test_the_record_of_a_context_is_missing(driver: Driver) -> None:
    await client_of(driver).redis.hdel(await three(driver), "s")
    await quarantined(driver, "its state is missing")


async def test_a_context_is_of_another_type(driver: Driver) -> None:
    key, redis = await three(driver), client_of(driver).redis
    await redis.delete(key)
    await redis.set(key, "a string")
    await quarantined(driver, "WRONGTYPE")


@pytest.mark.parametrize("value", [-1, 10**18, "abc"])
async def test_the_count_of_what_is_open_cannot_be(driver: Driver, value: Any) -> None:
    await patched(driver, await three(driver), OPEN, value)
    await quarantined(driver, "open is ")


async def test_a_context_has_the_record_of_another(driver: Driver) -> None:
    key, redis = await three(driver), client_of(driver).redis
    await redis.hset(key, "s", await redis.hget(await key_of(driver, "first"), "s"))
    await quarantined(driver, "it is of another")


@pytest.mark.parametrize("raw", [b"\x9b\xa5weird" + b"\x00" * 10, b"", b"\xc1", b"abc"])
async def test_a_parameter_set_is_garbage_or_of_an_unknown_state(driver: Driver, raw: bytes) -> None:
    key, redis = await three(driver), client_of(driver).redis
    (field,) = [field for field in await redis.hkeys(key) if field.startswith(b"p")]
    await redis.hset(key, field, raw)
    await quarantined(driver, "parameter set" if raw.startswith(b"\x9b") else "")


@pytest.mark.parametrize("raw", [b"", b"\x00\x00", b"\xff\xff\xff\xffabc", b"\x00\x00\x00\x01\xc1"])
async def test_the_head_of_an_input_is_garbage(driver: Driver, raw: bytes) -> None:
    await client_of(driver).redis.hset(await three(driver), "i0", raw)
    await quarantined(driver, "")


@pytest.mark.parametrize(
    "value",
    [b"", b"\xc1", b"\x92\x01", b"\xdd\xff\xff\xff\xff", b"\x91" * 2000 + b"\x01", b"\xd4\x63\x00", b"\x01\x02"],
)
async def test_the_value_of_an_input_is_garbage(driver: Driver, value: bytes) -> None:
    key, redis = await three(driver), client_of(driver).redis
    raw = await redis.hget(key, "i0")
    head = 4 + int.from_bytes(raw[:4], "big")
    await redis.hset(key, "i0", raw[:head] + value)
    await spared(driver)
    failure = (await driver.end("hit")).failure
    assert (failure.reason, failure.instance) == ("CorruptValue", "use")
    assert 'the parameter "a", an input of "A" from seed, cannot be read' in failure.message


async def test_it_is_hit_while_it_is_leased(driver: Driver) -> None:
    key = await three(driver)
    leases = await driver.lease(3)
    await client_of(driver).redis.hset(key, "s", b"\xc1")
    for lease in leases:
        await driver.finish(lease)
    await quarantined(driver, "not what was written")
    client = client_of(driver)
    assert await client.redis.hlen(client.key("held", "w1")) == 0


async def test_a_child_is_hit_and_its_parent_hears(driver: Driver) -> None:
    inner = compile_plan(flow(USE, TELL))
    run = operation("run", {"a": A}, {"b": B})
    failures: list[OperationFailure | None] = []

    def heard(endings: Any, a: int) -> dict[str, int]:
        failures.extend(ending.failure for ending in endings)
        return {"b": a}

    driver.scripts["run"] = Running(lambda a: [Child("child", inner, seeds(A, 1))], heard)
    await driver.open(flow(run, TELL), seeds(A, 7))
    await driver.finish(await driver.one())
    await client_of(driver).redis.hset(await key_of(driver, "context/run/child"), "i0", b"")
    await driver.drain()
    assert (await driver.end()).result == {"B": 7}
    assert [failure.reason for failure in failures if failure is not None] == ["CorruptState"]


async def orphaned(driver: Driver, hit: str, how: str) -> None:
    """Have a context run three others, and destroy the record of one of them; its parent hears, and fails of it."""
    inner = compile_plan(flow(USE, TELL))
    children = [Child(f"child{at}", inner, seeds(A, at)) for at in range(3)]

    def heard(endings: Any, a: int) -> dict[str, int]:
        assert endings[1].failure.reason == "CorruptState"
        assert [endings[at].result for at in (0, 2)] == [{"B": 1}, {"B": 3}]
        raise RuntimeError("one of them failed")

    driver.scripts["run"] = Running(lambda a: children, heard)
    await driver.open(flow(operation("run", {"a": A}, {"b": B}), TELL), seeds(A, 7))
    await driver.finish(await driver.one())
    key, redis = await key_of(driver, f"context/run/{hit}"), client_of(driver).redis
    if how == "garbage":
        await redis.hset(key, "s", b"\xc1")
    elif how == "no state":
        await redis.hdel(key, "s")
    else:
        await redis.delete(key)
    await driver.drain()
    assert (await driver.end()).failure.message == "RuntimeError: one of them failed"
    client = client_of(driver)
    assert not await redis.exists(f"{client.tag}:parents", f"{client.tag}:names")


@pytest.mark.parametrize("how", ["garbage", "no state", "nothing at all"])
async def test_the_record_of_a_child_is_destroyed_and_its_parent_hears(driver: Driver, how: str) -> None:
    await orphaned(driver, "child1", how)


async def test_all_of_a_context_is_gone_and_whoever_opened_it_hears(driver: Driver) -> None:
    await client_of(driver).redis.delete(await three(driver))
    await spared(driver)
    assert (await driver.end("hit")).failure.reason == "CorruptState"


async def test_what_was_of_a_context_that_is_hit_is_given_back_and_cleared_away(driver: Driver) -> None:
    """Places of operations, queues of locks, candidates in keys of their own, further tries, large values, children."""
    client = client_of(driver)
    lock, text = Definition("lock", "int", lock=True), Definition("text", "str")
    use = operation("use", {"a": A, "lock": lock, "text": text}, {"b": B}, concurrency=1, retry=2, backoff=5.0)
    lone = operation("lone", {"a": A}, {"b": B}, retry=2, backoff=5.0)
    plan = compile_plan(flow(use, lone, TELL))
    driver.scripts |= {"use": lambda a, lock, text: {"b": a}, "lone": lambda a: {"b": a}, "tell": multi("B")}
    given = [Input(1, lock), Input("x" * 100_000, text), *seeds(A, *range(40))]
    await driver.open(plan, given, name="hit")
    await driver.open(plan, given, name="other")
    leases = await driver.lease(4)
    assert {lease.instance for lease in leases} == {"use", "lone"}
    await driver.fail(next(lease for lease in leases if lease.instance == "lone" and lease.context == "hit"))
    number = (await key_of(driver, "hit")).rpartition(":")[2]
    await client.redis.hset(await key_of(driver, "hit"), "s", b"\xc1")
    driver.subject = replace(driver.subject, check=lambda seen: None)
    for lease in driver.holding():
        await driver.finish(lease)
    await driver.drain()
    while await client.call("chores"):
        pass
    assert (await driver.end("hit")).failure.reason == "CorruptState"
    keys = [key.decode() async for key in client.redis.scan_iter(f"{client.tag}:*")]
    left = [key.removeprefix(f"{client.tag}:") for key in keys]
    assert [key for key in left if number in key.split(":")] == [f"corrupt:{number}"]
    assert not await client.redis.exists(f"{client.tag}:delayed", f"{client.tag}:refs")
    assert sorted((await driver.end("other")).result["B"]) == sorted([*range(40), *range(40)])


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"12 ", b"999 0:0", b"\xff" * 1_000_000])
async def test_others_write_into_the_lists_of_what_is_ready_and_delayed(driver: Driver, garbage: bytes) -> None:
    client = client_of(driver)
    await client.redis.rpush(client.key("ready", "default"), garbage)
    await three(driver)
    await client.redis.rpush(client.key("ready", "default"), garbage)
    await client.redis.zadd(f"{client.tag}:delayed", {garbage: 0})
    await client.redis.hset(client.key("held", "gone"), garbage, 1)
    await driver.lose("gone")
    await spared(driver)
    assert (await driver.end("hit")).result == {"B": 2}


async def test_the_functions_are_gone_and_come_back(driver: Driver) -> None:
    client = client_of(driver)
    await three(driver)
    library = f"tidemill_{LAYOUT}"
    await client.redis.function_delete(library)
    try:
        with pytest.raises(RedisError) as caught:
            await driver.lease()
        assert isinstance(store_error(caught.value, "here"), FunctionLibraryMissing)
        assert f"layout {LAYOUT}" in store_error(caught.value, "here").message
    finally:
        await client.load()
    await spared(driver)
    assert (await driver.end("hit")).result == {"B": 2}


@pytest.mark.parametrize("how", ["middle", "end"])
def test_an_append_only_file_is_broken(how: str, tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as running, Redis.from_url(running.url) as look:
        for number in range(100):
            look.set(f"key:{number}", "value")
    (file,) = tmp_path.glob("appendonlydir/*.incr.aof")
    raw = file.read_bytes()
    file.write_bytes(raw[:-7] if how == "end" else raw[:2000] + b"?" * 40 + raw[2040:])
    if how == "end":  # what was cut off was never acknowledged
        with EmbeddedStore(tmp_path) as running, Redis.from_url(running.url) as look:
            assert look.dbsize() == 99
        return
    with pytest.raises(StoreUnavailable) as caught, EmbeddedStore(tmp_path):
        pass
    assert caught.value.reason == "StoreNotStarted"
    assert "check-aof --fix" in caught.value.message
