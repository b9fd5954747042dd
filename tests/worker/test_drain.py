"""A worker that is told to end: it takes nothing more, lets end what can, hands back the rest, and exits with 0."""

import asyncio
import signal
from pathlib import Path

from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, fleet, until
from tests.worker.test_pauses import alive
from tidemill.plan.compile import compile_plan


async def test_what_runs_may_end(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, runners=2, grace=30) as (workers, backend):
        (worker,) = workers.start(1)
        await workers.working(worker)
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(at) for at in range(20)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 8, "all places are taken")
        worker.terminate()
        await until(lambda: "taking nothing more" in workers.log(), "it has heard")
        (tmp_path / "go").touch()
        assert await workers.ended(worker) == 0
        assert len(flows.calls_of(tmp_path)) == 8
        assert "0 parameter sets were handed back" in workers.log()
        workers.start(1)
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"slept": list(range(20))}
        assert len(flows.calls_of(tmp_path)) == 20
        assert await workers.stop() == [0]


async def test_a_worker_that_ends_well_speaks_of_no_error(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, runners=1) as (workers, _):
        (worker,) = workers.start(1)
        await workers.working(worker)
        assert await workers.stop() == [0]
        assert "has ended" in workers.log()
        assert "Traceback" not in workers.log()


async def test_what_does_not_end_is_handed_back(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, runners=2, grace=0.2) as (workers, backend):
        (worker,) = workers.start(1)
        runners = await workers.working(worker)
        await backend.open("c", compile_plan(flows.BOTH), [flows.number(at) for at in range(2)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 4, "everything runs, on loops and on threads")
        assert await workers.stop([worker]) == [0]
        assert not any(map(alive, runners))
        workers.start(1)
        await until(lambda: len(flows.calls_of(tmp_path)) == 8, "another worker has all of it")
        (tmp_path / "go").touch()
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).failure is None
        assert await workers.stop() == [0]


async def test_who_is_told_twice_ends_at_once(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, runners=1, grace=1000) as (workers, backend):
        (worker,) = workers.start(1)
        await workers.working(worker)
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(1)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 1, "it runs")
        worker.terminate()
        await until(lambda: "taking nothing more" in workers.log(), "it has heard")
        worker.send_signal(signal.SIGINT)
        assert await workers.ended(worker) == 0
        assert "1 parameter sets were handed back" in workers.log()
        await backend.cancel("c")


async def test_a_worker_that_has_found_no_store_yet_ends_too(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path) as (workers, _):
        workers.url = "redis://127.0.0.1:1"
        (worker,) = workers.start(1)
        await until(lambda: "tried again" in workers.log(), "it looks for the store")
        assert await workers.stop([worker]) == [0]
