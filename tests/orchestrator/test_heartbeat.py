"""A process that runs operations itself, and dies: others take over what it held, as with any worker."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill import DataFlow, Definition, GetSingle, Input, RedisOrchestrator, op
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.endings import RedisEndings
from tidemill.backends.redis.overview import RedisOverview
from tidemill.backends.redis.workers import RedisWorkers

LEASE = 5
FLAGS = Definition("flags", "string")
DONE = Definition("done", "string")


@op(inputs={"folder": FLAGS}, outputs={"done": DONE})
async def work(folder: str) -> dict[str, str]:
    """Say that it runs; the first time for ever."""
    tries = Path(folder) / "tries"
    with tries.open("a") as file:
        file.write("x")
    if tries.stat().st_size == 1:
        await asyncio.Event().wait()
    return {"done": "yes"}


def hold_up() -> None:
    """Let nothing else happen on the event loop for longer than a lease."""
    time.sleep(2 * LEASE)


def flow() -> DataFlow:
    return DataFlow(work, GetSingle, seed=[Input(["done"], GetSingle.op.inputs["spec"])])


PROGRAM = """
import asyncio, sys
from tests.orchestrator.test_heartbeat import FLAGS, LEASE, flow
from tidemill import Input, RedisOrchestrator

async def main(url, folder):
    async with RedisOrchestrator(url, durability="none", lease=LEASE) as orchestrator:
        async with orchestrator(flow()) as octx:
            async for _, result in octx.run({"held": [Input(folder, FLAGS)]}):
                print(result)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def url() -> Iterator[str]:
    with EmbeddedStore(durability="none") as store:
        yield store.url


@contextlib.contextmanager
def somebody_else(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, url, str(folder)], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


async def until(look: Any, what: str) -> None:
    async with asyncio.timeout(120):
        while not look():
            assert what
            await asyncio.sleep(0.02)


async def test_what_a_process_held_that_was_killed_is_run_by_another(url: str, tmp_path: Path) -> None:
    with somebody_else(url, tmp_path) as process:
        await until((tmp_path / "tries").exists, "it runs")
        process.send_signal(signal.SIGKILL)
        async with RedisOrchestrator(url, durability="none", lease=LEASE) as orchestrator, orchestrator(flow()) as octx:
            async with asyncio.timeout(120):
                ((name, raw),) = [pair async for pair in RedisEndings(octx.backend.client).wait(["held"])]
            assert octx.backend.ending_of(raw).result == {"done": "yes"}
    assert (tmp_path / "tries").read_text() == "xx"


async def test_a_process_that_stood_still_goes_on_under_another_id(url: str, tmp_path: Path) -> None:
    async with RedisOrchestrator(url, durability="none", lease=LEASE) as orchestrator, orchestrator(flow()) as octx:
        before = octx._pump.runner
        client = Client(url)
        beats = await client.redis.hgetall(client.key("beats"))
        ((worker, count),) = [(name.decode(), spelt.decode()) for name, spelt in beats.items()]
        running = asyncio.create_task(_first(octx, tmp_path))
        await until((tmp_path / "tries").exists, "it runs")
        expired = None
        while expired is None:  # as somebody would who has not seen it beat
            beats = await client.redis.hgetall(client.key("beats"))
            count = beats[worker.encode()].decode()
            expired = await RedisWorkers(client).expire(worker, count)
        assert expired == 1
        assert await asyncio.wait_for(running, 120) == {"done": "yes"}
        assert octx._pump.runner != before
        await client.close()
    assert (tmp_path / "tries").read_text() == "xx"


async def _first(octx: Any, folder: Path) -> Any:
    async for _, result in octx.run({"held": [Input(str(folder), FLAGS)]}):
        return result


async def test_it_is_seen_while_it_works_and_leaves_nothing(url: str) -> None:
    client = Client(url)
    async with RedisOrchestrator(url, durability="none") as orchestrator:
        async with orchestrator(flow()):
            seen = await RedisOverview(client).look()
            assert (seen.workers, seen.serving) == (1, {"default": 1})
        left = {key.decode().partition(":")[2].partition(":")[2] for key in await client.redis.keys("*")}
    assert not {name for name in left if name.startswith(("beats", "said", "runners", "held", "idle", "last", "wake"))}
    await client.close()


async def test_operations_that_hold_up_the_loop_do_not_make_it_look_dead(url: str, tmp_path: Path) -> None:
    async with RedisOrchestrator(url, durability="none", lease=LEASE) as orchestrator, orchestrator(flow()) as octx:
        client = Client(url)
        first = await client.redis.hgetall(client.key("beats"))
        hold_up()
        assert await client.redis.hgetall(client.key("beats")) != first
        assert octx._pump.runner.startswith(next(iter(first)).decode())
        await client.close()
