"""The orchestrator inside this process: the memory backend, one runner, and contexts that are opened as there is room.

``async with MemoryOrchestrator() as orchestrator: async with orchestrator(dataflow) as octx: async for ctx, result in
octx.run(...)``. Neighbours: `orchestrator.input_sets`, `runtime.runner`, `backends.memory`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from tidemill.backends.memory.backend import MemoryBackend
from tidemill.errors import (
    ContextClosed,
    ContextLimitExceeded,
    DuplicateContext,
    OperationException,
    TidemillError,
    shown,
)
from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.networks.backend import Ending
from tidemill.orchestrator.input_sets import InputSets, closing, normalised
from tidemill.orchestrator.outcome import Outcome, Progress
from tidemill.plan.plan import Plan
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.runner import Runner

__all__ = ["MemoryOrchestrator", "MemoryOrchestratorContext"]

OPEN_AT_ONCE = 1000
"""Contexts that are open at once unless told otherwise: as many as parameter sets can run at once."""
READY_ENOUGH = 64
"""Parameter sets that are ready, at which no further context is opened: those that are open end first."""


class MemoryOrchestrator:
    """Runs data flows in this process.

    ``max_ctxs`` bounds the contexts that are open at once, ``workers`` the parameter sets that run at once. ``seed``
    makes a random order of execution that can be repeated. ``lineage`` keeps the inputs of contexts for
    `Outcome.lineage`.
    """

    def __init__(
        self,
        *,
        max_ctxs: int | None = None,
        workers: int | None = None,
        seed: int | None = None,
        lineage: bool = False,
    ) -> None:
        self.max_ctxs = _bound("max_ctxs", max_ctxs)
        self.workers = _bound("workers", workers)
        self.seed = seed
        self.lineage = lineage

    @classmethod
    def withconfig(cls, config: Mapping[str, Any] | None = None) -> MemoryOrchestrator:
        """Return an orchestrator configured by a mapping of its keywords."""
        return cls(**(config or {}))

    async def __aenter__(self) -> MemoryOrchestrator:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    def __call__(self, dataflow: DataFlow, *, strict: bool = True) -> MemoryOrchestratorContext:
        """Return the context in which a data flow is run. ``strict``: the first failed operation fails its context."""
        return MemoryOrchestratorContext(self, dataflow, strict)

    @classmethod
    async def run(
        cls, dataflow: DataFlow, *sets: InputSets, strict: bool = True, ctx: Any = None, **keywords: Any
    ) -> AsyncGenerator[tuple[BaseInputSetContext, dict[str, Any]], None]:
        """Run a data flow over input sets; see `MemoryOrchestratorContext.run`."""
        async with cls(**keywords) as orchestrator, orchestrator(dataflow, strict=strict) as octx:
            async with closing(octx.run(*sets, ctx=ctx)) as pairs:
                async for pair in pairs:
                    yield pair


def _bound(name: str, value: int | None) -> int | None:
    """Return how many may be at once; with fewer than one nothing would ever run."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        said = f"{name} is {shown(value)}, expected a whole number of 1 or more, or None for the default"
        raise TidemillError(said, reason="InvalidLimit")
    return value


class MemoryOrchestratorContext:
    """One data flow being run: its implementations are entered, and any number of runs share them."""

    def __init__(self, parent: MemoryOrchestrator, dataflow: DataFlow, strict: bool) -> None:
        self.parent = parent
        self.dataflow = dataflow
        self.strict = strict
        choose = random.Random(parent.seed).randrange if parent.seed is not None else None
        self.backend = MemoryBackend(choose=choose, lineage=parent.lineage)
        self._stack = contextlib.AsyncExitStack()
        self._contexts: dict[str, BaseInputSetContext] = {}
        self._room = asyncio.Event()
        self._ended: deque[Outcome] = deque()
        self._news = asyncio.Event()
        self._crash: BaseException | None = None
        self._counts = {"open": 0, "succeeded": 0, "failed": 0}

    async def __aenter__(self) -> MemoryOrchestratorContext:
        async with self._stack:
            implementations = await self._stack.enter_async_context(Implementations())
            self.plan: Plan = await implementations.enter(self.dataflow)
            self._runner = Runner(
                self.backend,
                implementations,
                self._contexts,
                slots=self.parent.workers,
                starving=self._room.set,
            )
            self._runner.crashed = self._crashed
            self.backend.implementations.cancel = self._runner.cancel
            await self._stack.enter_async_context(self._runner)
            self._stack = self._stack.pop_all()
        self._began = time.monotonic()
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Whoever still waits for results would wait for ever: nobody works on them any more.
        self._crashed(ContextClosed("the orchestrator context that runs this data flow has been left"))
        self.backend.forget()
        await self._stack.aclose()

    def _crashed(self, error: BaseException) -> None:
        """Take note of an error of the engine itself: the run cannot go on, and has to say so."""
        self._crash = error
        self._news.set()

    def progress(self) -> Progress:
        """Return how far everything is that this context has been asked to run."""
        return Progress(
            elapsed=time.monotonic() - self._began,
            contexts=dict(self._counts),
            operations=self.backend.operations.counts(),
            blocked=dict(self._runner.blocked),
        )

    async def run(
        self,
        *sets: InputSets,
        strict: bool | None = None,
        ctx: BaseInputSetContext | str | None = None,
        halt: asyncio.Event | None = None,
        parent: Any = None,
    ) -> AsyncGenerator[tuple[BaseInputSetContext, dict[str, Any]], None]:
        """Yield (context, result) as contexts end.

        A context that fails stops no other: `OperationException` is raised when all have ended. Setting ``halt``
        cancels what is open and opens no more. ``parent`` is accepted for DFFML's sake and means nothing: child
        contexts know their parents.
        """
        failures = []
        async with closing(self.outcomes(*sets, strict=strict, ctx=ctx, halt=halt)) as outcomes:
            async for outcome in outcomes:
                if outcome.result is not None:
                    yield outcome.ctx, outcome.result
                elif outcome.failure is not None:
                    failures.append(outcome.failure)
        if failures:
            raise OperationException(failures)

    async def outcomes(
        self,
        *sets: InputSets,
        strict: bool | None = None,
        ctx: BaseInputSetContext | str | None = None,
        halt: asyncio.Event | None = None,
    ) -> AsyncGenerator[Outcome, None]:
        """Yield what became of each context, as they end; failures are outcomes too.

        Raises `InvalidInput` and `DuplicateContext` for what cannot be opened: the rest is cancelled then.
        """
        run = _Run(self, self.strict if strict is None else strict, halt)
        feeding = asyncio.create_task(run.feed(normalised(sets, ctx)))
        try:
            async with closing(run.endings(feeding)) as endings:
                async for outcome in endings:
                    yield outcome
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await run.abandon()


