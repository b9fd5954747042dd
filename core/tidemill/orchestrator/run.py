"""`run`: a data flow and its inputs, in one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.orchestrator.input_sets import InputSets, closing
from tidemill.orchestrator.memory import MemoryOrchestrator
from tidemill.orchestrator.running import Running

__all__ = ["run"]


async def run(
    dataflow: DataFlow,
    *input_sets: InputSets,
    orchestrator: Running | None = None,
    strict: bool = True,
    ctx: BaseInputSetContext | str | None = None,
    halt: asyncio.Event | None = None,
    overlay: None = None,
    seed: int | None = None,
    max_ctxs: int | None = None,
) -> AsyncGenerator[tuple[BaseInputSetContext, dict[str, Any]], None]:
    """Run a data flow and yield (context, result) as contexts end.

    ``input_sets`` are mappings ``{context: [Input, …]}``, lists of inputs (each a context of its own, or all in
    ``ctx``), `MemoryInputSet` objects, or (async) iterables of ``(context, [Input, …])``; nothing is one context with
    the data flow's own seeds. ``strict``: the first failed operation fails its context; `OperationException` is
    raised when all contexts have ended. ``overlay`` can only be None: overlays are not applied.
    """
    chosen: Running = orchestrator if orchestrator is not None else MemoryOrchestrator(seed=seed, max_ctxs=max_ctxs)
    async with chosen as entered, entered(dataflow, strict=strict) as octx:
        async with closing(octx.run(*input_sets, ctx=ctx, halt=halt)) as pairs:
            async for pair in pairs:
                yield pair
