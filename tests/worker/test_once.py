"""A worker that runs one parameter set: it ends when that is done, when there is none, and when what ran it is gone."""

import asyncio
import os
import signal
from pathlib import Path

from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, SHORT, fleet, until
from tidemill.plan.compile import compile_plan

ALONE = {"once": "true", "runners": 1, "lease": SHORT}


async def test_each_runs_one_and_ends_well(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, **ALONE) as (workers, backend):
        (tmp_path / "go").touch()
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(at) for at in range(3)])
        for ran in range(1, 4):
            (worker,) = workers.start(1)
            assert await workers.ended(worker) == 0
            assert len(flows.calls_of(tmp_path)) == ran
        (last,) = workers.start(1)  # get_multi is a parameter set too
        assert await workers.ended(last) == 0
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"slept": [0, 1, 2]}


async def test_who_finds_nothing_ends_well_without_having_run_any(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, **ALONE, idle=0.2) as (workers, backend):
        (worker,) = workers.start(1)
        assert await workers.ended(worker) == 0
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(1)])
        assert flows.calls_of(tmp_path) == []


async def test_who_is_told_to_end_hands_back_what_it_has(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, **ALONE, grace=0.2) as (workers, backend):
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(1)])
        (worker,) = workers.start(1)
        await until(lambda: len(flows.calls_of(tmp_path)) == 1, "it runs")
        assert await workers.stop([worker]) == [0]
        (tmp_path / "go").touch()
        for _ in range(2):
            (worker,) = workers.start(1)
            assert await workers.ended(worker) == 0
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"slept": [1]}


async def test_who_loses_its_runner_says_what_was_lost_and_ends_badly(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, **ALONE) as (workers, backend):
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(1)])
        (worker,) = workers.start(1)
        await until(lambda: len(flows.calls_of(tmp_path)) == 1, "it runs")
        (runner,) = workers.runners(worker)
        os.kill(runner, signal.SIGKILL)
        assert await workers.ended(worker) == 1
        assert "SIGKILL" in workers.log()
        (tmp_path / "go").touch()
        (worker,) = workers.start(1)
        assert await workers.ended(worker) == 0
        assert len(flows.calls_of(tmp_path)) == 2


async def test_what_a_worker_held_that_was_killed_goes_to_the_next(tmp_path: Path) -> None:
    async with fleet(server("valkey"), tmp_path, **ALONE) as (workers, backend):
        await backend.open("c", compile_plan(flows.SLOW), [flows.number(1)])
        (worker,) = workers.start(1)
        await until(lambda: len(flows.calls_of(tmp_path)) == 1, "it runs")
        worker.kill()
        assert await workers.ended(worker) == -signal.SIGKILL
        (tmp_path / "go").touch()
        (worker,) = workers.start(1)
        assert await workers.ended(worker) == 0
        assert len(flows.calls_of(tmp_path)) == 2
