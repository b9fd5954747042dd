"""What stores come to, with real servers: full, emptied, slow, replicas that are promoted, nodes of a cluster.

Which failure of a store is tried where: `tests/backends/redis/test_corruption.py` (what it holds is not what was
written), `test_checks.py` beside it (what is refused at the start), `test_rides.py` here (restarts and lost replies).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.proxy import Proxy
from tests.backends.redis.servers import DURABLE, FORGETFUL, Server, eventually, free_port
from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, SHORT, Fleet, until
from tidemill import DataFlow, Outcome
from tidemill.backends.redis import client as clients
from tidemill.backends.redis import library
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.errors import FunctionLibraryMissing, StoreMisconfigured, StoreReadOnly
from tidemill.orchestrator.redis import RedisOrchestrator

PREFIX = "trouble:"
MANY = 4


async def outcomes(url: str, flow: DataFlow, numbers: range, folder: Path | None = None, **more: Any) -> list[Outcome]:
    """Run a data flow over one number for each context, in this process or (``workers`` 0) elsewhere."""
    settings = {"prefix": PREFIX, "durability": "none", **more}
    given = flows.given if flow in (flows.FLOW, flows.WHOLE) else lambda number: [flows.number(number)]
    async with RedisOrchestrator(url, **settings) as orchestrator, orchestrator(flow) as octx:
        return [one async for one in octx.outcomes({f"c{number}": given(number) for number in numbers})]


def slept(found: list[Outcome]) -> dict[str, Any]:
    """Return what contexts of `flows.SLOW` have given, by name, or why one of them has failed."""
    return {one.name: str(one.failure) if one.result is None else one.result.get("slept") for one in found}


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have operations of this process write down that they were called, as those of workers do."""
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))


async def gone(waiting: "asyncio.Task[list[Outcome]]") -> set[str]:
    """Wait for contexts that the store has lost, and return their names."""
    found = await asyncio.wait_for(waiting, DEADLINE)
    assert {one.name: one.failure and one.failure.reason for one in found} == dict.fromkeys(
        (one.name for one in found), "StateLost"
    )
    return {one.name for one in found}


async def called(folder: Path, many: int) -> None:
    """Wait until operations were called so often."""
    await until(
        lambda: len(flows.calls_of(folder)) == many, f"{many} calls have begun", lambda: str(flows.calls_of(folder))
    )


# -- full -------------------------------------------------------------------------------------------------------------


async def test_a_full_store_takes_nothing_new_and_lets_what_it_has_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """X20: intake waits, the drain goes on, and everything goes on when there is room."""
    with Server(tmp_path / "store", **FORGETFUL) as store:
        before = asyncio.create_task(outcomes(store.url, flows.SLOW, range(MANY)))
        await called(tmp_path, MANY)
        async with RedisOrchestrator(store.url, prefix=PREFIX, durability="none", workers=0) as orchestrator:
            async with orchestrator(flows.SLOW) as octx:
                store.ask("config_set", "maxmemory", 1)
                later = asyncio.create_task(listed(octx.outcomes({"late": [flows.number(9)]})))
                await until(lambda: "does not take new contexts" in caplog.text, "the new one waits")
                (tmp_path / "go").touch()
                assert slept(await asyncio.wait_for(before, DEADLINE)) == {f"c{at}": [at] for at in range(MANY)}
                assert not later.done()
                store.ask("config_set", "maxmemory", 0)
                async with (
                    RedisOrchestrator(store.url, prefix=PREFIX, durability="none") as working,
                    working(flows.SLOW),
                ):
                    assert slept(await asyncio.wait_for(later, DEADLINE)) == {"late": [9]}
        assert sorted(flows.calls_of(tmp_path)) == sorted(f"sleep {at}" for at in (*range(MANY), 9))


async def listed(things: AsyncIterator[Outcome]) -> list[Outcome]:
    """Return all outcomes."""
    return [one async for one in things]


# -- emptied ----------------------------------------------------------------------------------------------------------


