"""Tidemill over a store as the peers' harness sees a system: workloads by name, each returning a checksum.

The submitter is a `RedisOrchestrator` that runs nothing itself; two workers are processes of
`python -m tidemill_worker` with one runner each. What a workload is and how many operations it counts says
`workloads.py`.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.store import operations
from benchmarks.store.workloads import WORKLOADS
from tidemill import Input, RedisOrchestrator
from tidemill.orchestrator.running import OrchestratorContext

Result = TypeVar("Result")
ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
SLOTS = 100
SECONDS = 120.0
"""How long workers may take to get ready: on a busy machine that is long."""
Sets = Iterable[tuple[str, list[Input]]] | dict[str, list[Input]]


class Timer:
    """What one run notes of itself: when everything had been submitted, and how long each round trip took."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self.submit: float | None = None
        self.begin = time.perf_counter()


class System:
    """Two workers, and runs over them."""

    def __init__(self, url: str, durability: str = "none") -> None:
        self.url = url
        self.durability = durability
        self._workers: list[subprocess.Popen[bytes]] = []
        self._named = 0
        self._loop = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._running: dict[str, OrchestratorContext] = {}

    def start(self) -> None:
        """Start workers; they are ready when an operation has run."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        arguments = ["--store", self.url, "--runners", "1", "--slots", str(SLOTS), "--port", "-1"]
        arguments += ["--durability", self.durability]
        quiet = None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL
        for _ in range(WORKERS):
            command = [sys.executable, "-m", "tidemill_worker", *arguments]
            self._workers.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet))

    @property
    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [worker.pid for worker in self._workers]

    def ready(self) -> None:
        """Wait until work has been done by all of them: a runner that is slow to start would be measured later."""
        deadline = time.monotonic() + SECONDS
        while self.call(self._served()) < len(self._workers):
            if time.monotonic() > deadline:
                raise RuntimeError("the workers did not get ready; BENCH_VERBOSE=1 shows what they say")
            time.sleep(0.1)
        self.run("queue", 2 * SLOTS)

    async def _served(self) -> int:
        from redis.asyncio import Redis

        async with Redis.from_url(self.url) as redis:
            idle = [key async for key in redis.scan_iter("*:idle:default")]
            return sum([await redis.hlen(key) for key in idle])

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine where the submitter lives."""
        return self._loop.run(coroutine)

    def stop(self) -> None:
        """End the submitter and the workers."""
        self.call(self._stack.aclose())
        self._loop.close()
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self._workers = []

    def run(self, workload: str, n: int) -> dict[str, Any]:
        """Run a workload of a size and return its seconds. Raises AssertionError when it gave something else."""
        return self.call(self._run(workload, n))

    async def _run(self, workload: str, n: int) -> dict[str, Any]:
        method: Callable[[int, Timer], Awaitable[int]] = getattr(self, f"_{workload}", None) or self._each(workload)
        timer = Timer()
        found = await method(n, timer)
        seconds = time.perf_counter() - timer.begin
        wanted = WORKLOADS[workload].expected(n)
        if found != wanted:
            raise AssertionError(f"{workload} of size {n} gave the checksum {found}, not {wanted}")
        return {"seconds": seconds, "submit": timer.submit, "samples": timer.samples}

    # -- workloads ----------------------------------------------------------------------------------------------------

    async def running(self, flow: str) -> OrchestratorContext:
        """Return what runs a data flow; it is entered once, as a client of the others connects once."""
        if flow not in self._running:
            orchestrator = RedisOrchestrator(self.url, workers=0, durability=self.durability)
            await self._stack.enter_async_context(orchestrator)
            self._running[flow] = await self._stack.enter_async_context(orchestrator(operations.FLOWS[flow]))
        return self._running[flow]

    async def results(self, flow: str, sets: Sets) -> AsyncIterator[dict[str, Any]]:
        """Run a data flow over contexts and yield their results."""
        async for _, result in (await self.running(flow)).run(sets):
            yield result

    def named(self) -> str:
        """Return a name that no context has had."""
        self._named += 1
        return f"{os.getpid()}-{self._named}"

    def _names(self, many: int) -> Iterator[tuple[int, str]]:
        for at in range(many):
            yield at, self.named()

    def _each(self, workload: str) -> Callable[[int, Timer], Awaitable[int]]:
        """A context for each number."""

        async def run(n: int, timer: Timer) -> int:
            sets = ((name, [Input(at, operations.X0)]) for at, name in self._names(n))
            return sum([result[operations.GIVES[workload]] async for result in self.results(workload, sets)])

        return run

    async def _latency(self, n: int, timer: Timer) -> int:
        total = 0
        for at, name in self._names(n):
            began = time.perf_counter()
            async for result in self.results("chains", {name: [Input(at, operations.X0)]}):
                total += result["x3"]
            timer.samples.append(time.perf_counter() - began)
        return total

    async def _fan(self, n: int, timer: Timer) -> int:
        sets = {name: [Input(n, operations.LENGTH)] for _, name in self._names(1)}
        return sum([result["total"] async for result in self.results("fan", sets)])

    async def _product(self, n: int, timer: Timer) -> int:
        given = [Input(value, definition) for definition in (operations.LEFT, operations.RIGHT) for value in range(n)]
        sets = {name: given for _, name in self._names(1)}
        return sum([sum(result["product"]) async for result in self.results("product", sets)])
