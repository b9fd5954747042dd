"""A worker that stands still is dead before its work is given to others, and what it says later is refused."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, SHORT, fleet, until
from tidemill.backends.redis.implementations import RedisOperationImplementationNetwork
from tidemill.networks.implementations import Fenced
from tidemill.plan.compile import compile_plan


def alive(pid: int) -> bool:
    """Say whether a process still runs; one that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def test_a_supervisor_that_is_stopped_dies_with_its_runners_before_its_lease_is_given_to_others(
    tmp_path: Path,
) -> None:
    async with fleet(server("valkey"), tmp_path, lease=SHORT, runners=2) as (workers, backend):
        (still,) = workers.start(1)
        runners = await workers.working(still)
        plan = compile_plan(flows.SLOW)
        await backend.open("c", plan, [flows.number(at) for at in range(4)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 4, "everything runs")
        (heir,) = workers.start(1)
        await workers.working(heir)
        still.send_signal(signal.SIGSTOP)
        # It has the lease still; before anybody else begins, both of its runners are dead, and so is itself.
        await until(lambda: len(flows.calls_of(tmp_path)) > 4 or not any(map(alive, runners)), "they die")
        assert not any(map(alive, runners)), f"runs beside its heir\n{workers.log()}"
        assert len(flows.calls_of(tmp_path)) == 4
        still.send_signal(signal.SIGCONT)
        assert await workers.ended(still) == -signal.SIGKILL
        await until(lambda: len(flows.calls_of(tmp_path)) == 8, "another runs all of it")
        (tmp_path / "go").touch()
        async with asyncio.timeout(DEADLINE):
            ending = await backend.ending("c")
        assert ending.failure is None
        assert await workers.stop() == [0]
        assert "is dead; 4 parameter sets that it held are handed out again" in workers.log()


async def test_what_a_runner_says_after_its_worker_was_expired_is_refused(tmp_path: Path) -> None:
    """A runner is stopped, not its supervisor: that beats on, and whoever ends it has the runner refused."""
    async with fleet(server("valkey"), tmp_path, lease=SHORT, runners=1) as (workers, backend):
        (worker,) = workers.start(1)
        (runner,) = await workers.working(worker)
        plan = compile_plan(flows.SLOW)
        await backend.open("c", plan, [flows.number(1)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 1, "it runs")
        held = [key.decode() async for key in backend.client.redis.scan_iter("*:held:*")]
        (name,) = [key.split(":held:")[1] for key in held if workers.prefix in key]
        worker.kill()
        assert await workers.ended(worker) == -signal.SIGKILL
        await until(lambda: not alive(runner), "its runner ends with it")
        (heir,) = workers.start(1)
        await until(lambda: len(flows.calls_of(tmp_path)) == 2, "another runs it")
        network: RedisOperationImplementationNetwork = backend.implementations
        with pytest.raises(Fenced):
            await network.exchange(name, (), 1, os.urandom(16))
        (tmp_path / "go").touch()
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"slept": [1]}
        assert await workers.stop([heir]) == [0]


async def test_a_runner_that_is_stopped_for_a_while_goes_on(tmp_path: Path) -> None:
    """Its supervisor beats for it: however long an operation holds its process up, it is no dead one."""
    async with fleet(server("valkey"), tmp_path, lease=SHORT, runners=1) as (workers, backend):
        (worker,) = workers.start(1)
        (runner,) = await workers.working(worker)
        plan = compile_plan(flows.SLOW)
        await backend.open("c", plan, [flows.number(1)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 1, "it runs")
        os.kill(runner, signal.SIGSTOP)
        beats = workers.look("hvals", "beats")
        await until(lambda: int(workers.look("hvals", "beats")[0]) > int(beats[0]) + 13, "two leases have gone by")
        os.kill(runner, signal.SIGCONT)
        (tmp_path / "go").touch()
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"slept": [1]}
        assert len(flows.calls_of(tmp_path)) == 1
        assert await workers.stop() == [0]


async def test_a_zombie_is_refused_where_no_timer_has_ended_it(tmp_path: Path) -> None:
    """X5 and X6 without the kernel's help: a worker and its runner stand still beyond the lease, and go on then. What
    the runner says is refused, though its operations have ended well, and the worker begins again under a new id."""
    async with fleet(server("valkey"), tmp_path, lease=SHORT, runners=1) as (workers, backend):
        workers.module = "tests.worker.untimed"
        (zombie,) = workers.start(1)
        (dead,) = await workers.working(zombie)
        plan = compile_plan(flows.SLOW)
        await backend.open("c", plan, [flows.number(at) for at in range(3)])
        await until(lambda: len(flows.calls_of(tmp_path)) == 3, "everything runs")
        workers.module = "tidemill_worker"
        (heir,) = workers.start(1)
        (runner,) = await workers.working(heir)
        for pid in (zombie.pid, dead):
            os.kill(pid, signal.SIGSTOP)
        await until(lambda: len(flows.calls_of(tmp_path)) == 6, "another runs all of it", workers.log)
        os.kill(runner, signal.SIGSTOP)  # so that the first to report is the one that may not
        (tmp_path / "go").touch()
        os.kill(dead, signal.SIGCONT)
        await until(lambda: not alive(dead), "it is refused, and ends")
        assert workers.look("hlen", "names") == 1
        os.kill(runner, signal.SIGCONT)
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("c")).result == {"slept": [0, 1, 2]}
        zombie.send_signal(signal.SIGCONT)
        await until(lambda: "was ended: " in workers.log(), "it hears that it is dead", workers.log)
        await until(lambda: workers.log().count("working as") == 3, "it begins again", workers.log)
        assert len(flows.calls_of(tmp_path)) == 6
        assert await workers.stop() == [0, 0]
