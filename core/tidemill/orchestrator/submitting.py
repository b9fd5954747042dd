"""Contexts that are opened and left: whoever wants to know what became of them asks the store.

Neighbours: `orchestrator.redis` (which waits), `backends.redis.endings` (which asks).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial

from tidemill.backends.redis.backend import RedisBackend
from tidemill.errors import ContextLimitExceeded, TidemillError
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
    backend: RedisBackend, dataflow: DataFlow, *sets: InputSets, strict: bool = True, group: str = ""
) -> AsyncGenerator[str, None]:
    """Open a context for each input set and yield its name when the store has it, in their order. They are of a
    ``group``, if it has a name; see `backends.redis.groups`.

    Raises `InvalidFlow`, `LoadError` (PlanNotStored: it holds code that only this process has), `InvalidInput`,
    `DuplicateContext`, `ContextClosed` (the group has been cancelled), `ContextLimitExceeded`, all when the names of
    what has been opened have been yielded.
    """
    plan = compile_plan(dataflow)
    await backend.publish(plan)
    await backend.flows.get(plan.digest)
    begin = partial(backend.begin, strict=strict, group=group)
    sent, room = asyncio.Queue[Sent](), asyncio.Semaphore(ON_THE_WAY)
    feeding = asyncio.create_task(_feed(begin, plan, sets, sent, room))
    refused: list[Exception] = []
    try:
        while (one := await sent.get()) is not None:
            if isinstance(one, Exception):
                refused.append(one)
                break
            name, done = one
            try:
                await done
            except TidemillError as error:
                refused.append(error)
                feeding.cancel()  # what is on its way already may be opened all the same, and is said to be
                await asyncio.gather(feeding, return_exceptions=True)
                sent.put_nowait(None)
            else:
                yield name
            room.release()
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    if refused:
        raise refused[0]


async def _feed(
    begin: Callable[..., asyncio.Future[None]],
    plan: Plan,
    sets: InputSets,
    sent: asyncio.Queue[Sent],
    room: asyncio.Semaphore,
) -> None:
    """Send contexts as they come, however long the next one is waited for; then what went wrong, or None."""
    limit, opened = plan.limits.contexts, 0
    try:
        async with closing(normalised(sets, None)) as pairs:
            async for ctx, inputs in pairs:
                if limit is not None and opened >= limit:
                    raise ContextLimitExceeded(f"there are more than {limit} contexts, the limit contexts")
                opened += 1
                name = (await ctx.handle()).as_string()
                await room.acquire()
                done = begin(name, plan, inputs, _unheard)
                done.add_done_callback(_seen)
                sent.put_nowait((name, done))
    except Exception as error:
        sent.put_nowait(error)
    else:
        sent.put_nowait(None)


def _seen(done: asyncio.Future[None]) -> None:
    """Take note of how it went, also when nobody asks any more."""
    if not done.cancelled():
        done.exception()


def _unheard(raw: bytes) -> None:
    """Do nothing with an ending: whoever submits here is told of none."""
