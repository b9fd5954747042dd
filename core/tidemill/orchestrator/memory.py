"""The orchestrator inside this process: the memory backend, one runner, and contexts that are opened as there is room.

``async with MemoryOrchestrator() as orchestrator: async with orchestrator(dataflow) as octx: async for ctx, result in
octx.run(...)``. Neighbours: `orchestrator.running`, `runtime.runner`, `backends.memory`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from tidemill.backends.memory.backend import MemoryBackend
from tidemill.backends.memory.tolerance import Tolerance
from tidemill.engine.operations import exact
from tidemill.errors import ContextClosed
from tidemill.journal.kept import Journal
from tidemill.metrics.measured import Waits
from tidemill.metrics.remaining import durations
from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.orchestrator.input_sets import InputSets, closing
from tidemill.orchestrator.outcome import Progress
from tidemill.orchestrator.running import OrchestratorContext, Run, bound
from tidemill.plan.plan import Plan
from tidemill.runtime.config import as_config, config, field, plain_fields
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.runner import Runner
from tidemill.runtime.view import CallContext

__all__ = ["MemoryOrchestrator", "MemoryOrchestratorConfig", "MemoryOrchestratorContext"]

OPEN_AT_ONCE = 1000
"""Contexts that are open at once unless told otherwise: as many as parameter sets can run at once."""
READY_ENOUGH = 64
"""Parameter sets that are ready, at which no further context is opened: those that are open end first."""


@config
class MemoryOrchestratorConfig:
    """How data flows are run in this process; see `MemoryOrchestrator`."""

    max_ctxs: int | None = field("contexts that are open at once", default=None)
    workers: int | None = field("parameter sets that run at once", default=None)
    seed: int | None = field("makes a random order of execution that can be repeated", default=None)
    lineage: bool = field("keep the inputs of contexts for Outcome.lineage", default=False)
    metrics: bool = field("measure calls, and let operations count", default=True)
    exact: bool = field("refuse numbers and truth values that stand for another scalar", default=False)


class MemoryOrchestrator:
    """Runs data flows in this process.

    Configured by a `MemoryOrchestratorConfig`, or by its fields as keywords: ``max_ctxs`` bounds the contexts that are
    open at once, ``workers`` the parameter sets that run at once. ``seed`` makes a random order of execution that can
    be repeated. ``lineage`` keeps the inputs of contexts for `Outcome.lineage`. ``metrics``: measure calls, and let
    operations count for the run. ``exact`` refuses a number that stands for another scalar, and what is no text, as
    stores and documents do; without it there is a warning in the log (see `backends.memory.tolerance`). All that
    happens is noted in the ``journal``, if there is one.
    """

    CONFIG = MemoryOrchestratorConfig

    def __init__(
        self,
        config: MemoryOrchestratorConfig | None = None,
        *,
        max_ctxs: int | None = None,
        workers: int | None = None,
        seed: int | None = None,
        lineage: bool = False,
        exact: bool = False,
        metrics: bool = True,
        journal: Journal | None = None,
    ) -> None:
        if config is None:
            config = MemoryOrchestratorConfig(
                max_ctxs=max_ctxs, workers=workers, seed=seed, lineage=lineage, exact=exact, metrics=metrics
            )
        self.config = config
        self.max_ctxs = bound("max_ctxs", config.max_ctxs)
        self.workers = bound("workers", config.workers)
        self.seed = config.seed
        self.lineage = config.lineage
        self.metrics = config.metrics
        self.exact = config.exact
        self.journal = journal

    @classmethod
    def withconfig(cls, config: Mapping[str, Any] | None = None, *above: str) -> MemoryOrchestrator:
        """Return an orchestrator configured by a mapping of its keywords, plain or nested (`plain_fields`)."""
        return cls(as_config(MemoryOrchestratorConfig, plain_fields(config, *above, "orchestrator", "memory")))

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
        """Run a data flow over input sets; see `OrchestratorContext.run`."""
        async with cls(**keywords) as orchestrator, orchestrator(dataflow, strict=strict) as octx:
            async with closing(octx.run(*sets, ctx=ctx)) as pairs:
                async for pair in pairs:
                    yield pair


class MemoryOrchestratorContext(OrchestratorContext):
    """A data flow being run in this process."""

    def __init__(self, parent: MemoryOrchestrator, dataflow: DataFlow, strict: bool) -> None:
        super().__init__(dataflow, strict)
        self.parent = parent
        choose = random.Random(parent.seed).randrange if parent.seed is not None else None
        check_of = exact if parent.exact else Tolerance()
        journal, lineage = parent.journal, parent.lineage
        self.backend = MemoryBackend(choose=choose, lineage=lineage, check_of=check_of, journal=journal)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> MemoryOrchestratorContext:
        async with self._stack:
            implementations = await self._stack.enter_async_context(Implementations())
            self.plan: Plan = await implementations.enter(self.dataflow)
            self._runner = Runner(
                self.backend,
                implementations,
                self.contexts,
                slots=self.parent.workers,
                starving=self.room.set,
                metrics=self.metrics if self.parent.metrics else None,
            )
            if self._runner.meter is not None:
                self.backend.implementations.waits = Waits(self._runner.meter)
            self._runner.crashed = self.crashed
            self.backend.implementations.cancel = self._runner.cancel
            await self._stack.enter_async_context(self._runner)
            self._stack = self._stack.pop_all()
        self._began = time.monotonic()
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Whoever still waits for results would wait for ever: nobody works on them any more.
        self.crashed(ContextClosed("the orchestrator context that runs this data flow has been left"))
        self.backend.forget()
        await self._stack.aclose()

    def progress(self) -> Progress:
        """Return how far everything is that this context has been asked to run."""
        return Progress(
            elapsed=time.monotonic() - self._began,
            contexts=dict(self.counts),
            operations=self.backend.operations.counts(),
            blocked=dict(self._runner.blocked),
            seconds=durations(self.metrics),
        )

    def begin(self, strict: bool, halt: asyncio.Event | None) -> Run:
        """Return a run that opens contexts in this process."""
        return _MemoryRun(self, strict, halt, self.parent.max_ctxs or OPEN_AT_ONCE)


class _MemoryRun(Run):
    octx: MemoryOrchestratorContext

    def open(self, name: str, inputs: list[Input]) -> None:
        self.octx.backend.begin(name, self.octx.plan, inputs, self.settled, strict=self.strict)

    async def fed(self) -> None:
        """Return: what has been opened here is open."""

    def has_room(self) -> bool:
        return super().has_room() and len(self.octx.backend.implementations.ready) <= READY_ENOUGH

    async def cancel(self, name: str) -> None:
        with contextlib.suppress(ContextClosed):  # it has ended just now
            await self.octx.backend.cancel(name)


CallContext.orchestrate = MemoryOrchestrator
