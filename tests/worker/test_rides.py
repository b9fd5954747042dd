"""Clients and workers ride through whatever a store does to them by itself: replies that are lost, restarts, silence.

Nobody outside has to do anything, nothing runs twice, and results are what they would have been.
"""

import asyncio
import contextlib
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.proxy import Proxy
from tests.backends.redis.servers import DURABLE, Server
from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, Fleet, fleet, until
from tests.worker.test_pump import pumping
from tidemill import Outcome
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.blobs import Blobs
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.session import session
from tidemill.errors import ContextClosed
from tidemill.orchestrator.redis import RedisOrchestrator
from tidemill.orchestrator.submitting import submit
from tidemill.plan.compile import compile_plan

CONTEXTS = 6
WORDS = ("publish", "submit", "cycle", "endings", "counts", "lose", ":flow:", ":inbox:", ":wake:", "REPLACE")
"""What stands in the requests that a run makes, one kind each."""
_prefixes = (f"rides{number}:" for number in itertools.count())


async def ran(url: str, prefix: str, **settings: Any) -> list[Outcome]:
    """Run `flows.FLOW` over some contexts in this process, or submit them only."""
    sets = {f"c{number}": flows.given(number) for number in range(CONTEXTS)}
    found = []
    async with RedisOrchestrator(url, prefix=prefix, **settings) as orchestrator, orchestrator(flows.FLOW) as octx:
        async for outcome in octx.outcomes(sets):
            found.append(outcome)
        await octx.look()
    return found