class _Run:
    """One call of `outcomes`: opens contexts as there is room, collects how they end."""

    def __init__(self, octx: MemoryOrchestratorContext, strict: bool, halt: asyncio.Event | None) -> None:
        self._octx = octx
        self._backend = octx.backend
        self._strict = strict
        self._halt = halt
        self._most = octx.parent.max_ctxs or OPEN_AT_ONCE
        self._open: set[str] = set()
        self._ended: deque[Outcome] = deque()
        self._limit = octx.plan.limits.contexts
        self._opened = 0

    async def feed(self, pairs: AsyncIterator[tuple[BaseInputSetContext, list[Input]]]) -> None:
        """Open contexts, as long as there are not too many open, too much ready, or too many results unread."""
        octx = self._octx
        ready = self._backend.implementations.ready
        async with closing(pairs):
            async for ctx, inputs in pairs:
                while len(self._open) >= self._most or len(ready) > READY_ENOUGH or len(self._ended) > self._most:
                    octx._room.clear()
                    await octx._room.wait()
                if self._halt is not None and self._halt.is_set():
                    return
                self._begin((await ctx.handle()).as_string(), ctx, inputs)

    def _begin(self, name: str, ctx: BaseInputSetContext, inputs: list[Input]) -> None:
        octx = self._octx
        if self._limit is not None and self._opened >= self._limit:
            raise ContextLimitExceeded(f"the run was given more than {self._limit} contexts, the limit contexts")
        if name in octx._contexts:
            said = f'there is a context "{name}" already; a context is known by its name, so give this one another'
            raise DuplicateContext(said)
        self._opened += 1
        began = time.monotonic()
        octx._counts["open"] += 1
        octx._contexts[name] = ctx
        self._open.add(name)

        def ended(ending: Ending) -> None:
            self._open.discard(name)
            octx._contexts.pop(name, None)
            octx._counts["open"] -= 1
            octx._counts["failed" if ending.failure is not None else "succeeded"] += 1
            self._ended.append(_outcome(ending, ctx, time.monotonic() - began))
            octx._news.set()
            octx._room.set()

        try:
            self._backend.begin(name, octx.plan, inputs, ended, strict=self._strict)
        except BaseException:
            octx._counts["open"] -= 1
            octx._contexts.pop(name, None)
            self._open.discard(name)
            raise

    async def endings(self, feeding: asyncio.Task[None]) -> AsyncIterator[Outcome]:
        """Yield outcomes until everything that was fed has ended."""
        octx = self._octx
        feeding.add_done_callback(lambda task: octx._news.set())
        halted = None if self._halt is None else asyncio.create_task(self._cancel_at(self._halt, feeding))
        try:
            while True:
                octx._news.clear()
                if octx._crash is not None:
                    raise octx._crash
                while self._ended:
                    yield self._ended.popleft()
                    octx._room.set()
                if feeding.done():
                    if not (feeding.cancelled() and self._halt is not None and self._halt.is_set()):
                        feeding.result()
                    if not self._open:
                        return
                await octx._news.wait()
        finally:
            if halted is not None:
                halted.cancel()

    async def _cancel_at(self, halt: asyncio.Event, feeding: asyncio.Task[None]) -> None:
        await halt.wait()
        feeding.cancel()  # it may be waiting for a context that nobody gives
        await self._cancel_open()

    async def _cancel_open(self) -> None:
        for name in list(self._open):
            with contextlib.suppress(ContextClosed):  # it has ended just now
                await self._backend.cancel(name)

    async def abandon(self) -> None:
        """Cancel what is still open, clean up after it, and wait for that."""
        await self._cancel_open()
        while self._open and self._octx._crash is None:
            self._octx._news.clear()
            await self._octx._news.wait()


def _outcome(ending: Ending, ctx: BaseInputSetContext, elapsed: float) -> Outcome:
    return Outcome(
        name=ending.context,
        ctx=ctx,
        result=ending.result,
        failure=ending.failure,
        failures=ending.failures,
        notes=ending.notes,
        inputs=ending.inputs,
        parameter_sets=ending.parameter_sets,
        elapsed=elapsed,
        lineage=ending.lineage,
    )