async def test_who_waits_for_what_an_emptied_store_had_hears_that_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X19: no silent success, and nobody waits for ever."""
    monkeypatch.setattr(clients, "WAIT", 0.5)
    with Server(tmp_path / "store", **FORGETFUL) as store:
        waiting = asyncio.create_task(outcomes(store.url, flows.SLOW, range(MANY), workers=0))
        await until(lambda: store.ask("hlen", f"{{{PREFIX}1:0}}:names") == MANY, "they are open")
        store.ask("flushall")
        assert await gone(waiting) == {f"c{at}" for at in range(MANY)}


async def test_workers_find_their_way_into_a_store_that_is_new(tmp_path: Path) -> None:
    """The server comes back with nothing, not even the functions: workers begin again in it."""
    with Server(tmp_path / "store", **FORGETFUL) as store:
        workers = Fleet(store.url, PREFIX, tmp_path, lease=SHORT, runners=1, slots=4)
        try:
            (worker,) = workers.start(1)
            await workers.working(worker)
            before = asyncio.create_task(outcomes(store.url, flows.SLOW, range(1), workers=0))
            await called(tmp_path, 1)
            store.kill()
            store.start()
            with contextlib.suppress(FunctionLibraryMissing):  # whoever comes first: this or the worker
                assert await gone(before) == {"c0"}
            await until(lambda: store.ask("function_list"), "the worker loads them", workers.log)
            (tmp_path / "go").touch()
            after = outcomes(store.url, flows.SLOW, range(1, 3), workers=0)
            assert slept(await asyncio.wait_for(after, DEADLINE)) == {"c1": [1], "c2": [2]}
            assert worker.poll() is None, workers.log()
            assert await workers.stop() == [0]
        finally:
            workers.abandon()


# -- slow -------------------------------------------------------------------------------------------------------------


async def test_a_slow_server_changes_no_result(tmp_path: Path) -> None:
    async with Proxy(server("valkey"), delay=0.03) as proxy, asyncio.timeout(DEADLINE):
        found = await outcomes(proxy.url, flows.FLOW, range(MANY), prefix="slow:")
    assert {one.name: one.result for one in found} == {f"c{at}": flows.result(at) for at in range(MANY)}
    wanted = sorted(line for at in range(MANY) for line in flows.expected(at).elements())
    assert sorted(flows.calls_of(tmp_path)) == wanted


# -- replicas ---------------------------------------------------------------------------------------------------------


@contextmanager
def pair(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Give a primary and a replica that has all of it."""
    with Server(folder / "primary", **DURABLE) as primary:
        with Server(folder / "replica", **DURABLE, replicaof=f"127.0.0.1 {primary.port}") as replica:
            eventually(lambda: replica.ask("info", "replication")["master_link_status"] == "up", "it is linked")
            yield primary, replica


async def test_a_replica_is_refused_with_the_name_of_its_primary(tmp_path: Path) -> None:
    """E10: by whoever submits and by whoever works."""
    with pair(tmp_path) as (primary, replica):
        with pytest.raises(StoreReadOnly, match=f"which is 127.0.0.1:{primary.port}"):
            await outcomes(replica.url, flows.SLOW, range(1))
        workers = Fleet(replica.url, PREFIX, tmp_path)
        (worker,) = workers.start(1)
        assert await workers.ended(worker) == 1
        assert f"which is 127.0.0.1:{primary.port}" in workers.log()