def check(outcomes: list[Outcome], folder: Path) -> None:
    """Fail unless every context has its result, and everything was called as often as it has to be."""
    assert {one.name: one.failure for one in outcomes} == {f"c{number}": None for number in range(CONTEXTS)}
    assert {one.name: one.result for one in outcomes} == {f"c{at}": flows.result(at) for at in range(CONTEXTS)}
    wanted = sorted(line for at in range(CONTEXTS) for line in flows.expected(at).elements())
    assert sorted(flows.calls_of(folder)) == wanted


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("part", ["reply", "request"])
async def test_a_run_does_not_mind_what_is_lost(
    word: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X8 and X9: the reply, or the request itself; three times, as what is sent again may be lost as well."""
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    async with Proxy(server("valkey")) as proxy, asyncio.timeout(DEADLINE):
        (proxy.lose_reply if part == "reply" else proxy.lose_request)(word, 3)
        check(await ran(proxy.url, next(_prefixes), durability="none"), tmp_path)
    assert proxy.lost[word.encode()] >= 1, "it was never asked"


async def test_large_values_are_read_again_when_the_reply_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    for function, word in ((Client.__init__, "threshold"), (Blobs.__init__, "cache")):
        assert function.__kwdefaults__ is not None
        monkeypatch.setitem(function.__kwdefaults__, word, 0)
    async with Proxy(server("valkey")) as proxy, asyncio.timeout(DEADLINE):
        proxy.lose_reply(":blob:", 3)
        check(await ran(proxy.url, next(_prefixes), durability="none"), tmp_path)
    assert proxy.lost[b":blob:"] == 3


async def test_who_only_submits_opens_nothing_twice_when_a_reply_is_lost(tmp_path: Path) -> None:
    async with Proxy(server("valkey")) as proxy, asyncio.timeout(DEADLINE):
        async with session(proxy.url, prefix=next(_prefixes), durability="none", silent=True) as backend:
            proxy.lose_reply("submit", 3)
            sets = {f"c{number}": flows.given(number) for number in range(CONTEXTS)}
            assert [name async for name in submit(backend, flows.FLOW, sets)] == list(sets)
            assert sorted([name async for name in backend.endings.open_names()]) == list(sets)
            for name in sets:
                proxy.lose_reply("cancel")
                with contextlib.suppress(ContextClosed):  # by the call whose reply was lost
                    await backend.cancel(name)
            for name in sets:
                proxy.lose_reply("await")
                proxy.lose_reply("forget")
                failure = (await backend.ending(name)).failure
                assert failure is not None and failure.reason == "Cancelled"
    assert proxy.lost == {b"submit": 3, b"cancel": CONTEXTS, b"await": CONTEXTS, b"forget": CONTEXTS}


async def test_a_context_that_ends_before_its_opening_is_answered_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ending is read only then: what was read is forgotten, and the repeated request would open it anew."""
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    url = server("valkey")
    async with Proxy(url) as proxy, fleet(url, tmp_path) as (_, direct), pumping(url, direct):
        client = Client(proxy.url, timeout=5)
        client.tag = direct.client.tag
        mine = RedisBackend(client)
        plan = compile_plan(flows.FLOW)
        async with asyncio.timeout(DEADLINE):
            await mine.open("other", plan, [], hold=True)  # so that endings are being read already
            proxy.lose_reply("submit", 5)
            await mine.open("c0", plan, flows.given(0))
            assert (await mine.ending("c0")).result == flows.result(0)
            await mine.cancel("other")
            assert (await mine.ending("other")).failure is not None
        await mine.shut()
    assert proxy.lost == {b"submit": 5}
    assert Counter(flows.calls_of(tmp_path)) == flows.expected(0)


@asynccontextmanager
async def sleepers(folder: Path, store: Server) -> AsyncIterator[tuple[Fleet, "asyncio.Task[list[Outcome]]"]]:
    """Give workers that run calls which end when ``go`` is there, and what those who have submitted them will hear."""
    prefix = next(_prefixes)
    workers = Fleet(store.url, prefix, folder, lease=30, runners=2, slots=4, timeout=1, durability="always")

    async def wait() -> list[Outcome]:
        async with RedisOrchestrator(store.url, prefix=prefix, workers=0) as orchestrator:
            async with orchestrator(flows.SLOW) as octx:
                return [one async for one in octx.outcomes({f"c{at}": [flows.number(at)] for at in range(CONTEXTS)})]

    try:
        workers.start(2)
        for worker in list(workers.workers):
            await workers.working(worker)
        waiting = asyncio.create_task(wait())
        await until(lambda: len(flows.calls_of(folder)) == CONTEXTS, "everything runs", workers.log)
        yield workers, waiting
        waiting.cancel()
    finally:
        workers.abandon()


def kill(store: Server) -> None:
    store.kill()
    store.start()


def restart(store: Server) -> None:
    store.stop()
    store.start()


def cut(store: Server) -> None:
    store.ask("client_kill_filter", skipme=True)


@pytest.mark.parametrize("trouble", [kill, restart, cut])
async def test_what_runs_meanwhile_counts_once(trouble: Callable[[Server], None], tmp_path: Path) -> None:
    """X13: whoever waits, and whoever works, finds the store again; what ran when it went counts, and runs once."""
    with Server(tmp_path / "store", **DURABLE) as store:
        async with sleepers(tmp_path, store) as (workers, waiting):
            trouble(store)
            (tmp_path / "go").touch()
            found = await asyncio.wait_for(waiting, DEADLINE)
            assert {one.name: one.result for one in found} == {f"c{at}": {"slept": [at]} for at in range(CONTEXTS)}
            assert await workers.stop() == [0, 0]
        assert len(flows.calls_of(tmp_path)) == CONTEXTS
        assert "Traceback" not in workers.log()
        assert " is gone: " not in workers.log()


async def test_what_ends_while_the_store_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    with Server(tmp_path / "store", **DURABLE) as store:
        async with sleepers(tmp_path, store) as (workers, waiting):
            store.kill()
            (tmp_path / "go").touch()
            await until(lambda: "the store does not take reports now" in workers.log(), "they want to report")
            store.start()
            found = await asyncio.wait_for(waiting, DEADLINE)
            assert sorted(one.name for one in found if one.failure is None) == [f"c{at}" for at in range(CONTEXTS)]
            assert await workers.stop() == [0, 0]
        assert len(flows.calls_of(tmp_path)) == CONTEXTS


async def test_a_server_that_stands_still_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X22: replies count as lost after a time, and calls are repeated; those that were on their way are done once."""
    monkeypatch.setattr("tidemill.orchestrator.redis.TIMEOUT", 1.0)
    with Server(tmp_path / "store", **DURABLE) as store:
        async with sleepers(tmp_path, store) as (workers, waiting):
            store.send(signal.SIGSTOP)
            (tmp_path / "go").touch()
            await until(lambda: "the store does not take reports now" in workers.log(), "they want to report")
            store.send(signal.SIGCONT)
            found = await asyncio.wait_for(waiting, DEADLINE)
            assert {one.name: one.result for one in found} == {f"c{at}": {"slept": [at]} for at in range(CONTEXTS)}
            assert await workers.stop() == [0, 0]
        assert len(flows.calls_of(tmp_path)) == CONTEXTS


async def test_workers_that_are_told_to_end_under_load_count_as_no_loss(tmp_path: Path) -> None:
    """X41: one worker after the other is replaced while contexts come and go; nothing is called again for it."""
    prefix = next(_prefixes)
    workers = Fleet(server("valkey"), prefix, tmp_path, lease=30, runners=1, slots=4)
    workers.start(2)
    try:
        for worker in list(workers.workers):
            await workers.working(worker)
        running = asyncio.create_task(ran(workers.url, prefix, workers=0, durability="none"))
        for old in list(workers.workers):
            seen = len(flows.calls_of(tmp_path))
            await until(lambda: len(flows.calls_of(tmp_path)) > seen or running.done(), "something is done")  # noqa: B023
            (new,) = workers.start(1)
            await workers.working(new)
            assert await workers.stop([old]) == [0]
        check(await asyncio.wait_for(running, DEADLINE), tmp_path)
        assert await workers.stop() == [0, 0]
        assert " is gone: " not in workers.log()
    finally:
        workers.abandon()
