"""Journals over real servers: how long they are kept, what goes with them, and what is said of what is gone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Running
from tests.contract.shapes import A, B, flow, operation, output, seeds, single
from tidemill.backends.redis.audit import RedisAudit
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.groups import RedisGroups
from tidemill.errors import ContextClosed
from tidemill.journal.event import Event
from tidemill.journal.rebuilt import rebuilt
from tidemill.networks.implementations import Child
from tidemill.plan.compile import compile_plan

USE = operation("use", {"a": A}, {"b": B})
TELL = output("tell")
SCRIPTS = {"use": lambda a: {"b": a + 1}, "tell": single("B")}
WEEKS = 30 * 24 * 3600.0


@pytest.fixture(params=["redis", "valkey"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Workers that play over a store whose contexts keep journals."""
    clock = Clock()
    async with store(request.param, clock, journal=1000) as subject:
        yield Driver(subject, clock, scripts=dict(SCRIPTS))


def backend_of(subject: Any) -> RedisBackend:
    assert isinstance(subject.backend, RedisBackend)
    return subject.backend


async def events(driver: Driver, name: str, after: int = 0) -> list[Event]:
    return [event async for event in backend_of(driver).journal(name, after=after)]


async def journal_keys(driver: Driver) -> list[str]:
    """Return the keys of journals that there are, without the hash tag."""
    client = backend_of(driver).client
    found = [key.decode() async for key in client.redis.scan_iter(f"{client.tag}*")]
    names = [key.removeprefix(f"{client.tag}:") for key in found]
    return sorted(name.split(":")[0] for name in names if name.split(":")[0] in ("j", "journals", "kin"))


def child_of(driver: Driver, inner: Any) -> None:
    """Have the operation ``use`` run a child context."""
    driver.scripts["use"] = Running(
        children=lambda a: [Child("inner", compile_plan(inner), seeds(A, a))], outputs=lambda endings, a: {"b": a}
    )


async def test_a_journal_outlives_its_ending_for_the_retention_of_it(driver: Driver) -> None:
    backend = backend_of(driver)
    await driver.run(flow(USE, TELL), {}, seeds(A, 1))  # whose ending has been read
    assert (await events(driver, "context"))[-1].kind == "ended"
    await backend.endings.collect(now=0.0)  # the retention begins
    await backend.endings.collect(now=1.0)
    assert await backend.journals.names() == ["context"]
    await backend.endings.collect(now=WEEKS)
    assert await journal_keys(driver) == []
    with pytest.raises(ContextClosed) as refused:
        await events(driver, "context")
    assert refused.value.reason == "NoJournal"


async def test_the_journals_of_child_contexts_go_with_that_of_the_one_above(driver: Driver) -> None:
    child_of(driver, flow(operation("inner_use", {"a": A}, {"b": B})))
    await driver.run(flow(USE, TELL), {}, seeds(A, 1))
    backend = backend_of(driver)
    assert sorted(await backend.journals.names()) == ["context", "context/use/inner"]
    opened = (await events(driver, "context/use/inner"))[0]
    assert opened.what["parent"] == {"context": "context", "operation": "use", "inputs": (0,)}
    assert await backend.journals.forget("context") == 1
    await RedisGroups(backend.client).chores()
    assert await journal_keys(driver) == []


async def test_a_context_of_the_same_name_begins_a_journal_of_its_own(driver: Driver) -> None:
    first = await driver.run(flow(USE, TELL), {}, seeds(A, 1))
    await backend_of(driver).endings.collect(now=0.0)
    assert first.result == {"B": 2}
    driver.ended.clear()
    await driver.run(flow(USE, TELL), {}, seeds(A, 5))
    assert rebuilt(await events(driver, "context")).result == {"B": 6}
    assert await journal_keys(driver) == ["j", "journals"]
    await backend_of(driver).endings.collect(now=1.0)
    assert (await events(driver, "context"))[-1].kind == "ended"


async def test_a_dropped_group_takes_the_journals_of_its_contexts_along(driver: Driver) -> None:
    backend, plan = backend_of(driver), compile_plan(flow(USE, TELL))
    backend.mail.silent = True  # whose ending nobody reads
    for name in ("ended", "open"):
        await backend.publish(plan)
        await backend.begin(name, plan, seeds(A, 1), lambda raw: None, group="g")
        if name == "ended":
            await driver.drain()
    assert sorted(await backend.journals.names()) == ["ended", "open"]
    await RedisGroups(backend.client).drop("g")
    await RedisGroups(backend.client).chores()
    assert await journal_keys(driver) == []


