"""What became of a context is read by anybody, waited for by anybody, and kept until its retention is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.beside import DEADLINE, USE, Corner, corner, opened, used
from tests.contract.shapes import A, seeds
from tidemill.backends.redis.endings import GONE, OPEN
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.errors import ContextClosed, DuplicateContext


@pytest.fixture(params=["redis", "valkey"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Corner]:
    """A corner of each server."""
    async with corner(request.param) as found:
        yield found


async def test_an_ending_is_read_without_being_taken(place: Corner) -> None:
    backend = place.backend(silent=True)
    await opened(backend, "one", "two")
    said = {name: raw async for name, raw in backend.endings.look(["one", "three"])}
    assert said == {"one": OPEN, "three": GONE}
    await used(backend, returned={"told": 1})
    for _ in range(2):
        ((name, raw),) = [pair async for pair in backend.endings.look(["two"])]
        assert (name, backend.ending_of(raw).result) == ("two", {"told": 1})
    assert sorted([name async for name in backend.endings.names()]) == ["one", "two"]
    assert await backend.endings.forget(["one", "three"]) == 1
    assert [name async for name in backend.endings.names()] == ["two"]
    assert place.keys("inbox", "letters") == []


async def test_more_endings_than_one_page_are_all_listed(place: Corner) -> None:
    backend = place.backend(silent=True)
    names = [f"context {number}" for number in range(700)]
    await opened(backend, *names)
    await used(backend)
    assert sorted([name async for name in backend.endings.names()]) == sorted(names)
    assert await backend.endings.forget(names) == 700
    assert [name async for name in backend.endings.names()] == []


async def test_whoever_waits_is_woken_at_the_end_and_the_owner_still_hears_of_it(place: Corner) -> None:
    owner, other, worker = place.backend(), place.backend(), place.backend()
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    await opened(owner, "one", ended=heard.set_result)
    waiting = other.endings.wait(["gone", "one"])
    assert await anext(waiting) == ("gone", GONE)
    woken = asyncio.ensure_future(anext(waiting))
    async with asyncio.timeout(DEADLINE):
        while not await registered(place):
            pass
        await used(worker)
        name, raw = await woken
        await other.resolve(USE.digest)
        assert (name, other.ending_of(raw).failure) == ("one", None)
        assert owner.ending_of(await heard).context == "one"
        with pytest.raises(StopAsyncIteration):
            await anext(waiting)
        await owner.mail.close()
    assert place.keys("inbox", "letters") == []


async def registered(place: Corner) -> bool:
    """Whether somebody waits for a context of another, after everything else here has had a turn."""
    await asyncio.sleep(0)
    numbers: Any = place.look.hvals(f"{place.tag}:names")
    states: list[Any] = [place.look.hget(f"{place.tag}:c:{number.decode()}", "s") for number in numbers]
    return any(b"waits-" in (state or b"") for state in states)


async def test_a_name_that_is_kept_is_taken_unless_it_has_been_forgotten(place: Corner) -> None:
    backend = place.backend(silent=True)
    await opened(backend, "one")
    with pytest.raises(DuplicateContext):
        await opened(backend, "one")
    await used(backend)
    with pytest.raises(DuplicateContext):
        await opened(backend, "one")
    await backend.endings.forget(["one"])
    await opened(backend, "one")


async def test_a_submission_whose_reply_was_lost_may_be_repeated(place: Corner) -> None:
    backend = place.backend()
    await backend.publish(USE)
    offers = backend.wired[USE.digest].first(seeds(A, 1))
    request = ["one", USE.digest, offers, True, False, False]
    for _ in range(2):
        assert await backend.client.call("submit", "me.1", [request], 60.0, True, 0.0) == [b"OK"]
    await used(backend)
    assert await backend.client.call("submit", "me.1", [request], 60.0, True, 0.0) == [b"OK"]
    assert await backend.client.call("submit", "me.2", [request], 60.0, True, 0.0) == [b"DUPLICATE"]


async def test_what_is_forgotten_while_its_owner_waits_is_said(place: Corner, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, other = place.backend(), place.backend()
    crashed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    forgotten = asyncio.Event()
    call = owner.client.call

    async def late(verb: str, *request: Any) -> Any:
        if verb == "endings":
            await forgotten.wait()
        return await call(verb, *request)

    monkeypatch.setattr(owner.client, "call", late)
    owner.mail.crashed = crashed.set_result
    await opened(owner, "one")
    await used(other)
    assert await other.endings.forget(["one"]) == 1
    forgotten.set()
    async with asyncio.timeout(DEADLINE):
        error = await crashed
    assert isinstance(error, ContextClosed)
    assert error.reason == "RunGone"


# -- retention --------------------------------------------------------------------------------------------------------


async def test_an_ending_is_kept_for_its_retention_and_then_forgotten(place: Corner) -> None:
    long, short = place.backend(silent=True, retention=100.0), place.backend(silent=True, retention=10.0)
    await opened(long, "long")
    await opened(short, "short")
    await used(long)
    assert await long.endings.collect(2000.0) == 0  # it begins with the first look after the end
    assert await long.endings.collect(2009.0) == 0
    assert await long.endings.collect(2010.0) == 1
    assert [name async for name in long.endings.names()] == ["long"]
    assert await long.endings.collect(2100.0) == 1
    assert place.keys("ended", "due", "inbox", "letters") == []


async def test_whoever_submits_or_beats_collects(place: Corner) -> None:
    backend = place.backend(silent=True, retention=10.0)
    workers = RedisWorkers(backend.client)
    await opened(backend, "one")
    await used(backend)
    await opened(backend, "two")
    place.now += 11
    await opened(backend, "three")
    assert [name async for name in backend.endings.names()] == []
    await used(backend)
    await workers.hello("worker", {})
    await workers.beat("worker", 1, 5000.0)
    assert len([name async for name in backend.endings.names()]) == 2
    await workers.beat("worker", 2, 5011.0)
    assert [name async for name in backend.endings.names()] == []


async def test_much_is_collected_in_steps_and_an_inbox_that_nobody_reads_goes_with_it(place: Corner) -> None:
    backend, dead = place.backend(silent=True, retention=10.0), place.backend(retention=10.0)
    await opened(dead, "dead")
    await dead.mail.close()  # as if its process had been killed
    waiting = backend.endings.wait(["dead"])
    asked = asyncio.ensure_future(anext(waiting))
    async with asyncio.timeout(DEADLINE):
        while not await registered(place):
            pass
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await opened(backend, *[f"context {number}" for number in range(300)])
    await used(backend)
    assert place.keys("inbox", "letters") != []
    steps: list[int] = []
    while place.keys("ended", "due", "inbox", "letters"):
        steps.append(await backend.endings.collect(3000.0 + 20 * len(steps)))
    assert sum(steps) == 301
    assert max(steps) <= 128