async def test_a_replica_is_promoted_that_has_not_heard_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X17: what the primary has acknowledged since the link was cut is lost with it. A new epoch hands everything back,
    whoever worked on is refused, and who waits for a context that is lost hears that."""
    monkeypatch.setattr(clients, "WAIT", 0.5)
    with pair(tmp_path) as (primary, replica):
        async with Proxy(primary.url) as proxy:
            workers = Fleet(proxy.url, PREFIX, tmp_path, lease=SHORT, runners=1, slots=8)
            try:
                (worker,) = workers.start(1)
                await workers.working(worker)
                kept = asyncio.create_task(outcomes(proxy.url, flows.SLOW, range(MANY), workers=0))
                await called(tmp_path, MANY)
                assert primary.ask("wait", 1, 10_000) == 1
                replica.ask("replicaof", "no", "one")  # from here on it hears nothing
                lost = asyncio.create_task(outcomes(proxy.url, flows.SLOW, range(MANY, MANY + 2), workers=0))
                await called(tmp_path, MANY + 2)
                primary.kill()
                client = Client(replica.url, prefix=PREFIX)
                assert await RedisWorkers(client).recover(1)
                await client.close()
                proxy.point(replica.url)
                assert await gone(lost) == {f"c{at}" for at in range(MANY, MANY + 2)}
                await called(tmp_path, 2 * MANY + 2)
                (tmp_path / "go").touch()
                assert slept(await asyncio.wait_for(kept, DEADLINE)) == {f"c{at}": [at] for at in range(MANY)}
                assert "was ended" in workers.log() or "is gone" in workers.log()
                assert await workers.stop() == [0]
            finally:
                workers.abandon()


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Server, Server, str]]:
    """Give a primary, its replica, and the URL of three sentinels that watch them."""
    with ExitStack() as stack:
        primary, replica = stack.enter_context(pair(folder))
        ports = []
        for number in range(3):
            sentinel = Server(folder / f"sentinel{number}", "--sentinel")
            sentinel.configure(
                f"sentinel monitor main 127.0.0.1 {primary.port} 2",
                "sentinel down-after-milliseconds main 500",
                "sentinel failover-timeout main 5000",
            )
            stack.enter_context(sentinel)
            ports.append(sentinel.port)

        def known() -> bool:
            said = [sentinel_of(port) for port in ports]
            return all(one["num-slaves"] == 1 and one["num-other-sentinels"] == 2 for one in said)

        eventually(known, "the sentinels know each other and the replica")
        yield primary, replica, f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/main"


def sentinel_of(port: int) -> dict[str, Any]:
    """Return what a sentinel says of the primary."""
    from redis import Redis

    with Redis(port=port, decode_responses=True) as redis:
        return dict(redis.sentinel_master("main"))


@asynccontextmanager
async def sleeping(url: str, folder: Path) -> AsyncIterator["asyncio.Task[list[Outcome]]"]:
    """Have a worker call operations that sleep until there is a file ``go``; give what waits for their contexts."""
    workers = Fleet(url, PREFIX, folder, lease=60, runners=1, slots=8, durability="always", timeout=2)
    try:
        (worker,) = workers.start(1)
        await workers.working(worker)
        waiting = asyncio.create_task(outcomes(url, flows.SLOW, range(MANY), workers=0, durability="always"))
        await called(folder, MANY)
        yield waiting
        assert await workers.stop() == [0]
    finally:
        workers.abandon()


async def test_sentinels_promote_a_replica_and_everybody_follows(tmp_path: Path) -> None:
    """Whoever submits, waits and works goes over to the new primary; what ran meanwhile counts, and runs once."""
    async with watched(tmp_path) as (primary, replica, url):
        async with sleeping(url, tmp_path) as waiting:
            assert primary.ask("wait", 1, 10_000) == 1
            primary.kill()
            (tmp_path / "go").touch()
            assert slept(await asyncio.wait_for(waiting, DEADLINE)) == {f"c{at}": [at] for at in range(MANY)}
            assert replica.ask("info", "replication")["role"] == "master"
            assert len(flows.calls_of(tmp_path)) == MANY


# -- a cluster --------------------------------------------------------------------------------------------------------


def node(folder: Path) -> Server:
    """Return a node of a cluster of its own, without a slot."""
    return Server(folder, **FORGETFUL, cluster_enabled="yes", cluster_port=free_port())


async def test_a_shard_works_on_the_node_of_a_cluster_that_has_its_slot(tmp_path: Path) -> None:
    """E11: every call names one key of the shard, and all that it uses have the same hash tag."""
    with node(tmp_path / "node") as store:
        with pytest.raises(StoreMisconfigured) as refused:
            await outcomes(store.url, flows.FLOW, range(1))
        assert refused.value.reason == "WrongNode"
        workers = Fleet(store.url, PREFIX, tmp_path, runners=1)
        (refusing,) = workers.start(1)
        assert await workers.ended(refusing) == 1
        assert "WrongNode" in workers.log()
        store.ask("execute_command", "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        eventually(lambda: store.ask("cluster", "info")["cluster_state"] == "ok", "it believes that it has all slots")
        try:
            (worker,) = workers.start(1)
            await workers.working(worker)
            running = outcomes(store.url, flows.WHOLE, range(MANY), workers=0)
            found = await asyncio.wait_for(running, DEADLINE)
            assert {one.name: one.failure for one in found} == {f"c{at}": None for at in range(MANY)}
            assert await workers.stop() == [0]
        finally:
            workers.abandon()


# -- two layouts ------------------------------------------------------------------------------------------------------


async def test_two_layouts_work_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E8: a newer version brings functions and keys of its own, and leaves those of the older one alone."""
    with Server(tmp_path / "store", **FORGETFUL) as store:
        older = asyncio.create_task(outcomes(store.url, flows.SLOW, range(MANY), workers=0))
        await until(lambda: store.ask("hlen", f"{{{PREFIX}1:0}}:names") == MANY, "they are open")
        keys = set(store.ask("keys", "*"))
        with monkeypatch.context() as newer:
            text = library.assembled().replace("tidemill_1", "tidemill_2")
            newer.setattr(clients, "LAYOUT", "2")
            newer.setattr(clients, "assembled", lambda: text)
            found = await asyncio.wait_for(outcomes(store.url, flows.FLOW, range(2)), DEADLINE)
            assert {one.name: one.result for one in found} == {f"c{at}": flows.result(at) for at in range(2)}
        assert sorted(one[1] for one in store.ask("function_list")) == [b"tidemill_1", b"tidemill_2"]
        assert keys == {key for key in store.ask("keys", "*") if key.startswith(f"{{{PREFIX}1:0}}".encode())}
        (tmp_path / "go").touch()
        async with RedisOrchestrator(store.url, prefix=PREFIX, durability="none") as working, working(flows.SLOW):
            assert slept(await asyncio.wait_for(older, DEADLINE)) == {f"c{at}": [at] for at in range(MANY)}


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    """Hear what clients say of the store."""
    caplog.set_level(logging.WARNING, "tidemill.store")
