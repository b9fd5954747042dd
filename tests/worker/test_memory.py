"""The ladder of memory: when a worker takes nothing more, and when it starts a runner anew."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, fleet, until
from tidemill.plan.compile import compile_plan
from tidemill_worker import memory
from tidemill_worker.memory import cgroup_limit, step, used_by

MIB = 1 << 20


@pytest.mark.parametrize(
    ("used", "paused", "running", "wanted"),
    [
        (50, False, 5, (False, False)),
        (79, False, 5, (False, False)),
        (80, False, 5, (True, False)),
        (77, True, 5, (True, False)),
        (74, True, 5, (False, False)),
        (95, True, 5, (True, True)),
        (95, False, 0, (True, True)),
        (85, True, 0, (True, True)),  # what is kept by runners that run nothing goes with them
        (85, False, 0, (True, False)),
    ],
)
def test_the_steps(used: int, paused: bool, running: int, wanted: tuple[bool, bool]) -> None:
    assert step(used, 100, paused, running) == wanted


@pytest.mark.parametrize(
    ("lines", "files", "wanted"),
    [
        ("0::/pod/worker\n", {"pod/worker/memory.max": "1000\n"}, 1000),
        ("0::/\n", {"memory.max": "500\n"}, 500),
        ("0::/pod\n", {"pod/memory.max": "max\n"}, None),
        ("4:memory:/pod\n", {"memory/pod/memory.limit_in_bytes": "700\n"}, 700),
        ("4:memory:/pod\n", {"memory/pod/memory.limit_in_bytes": f"{(1 << 63) - 4096}\n"}, None),
        ("4:cpu:/pod\n", {}, None),
    ],
)
def test_the_limit_of_a_control_group(tmp_path: Path, lines: str, files: dict[str, str], wanted: int | None) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(lines)
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(text)
    assert cgroup_limit(tmp_path / "proc", tmp_path / "cgroup") == wanted


def test_there_may_be_no_control_groups(tmp_path: Path) -> None:
    assert cgroup_limit(tmp_path, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_what_a_process_uses_is_with_all_that_it_has_started() -> None:
    grandchild = f"b = bytearray({64 * MIB}); print('big', flush=True); input()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"big\n"
        used = used_by([os.getpid(), process.pid])
        assert used[process.pid] > 64 * MIB
        process.communicate(b"\n")
    assert used_by([process.pid]) == {process.pid: 0}


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
async def test_a_runner_that_fills_the_memory_starts_anew_and_what_fills_it_is_poison(tmp_path: Path) -> None:
    limit = 400 * MIB
    async with fleet(server("valkey"), tmp_path, runners=1, memory=limit) as (workers, backend):
        (worker,) = workers.start(1)
        await workers.working(worker)
        await backend.open("c", compile_plan(flows.HOARD), [flows.number(limit)])
        async with asyncio.timeout(2 * DEADLINE):
            failure = (await backend.ending("c")).failure
        assert failure is not None
        assert failure.reason == "Poisonous"
        assert "want of memory" in failure.message
        assert len(flows.calls_of(tmp_path)) == 3
        await until(lambda: "work is taken again" in workers.log(), "there is memory again")
        await backend.open("d", compile_plan(flows.FLOW), flows.given(1))
        async with asyncio.timeout(DEADLINE):
            assert (await backend.ending("d")).result == flows.result(1)
        assert await workers.stop() == [0]


def test_what_is_free_is_given_back_where_there_is_a_way_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace(malloc_trim=asked.append))
    assert memory.trim()
    assert asked == [0]
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace())  # another C library
    assert not memory.trim()
