"""What is measured besides workloads: what a worker costs that does nothing, what the store keeps, what one vast
context does to the others. Each probe runs in the driver and returns figures by name; what is wanted of them says
`goals.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from redis.asyncio import Redis

from benchmarks.store import meter, operations
from benchmarks.store.system import System
from tidemill import Input, RedisOrchestrator
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.session import session
from tidemill.orchestrator.submitting import submit

__all__ = ["PROBES"]

Figures = dict[str, float]
SLOW = 5000
"""Microseconds above which a call of the server is counted."""
OPEN = 256
"""Contexts of the others that are open at once."""
WINDOW = 5.0
"""Seconds for which the rate of the others is taken before and after, at most."""


async def idle(system: System, seconds: int) -> Figures:
    """What one worker uses while there is nothing to do: a supervisor and its runner."""
    await asyncio.sleep(1)
    families = [[pid, *meter.Tree(pid, None).pids()[1:]] for pid in system.pids]
    before, began = [_cpu(family) for family in families], time.monotonic()
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    found = {
        "cpu share": max(_cpu(family) - used for family, used in zip(families, before, strict=True)) / lasted,
        "processes": max(len(family) for family in families),
    }
    found["largest bytes"] = max(meter.memory(pid, "Rss") for family in families for pid in family)
    found["together bytes"] = max(sum(meter.memory(pid, "Pss") for pid in family) for family in families)
    return found


def _cpu(family: list[int]) -> float:
    return sum(meter.cpu(pid) or 0.0 for pid in family)


async def endings(system: System, n: int) -> Figures:
    """What n contexts leave in the store that have ended, and whose endings nobody has read yet."""
    async with _submitting(system) as (backend, redis):
        await _submitted(backend, "chains", {f"warm-{at}": [Input(at, operations.X0)] for at in range(100)})
        before = await _used(redis)
        await _submitted(backend, "chains", {f"ended-{at}": [Input(at, operations.X0)] for at in range(n)})
        return {"contexts": n, "bytes each": (await _used(redis) - before) / n}


async def _submitted(backend: RedisBackend, flow: str, sets: dict[str, list[Input]], wait: bool = True) -> None:
    """Open contexts, and wait until they have ended unless nobody runs them."""
    names = [name async for name in submit(backend, operations.FLOWS[flow], sets)]
    if wait:
        async for _ in backend.endings.wait(names):
            pass


async def inputs(system: System, n: int) -> Figures:
    """What n small inputs of one context, and n contexts with one input, need in the store while nobody runs them."""
    async with _submitting(system) as (backend, redis):
        await _submitted(backend, "kept", {"warm": [Input(0, operations.X0)]}, wait=False)
        before = await _used(redis)
        await _submitted(backend, "kept", {"many": [Input(at, operations.X0) for at in range(n)]}, wait=False)
        one = await _used(redis)
        await _submitted(backend, "kept", {f"c{at}": [Input(at, operations.X0)] for at in range(n)}, wait=False)
        each = await _used(redis)
        return {"inputs": n, "bytes an input": (one - before) / n, "bytes a context": (each - one) / n}


async def vast(system: System, n: int) -> Figures:
    """One context with all combinations of n and n values, at first beside others that come and go all the time."""
    given = [Input(value, definition) for definition in (operations.LEFT, operations.RIGHT) for value in range(n)]
    window = min(WINDOW, n / 20)
    async with Redis.from_url(system.url) as redis:
        async with _others(system) as ended:
            await asyncio.sleep(window / 2)
            alone = [await _rate(ended, window)]
            watch = _Watch(redis)
            await watch.begin()
            began = time.perf_counter()
            running = asyncio.create_task(_run(system, "meet", given))
            looking = asyncio.create_task(watch.look())
            beside = await _rate(ended, 2 * window, running)
        await running
        seconds = time.perf_counter() - began
        looking.cancel()
        found = await watch.end()
        async with _others(system) as ended:
            await asyncio.sleep(window / 2)
            alone.append(await _rate(ended, window))
    before, after = alone
    rates = {"others before": before, "others beside": beside, "others after": after}
    rates["kept"] = 2 * beside / (before + after)
    return {"sets": n * n, "seconds": seconds, **found, **rates}


async def _run(system: System, flow: str, given: list[Input]) -> None:
    async for _ in (await system.running(flow)).run(given):
        pass


@contextlib.asynccontextmanager
async def _others(system: System) -> AsyncIterator[list[int]]:
    """Keep chains going, as many as there may be; yield a list whose element counts those that have ended."""
    ended = [0]

    def sets() -> Iterator[tuple[str, list[Input]]]:
        at = 0
        while True:
            at += 1
            yield f"other-{system.named()}", [Input(at, operations.X0)]

    async def run() -> None:
        async with RedisOrchestrator(
            system.url, workers=0, durability=system.durability, max_ctxs=OPEN
        ) as orchestrator:
            async with orchestrator(operations.FLOWS["chains"]) as octx:
                async for _ in octx.run(sets()):
                    ended[0] += 1

    running = asyncio.create_task(run())
    try:
        yield ended
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _rate(ended: list[int], seconds: float, until: asyncio.Task[None] | None = None) -> float:
    """Contexts that end in a second, over so many seconds or until a task ends."""
    first, began = ended[0], time.perf_counter()
    if until is None:
        await asyncio.sleep(seconds)
    else:
        await asyncio.wait([until], timeout=seconds)
    return (ended[0] - first) / (time.perf_counter() - began)


class _Watch:
    """Looks at a server: the most memory it needs, and its slow calls."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._most = 0

    async def begin(self) -> None:
        """From here."""
        await self._redis.config_set("slowlog-log-slower-than", SLOW)
        await self._redis.config_set("slowlog-max-len", 10_000)
        await self._redis.slowlog_reset()
        await self._redis.config_resetstat()
        self._before = await _used(self._redis)
        self._server = int((await self._redis.info("server"))["process_id"])
        self._cpu = meter.cpu(self._server) or 0.0

    async def look(self) -> None:
        """Look until this is cancelled."""
        while True:
            self._most = max(self._most, await _used(self._redis))
            await asyncio.sleep(0.05)

    async def end(self) -> Figures:
        """To here; return what was seen."""
        slow = [entry for entry in await self._redis.slowlog_get(10_000) if entry["command"].startswith(b"FCALL")]
        calls = (await self._redis.info("commandstats")).get("cmdstat_fcall", {"calls": 0})["calls"]
        worst = max((entry["duration"] for entry in slow), default=0)
        more = max(0, self._most - self._before)
        cpu = (meter.cpu(self._server) or 0.0) - self._cpu
        return {
            "bytes more": more,
            "calls": calls,
            "CPU ms a call": 1000 * cpu / max(1, calls),
            "slow calls": len(slow),
            "slowest ms": worst / 1000,
        }


async def _used(redis: Any) -> int:
    return int((await redis.info("memory"))["used_memory"])


@contextlib.asynccontextmanager
async def _submitting(system: System) -> AsyncIterator[tuple[RedisBackend, Any]]:
    """A backend that hears of no ends, and a look at its server."""
    async with session(system.url, durability=system.durability, silent=True) as backend:
        yield backend, backend.client.redis


PROBES: dict[str, Callable[[System, int], Coroutine[Any, Any, Figures]]] = {
    "idle": idle,
    "endings": endings,
    "inputs": inputs,
    "vast": vast,
}
"""name → what measures it, given a size."""
