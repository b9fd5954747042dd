"""Parameter sets a second, whoever runs them: contexts are opened while their group is suspended, then it is resumed.

The workers are started by others (`outside`, `inside`); what opens contexts and looks at them is the same for both, and
so nothing of it counts but a look ten times a second.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass

from benchmarks.cluster import flows
from tidemill import Input
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.groups import RedisGroups
from tidemill.model.dataflow import DataFlow
from tidemill.plan.compile import compile_plan

AT_ONCE = 200
LOOK = 0.1
"""Seconds between two looks."""
SECONDS = 600.0
"""How long a run may take."""


@dataclass(frozen=True)
class Workers:
    """Workers that run: the store that they ask, what its keys begin with, and what they call their pool."""

    url: str
    prefix: str
    pool: str


def measured(workers: Workers, contexts: int) -> float:
    """Return how many parameter sets a second the workers complete. Raises RuntimeError where they do not."""
    return asyncio.run(_measured(workers, contexts))


async def _measured(workers: Workers, contexts: int) -> float:
    client = Client(workers.url, prefix=workers.prefix, timeout=60, name="benchmark")
    backend = RedisBackend(client, silent=True, retention=60)
    groups, group = RedisGroups(client), f"benchmark-{uuid.uuid4().hex[:8]}"
    try:
        await client.load()
        await groups.suspend(group)
        await _open(backend, group, workers.pool, contexts)
        return await _rate(groups, group, contexts)
    finally:
        await groups.drop(group)
        await backend.mail.close()
        await client.close()


async def _open(backend: RedisBackend, group: str, pool: str, contexts: int) -> None:
    dataflow = DataFlow._fromdict(**flows.spec(pool=pool))
    plan = compile_plan(dataflow)
    await backend.publish(plan)
    await backend.flows.get(plan.digest)
    number = dataflow.definitions["number"]
    for at in range(0, contexts, AT_ONCE):
        some = range(at, min(at + AT_ONCE, contexts))
        sent = [
            backend.begin(f"{group}.{one}", plan, [Input(one, number)], _unheard, strict=True, group=group)
            for one in some
        ]
        await asyncio.gather(*sent)


async def _rate(groups: RedisGroups, group: str, contexts: int) -> float:
    """Return parameter sets a second between a tenth and nine tenths of all of them: begin and end are of others."""
    begin = time.perf_counter()
    seen = [(begin, 0)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(groups.resume(group))  # in pieces: workers have done a part when the last one is resumed
        while seen[-1][1] < contexts:
            await asyncio.sleep(LOOK)
            counts = (await groups.counts(group)).contexts
            seen.append((time.perf_counter(), counts["succeeded"]))
            if counts["failed"] or seen[-1][0] - begin > SECONDS:
                raise RuntimeError(f"of {contexts} contexts {counts} after {seen[-1][0] - begin:.0f} s")
    early = max(one for one in seen if one[1] <= contexts / 10)
    late = min(one for one in seen if one[1] >= contexts * 9 / 10)
    return flows.UNITS * (late[1] - early[1]) / (late[0] - early[0])


def _unheard(raw: bytes) -> None:
    """Do nothing with an ending: the store counts them."""
