"""What a store has counted is counted again: nothing is found where all is right, and every mistake elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import msgpack
import pytest

from tests.backends.redis.races import TELL, World, world_of
from tests.backends.redis.stores import server
from tests.contract.shapes import A, B, flow, operation, seeds
from tidemill.backends.redis import checks
from tidemill.backends.redis.audit import RedisAudit
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.groups import RedisGroups
from tidemill.backends.redis.urls import store_url
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.plan.compile import compile_plan

LOCK = Definition("lock", "int", lock=True)
OPEN, LEASED, BACKLOG = 8, 9, 10
"""Where the record of a context has its counters."""


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


async def busy(world: World) -> str:
    """Have a store with everything under way; return the key of a context that waits for a lock."""
    use = operation("use", {"a": A, "lock": LOCK}, {"b": B}, retry=2, backoff=5.0)
    limited = operation("limited", {"a": A}, {"b": B}, concurrency=2)
    world.driver.scripts |= {"use": lambda a, lock: {"b": a}, "limited": lambda a: {"b": a}}
    for name in ("one", "two"):
        plan = compile_plan(flow(use, limited, TELL))
        await world.backend.open(name, plan, [Input(1, LOCK), *seeds(A, *range(9))], group=name)
    await world.lease("w1", 3)
    await RedisGroups(world.client).suspend("two")
    await world.lease("w2", 5)
    number = await world.redis.hget(f"{world.client.tag}:names", "one")
    assert number is not None
    return f"{world.client.tag}:c:{number.decode()}"


async def found(world: World) -> list[str]:
    return [str(one) for one in (await RedisAudit(world.client).look()).mismatches]


async def digest(world: World) -> str:
    """Return what stands for everything in the store."""
    return hashlib.sha256(repr(sorted((await world.contents()).items())).encode()).hexdigest()


async def test_nothing_is_found_where_all_is_right_and_nothing_is_changed(world: World) -> None:
    await busy(world)
    before = await digest(world)
    audit = await RedisAudit(world.client).look()
    assert (audit.mismatches, audit.contexts, audit.large, audit.busy) == ([], 2, 0, False)
    assert str(audit) == "2 open contexts"
    assert await digest(world) == before


async def counter(world: World, key: str, at: int) -> None:
    record = msgpack.unpackb(await world.redis.hget(key, "s"), raw=True, strict_map_key=False)
    record[at] += 1
    await world.redis.hset(key, "s", msgpack.packb(record, use_bin_type=False))


async def no_holder(world: World, key: str) -> None:
    await world.redis.unlink(world.client.key("held", "w1"))


async def another_number(world: World, key: str) -> None:
    held = world.client.key("held", "w1")
    entries = await world.redis.hgetall(held)
    entry = max(entries, key=lambda entry: len(entries[entry]))  # of an operation with places, if it has one
    await world.redis.hset(held, entry, "77")


async def nobody(world: World, key: str) -> None:
    await world.redis.hdel(world.client.key("runners", ""), "w1")


async def ended_holder(world: World, key: str) -> None:
    await world.redis.lset(f"{world.client.tag}:q:{key.rpartition(':')[2]}:0", 0, "0:99:0")


async def no_waiter(world: World, key: str) -> None:
    await world.redis.rpop(f"{world.client.tag}:q:{key.rpartition(':')[2]}:0")


async def no_record(world: World, key: str) -> None:
    await world.redis.unlink(key)


async def garbage(world: World, key: str) -> None:
    await world.redis.hset(key, "s", b"\xc1")


async def more_places(world: World, key: str) -> None:
    running = f"{world.client.tag}:running"
    await world.redis.hincrby(running, next(iter(await world.redis.hkeys(running))), 1)


async def stale(world: World, key: str) -> None:
    await world.redis.hset(world.client.key("held", "w1"), f"{key.rpartition(':')[2]} 0:3:0", "1")


MISTAKES = {
    "open": lambda world, key: counter(world, key, OPEN),
    "leased": lambda world, key: counter(world, key, LEASED),
    "backlog": lambda world, key: counter(world, key, BACKLOG),
    "a lease that nobody holds": no_holder,
    "a lease under another number": another_number,
    "a runner that nobody knows": nobody,
    "a lock of an ended one": ended_holder,
    "nobody waits for a lock": no_waiter,
    "no record": no_record,
    "garbage": garbage,
    "too many places": more_places,
    "a runner holds what is not leased": stale,
}
SAID = {
    "open": "open of", "leased": "leased of", "backlog": "backlog of", "a lease that nobody holds": "holds nothing",
    "a lease under another number": "holds 77", "a runner that nobody knows": "whom nobody knows",
    "a lock of an ended one": "holds the lock 0, and has ended", "nobody waits for a lock": "stands in no queue",
    "no record": "is missing", "garbage": "record of", "too many places": "places: ",
    "a runner holds what is not leased": "which is not leased to it",
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_every_mistake_is_found(world: World, mistake: str) -> None:
    key = await busy(world)
    before = await world.contents()
    await MISTAKES[mistake](world, key)
    changed = await digest(world)
    said = await found(world)
    assert any(SAID[mistake] in one for one in said), said
    assert await digest(world) == changed
    await world.put_back(before)
    assert await found(world) == []


async def test_what_is_too_large_is_said_to_be(world: World) -> None:
    await world.open(3000)
    audit = await RedisAudit(world.client).look()
    assert str(audit) == "1 open contexts, of which 1 are too large to be counted again"
    assert audit.mismatches == []


async def test_doctor_finds_it() -> None:
    client = Client(server("valkey"))
    await client.load()
    try:
        [fine] = [one for one in await looked_at() if one.name == "accounts"]
        assert (fine.status, fine.found[-14:]) == ("ok", " open contexts")
        await client.redis.hset(f"{client.tag}:names", "nothing", "99999999")
        [wrong] = [one for one in await looked_at() if one.name == "accounts"]
        assert (wrong.status, wrong.reason) == ("fail", "AccountingMismatch")
        assert 'record of "nothing": the record of the context is missing' in wrong.found
    finally:
        await client.redis.hdel(f"{client.tag}:names", "nothing")
        await client.close()


@pytest.mark.parametrize("mistake", sorted(set(MISTAKES) - {"too many places", "a runner holds what is not leased"}))
async def test_what_is_wrong_is_ended_and_nothing_else(world: World, mistake: str) -> None:
    """E3 and others: a lease of which its holder knows nothing would be waited for for ever, also by who cancels."""
    key = await busy(world)
    await MISTAKES[mistake](world, key)
    audit = await RedisAudit(world.client).look()
    named = {one.context for one in audit.mismatches} - {""}
    assert set(await RedisAudit(world.client).repair(audit)) == named
    assert await RedisAudit(world.client).repair(audit) == [], "it was, and is no more"
    await RedisGroups(world.client).chores()
    for name in sorted(named):
        failure = (await world.backend.ending(name)).failure
        assert failure is not None
        assert failure.reason == "CorruptState"
    for worker in ("w1", "w2"):
        await world.workers.lose(worker, "default", released=True)
    assert await found(world) == []


async def test_what_is_right_by_now_is_left_alone(world: World) -> None:
    key = await busy(world)
    before = await world.contents()
    await no_holder(world, key)
    audit = await RedisAudit(world.client).look()
    await world.put_back(before)
    assert audit.mismatches
    assert await RedisAudit(world.client).repair(audit) == []
    assert await found(world) == []


async def test_doctor_repairs_when_it_is_told_to() -> None:
    client = Client(server("valkey"))
    await client.load()
    try:
        await client.redis.hset(f"{client.tag}:names", "nothing", "99999999")
        url = store_url(server("valkey"))
        [wrong] = [one for one in await checks._looked_at(url, "none", True) if one.name == "accounts"]
        assert wrong.do.endswith("submit again what was ended: nothing")
        [fine] = [one for one in await looked_at() if one.name == "accounts"]
        assert fine.status == "ok"
    finally:
        await client.redis.hdel(f"{client.tag}:names", "nothing")
        await client.call("forget", "nothing")
        await client.close()


async def looked_at() -> Any:
    return await checks._looked_at(store_url(server("valkey")), "none")