async def test_a_context_that_cannot_be_read_has_that_as_its_last_event(driver: Driver) -> None:
    await driver.open(flow(USE, TELL), seeds(A, 1))
    client = backend_of(driver).client
    number = await client.redis.hget(f"{client.tag}:names", "context")
    assert number is not None
    await client.redis.hset(f"{client.tag}:c:{number.decode()}", "s", b"\xc1 nonsense")
    await driver.drain()
    state = rebuilt(await events(driver, "context"))
    assert state.status == "failed"
    assert state.failure is not None
    assert state.failure["reason"] == "CorruptState"


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_journal_keeps_so_many_events_and_says_what_it_has_cut_off(kind: str) -> None:
    clock = Clock()
    async with store(kind, clock, journal=6) as subject:
        driver = Driver(subject, clock, scripts=dict(SCRIPTS))
        await driver.run(flow(USE, TELL), {}, seeds(A, 1, 2, 3))
        cut, *kept = await events(driver, "context")
        assert cut.kind == "cut"
        assert [event.id for event in kept] == list(range(cut.id + 1, kept[-1].id + 1))
        assert 6 <= len(kept) <= 12  # whole entries go, each the events of one call
        assert kept[-1].kind == "ended"
        assert await events(driver, "context", after=kept[2].id) == kept[3:]


async def test_a_context_is_followed_to_its_end(driver: Driver) -> None:
    await driver.open(flow(USE, TELL), seeds(A, 1), hold=True)
    found: list[Event] = []
    begun = asyncio.Event()

    async def follow() -> None:
        async for event in backend_of(driver).journal("context", follow=True):
            found.append(event)
            begun.set()

    task = asyncio.create_task(follow())
    await begun.wait()
    await driver.drain()
    await driver.backend.close("context")
    await driver.drain()
    async with asyncio.timeout(120):
        await task
    assert found == await events(driver, "context")
    assert [event.kind for event in found if event.kind in ("opened", "closed", "ended")] == [
        "opened",
        "closed",
        "ended",
    ]


async def test_whoever_follows_a_journal_that_is_deleted_is_told(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill.backends.redis.client.WAIT", 0.05)
    backend, plan = backend_of(driver), compile_plan(flow(USE, TELL))
    backend.mail.silent = True
    await backend.publish(plan)
    await backend.begin("context", plan, seeds(A, 1), lambda raw: None, group="g")
    following = backend_of(driver).journal("context", follow=True)
    assert (await anext(following)).kind == "opened"
    assert await backend.journals.forget("context") == 0  # it is open, and goes on writing
    await RedisGroups(backend.client).drop("g")
    with pytest.raises(ContextClosed) as refused:
        async with asyncio.timeout(120):
            [event async for event in following]
    assert refused.value.reason == "NoJournal"


async def test_what_is_large_is_not_repeated_in_a_journal(driver: Driver) -> None:
    driver.scripts["use"] = lambda a: {"b": "x" * 5000}
    text = operation("use", {"a": A}, {"b": B._replace(primitive="string")})
    await driver.run(flow(text, TELL), {}, seeds(A, 1))
    given = [event.what for event in await events(driver, "context") if event.kind == "input"]
    assert given[0]["value"] == 1
    assert "value" not in given[1]
    assert given[1]["bytes"] > 5000


async def test_an_audit_counts_events_again(driver: Driver) -> None:
    await driver.open(flow(USE, TELL), seeds(A, 1))
    client = backend_of(driver).client
    assert (await RedisAudit(client).look()).mismatches == []
    [key] = [key async for key in client.redis.scan_iter(f"{client.tag}:j:*")]
    last = (await client.redis.xrevrange(key, count=1))[0][0]
    await client.redis.xdel(key, last)
    (mismatch,) = (await RedisAudit(client).look()).mismatches
    assert (mismatch.context, mismatch.what) == ("context", "events")
    await client.redis.xadd(key, {b"e": b""}, id=f"{int(last.split(b'-')[0])}-1")


async def test_without_a_journal_nothing_of_one_is_stored(driver: Driver) -> None:
    backend = backend_of(driver)
    plain = RedisBackend(backend.client, now=lambda: driver.clock.now, later=driver.clock.later)
    await plain.open("plain", compile_plan(flow(USE, TELL)), seeds(A, 1))
    assert await journal_keys(driver) == []
    with pytest.raises(ContextClosed) as refused:
        [event async for event in plain.journal("plain")]
    assert refused.value.reason == "NoJournal"
    await plain.cancel("plain")
    await plain.ending("plain")
    await plain.mail.close()
