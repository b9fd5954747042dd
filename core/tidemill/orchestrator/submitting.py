"""Contexts that are opened and left: whoever wants to know what became of them asks the store.

Neighbours: `orchestrator.redis` (which waits), `backends.redis.endings` (which asks).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from tidemill.backends.redis.backend import RedisBackend
from tidemill.errors import ContextLimitExceeded
from tidemill.model.dataflow import DataFlow
from tidemill.orchestrator.input_sets import InputSets, closing, normalised
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan

__all__ = ["submit"]

ON_THE_WAY = 512
"""Contexts that are on their way to the store at once."""

Sent = tuple[str, asyncio.Future[None]] | Exception | None
"""A context and what is done when the store has it; or what went wrong before the next one; None at the end."""


async def submit(
    backend: RedisBackend, dataflow: DataFlow, *sets: InputSets, strict: bool = True
) -> AsyncGenerator[str, None]:
    """Open a context for each input set and yield its name when the store has it, in their order.

    Raises `InvalidFlow`, `LoadError` (PlanNotStored: it holds code that only this process has), `InvalidInput`,
    `DuplicateContext`, `ContextLimitExceeded`; contexts whose names were yielded stay open then.
    """
    plan = compile_plan(dataflow)
    await backend.publish(plan)
    await backend.flows.get(plan.digest)
    sent: asyncio.Queue[Sent] = asyncio.Queue(ON_THE_WAY)
    feeding = asyncio.create_task(_feed(backend, plan, sets, strict, sent))
    try:
        while (one := await sent.get()) is not None:
            if isinstance(one, Exception):
                raise one
            name, done = one
            await done
            yield name
    finally:
        feeding.cancel()
        left = [one[1] for one in _rest(sent) if isinstance(one, tuple)]
        await asyncio.gather(feeding, *left, return_exceptions=True)


async def _feed(backend: RedisBackend, plan: Plan, sets: InputSets, strict: bool, sent: asyncio.Queue[Sent]) -> None:
    """Send contexts as they come, however long the next one is waited for; then what went wrong, or None."""
    limit, opened = plan.limits.contexts, 0
    try:
        async with closing(normalised(sets, None)) as pairs:
            async for ctx, inputs in pairs:
                if limit is not None and opened >= limit:
                    raise ContextLimitExceeded(f"there are more than {limit} contexts, the limit contexts")
                opened += 1
                name = (await ctx.handle()).as_string()
                await sent.put((name, backend.begin(name, plan, inputs, _unheard, strict=strict)))
    except Exception as error:
        await sent.put(error)
    else:
        await sent.put(None)


def _rest(sent: asyncio.Queue[Sent]) -> list[Sent]:
    return [sent.get_nowait() for _ in range(sent.qsize())]


def _unheard(raw: bytes) -> None:
    """Do nothing with an ending: whoever submits here is told of none."""
