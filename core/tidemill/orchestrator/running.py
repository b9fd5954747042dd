"""What orchestrators have in common: a data flow being run, and one run of it over input sets.

An orchestrator says how contexts are opened (`Run.open`) and how they are given up (`Run.cancel`); how many are open at
once, in which order outcomes come and what an error or a halt does is the same for all. Neighbours:
`orchestrator.memory`, `orchestrator.redis`.
"""

from __future__ import annotations

import abc
import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

from tidemill.errors import ContextLimitExceeded, DuplicateContext, OperationException, TidemillError, shown
from tidemill.metrics.series import Recorder
from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.networks.backend import Ending
from tidemill.orchestrator.input_sets import InputSets, closing, normalised
from tidemill.orchestrator.outcome import Outcome, Progress
from tidemill.plan.plan import Plan

__all__ = ["Measured", "OrchestratorContext", "Run", "Running", "bound", "outcome_of"]


class Measured(Protocol):
    """The record of a run, begun."""

    async def __call__(self, *, patient: bool = True) -> tuple[Recorder, str]:
        """Return what was measured, and from where that is: the ``process``, or a ``store`` that all workers tell.
        ``patient``: wait a few seconds for workers that have not told all of it."""
        ...


class Running(Protocol):
    """An orchestrator as `run` and the command line use it."""

    async def __aenter__(self) -> Running: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def __call__(self, dataflow: DataFlow, *, strict: bool = True) -> OrchestratorContext:
        """Return the context in which a data flow is run."""
        ...


def bound(name: str, value: int | None, least: int = 1) -> int | None:
    """Return how many may be at once; with fewer than ``least`` nothing would ever run."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        said = f"{name} is {shown(value)}, expected a whole number of {least} or more, or None for the default"
        raise TidemillError(said, reason="InvalidLimit")
    return value


class OrchestratorContext(abc.ABC):
    """One data flow being run: its implementations are entered, and any number of runs share them.

    ``metrics`` has what was measured of the calls of its operations, and what they have counted.
    """

    plan: Plan

    def __init__(self, dataflow: DataFlow, strict: bool) -> None:
        self.dataflow = dataflow
        self.metrics = Recorder()
        self.strict = strict
        self.contexts: dict[str, BaseInputSetContext] = {}
        self.counts = {"open": 0, "succeeded": 0, "failed": 0}
        self.room = asyncio.Event()
        self.runs: set[Run] = set()
        self.crash: BaseException | None = None

    @abc.abstractmethod
    async def __aenter__(self) -> OrchestratorContext: ...

    @abc.abstractmethod
    async def __aexit__(self, *exc: object) -> None: ...

    @abc.abstractmethod
    def progress(self) -> Progress:
        """Return how far everything is that this context has been asked to run."""

    async def look(self) -> Progress:
        """Return how far everything is at this moment."""
        return self.progress()

    async def measuring(self) -> Measured:
        """Begin the record of a run, and return what gives it in the end: what was measured from now on, by everybody
        who has run something of it."""

        async def measured(*, patient: bool = True) -> tuple[Recorder, str]:
            return self.metrics, "process"

        return measured

    async def unserved(self) -> list[str]:
        """Return what nobody runs though it is ready, each in a sentence."""
        return []

    @abc.abstractmethod
    def begin(self, strict: bool, halt: asyncio.Event | None) -> Run:
        """Return a run that opens contexts here."""

    def crashed(self, error: BaseException) -> None:
        """Take note of an error of the engine itself: the run cannot go on, and has to say so."""
        self.crash = error
        for run in self.runs:
            run.news.set()
        self.room.set()

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
        run = self.begin(self.strict if strict is None else strict, halt)
        self.runs.add(run)
        feeding = asyncio.create_task(run.feed(normalised(sets, ctx)))
        try:
            async with closing(run.endings(feeding)) as endings:
                async for outcome in endings:
                    yield outcome
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await run.abandon()
            self.runs.discard(run)


class Run(abc.ABC):
    """One call of `outcomes`: opens contexts as there is room, collects how they end."""

    def __init__(self, octx: OrchestratorContext, strict: bool, halt: asyncio.Event | None, most: int) -> None:
        self.octx = octx
        self.strict = strict
        self.most = most
        self.ended: deque[Outcome] = deque()
        self.news = asyncio.Event()  # its own: of a thousand runs only the one whose context has ended wakes up
        self._halt = halt
        self._open: dict[str, tuple[BaseInputSetContext, float]] = {}
        self._limit = octx.plan.limits.contexts
        self._opened = 0

    # -- what an orchestrator says -----------------------------------------------------------------------------------

    @abc.abstractmethod
    def open(self, name: str, inputs: list[Input]) -> None:
        """Open a context, or begin to; `settled` is called when it has ended."""

    @abc.abstractmethod
    async def cancel(self, name: str) -> None:
        """Cancel a context that is open; one that has ended meanwhile is none."""

    def has_room(self) -> bool:
        """Say whether one more context may be opened now."""
        return len(self._open) < self.most and len(self.ended) <= self.most

    @abc.abstractmethod
    async def fed(self) -> None:
        """Wait until everything that was to be opened is."""

    # -- what is the same for all ------------------------------------------------------------------------------------

    async def feed(self, pairs: AsyncIterator[tuple[BaseInputSetContext, list[Input]]]) -> None:
        """Open contexts, as long as there are not too many open, too much ready, or too many results unread."""
        octx = self.octx
        async with closing(pairs):
            async for ctx, inputs in pairs:
                while not self.has_room() and octx.crash is None:
                    octx.room.clear()
                    await octx.room.wait()
                if octx.crash is not None or (self._halt is not None and self._halt.is_set()):
                    return
                self._begin((await ctx.handle()).as_string(), ctx, inputs)
        await self.fed()

    def _begin(self, name: str, ctx: BaseInputSetContext, inputs: list[Input]) -> None:
        octx = self.octx
        if self._limit is not None and self._opened >= self._limit:
            raise ContextLimitExceeded(f"the run was given more than {self._limit} contexts, the limit contexts")
        if name in octx.contexts:
            said = f'there is a context "{name}" already; a context is known by its name, so give this one another'
            raise DuplicateContext(said)
        self._opened += 1
        octx.counts["open"] += 1
        octx.contexts[name] = ctx
        self._open[name] = (ctx, time.monotonic())
        try:
            self.open(name, inputs)
        except BaseException:
            self.refused(name)
            raise

    def refused(self, name: str) -> None:
        """Forget a context that could not be opened."""
        if self._open.pop(name, None) is not None:
            self.octx.counts["open"] -= 1
            self.octx.contexts.pop(name, None)
            self.news.set()
            self.octx.room.set()

    def settled(self, ending: Ending) -> None:
        """Take note of the end of a context."""
        octx, name = self.octx, ending.context
        ctx, began = self._open.pop(name)
        octx.contexts.pop(name, None)
        octx.counts["open"] -= 1
        octx.counts["failed" if ending.failure is not None else "succeeded"] += 1
        self.ended.append(outcome_of(ending, ctx, time.monotonic() - began))
        self.news.set()
        octx.room.set()

    async def endings(self, feeding: asyncio.Task[None]) -> AsyncIterator[Outcome]:
        """Yield outcomes until everything that was fed has ended."""
        octx = self.octx
        feeding.add_done_callback(lambda task: self.news.set())
        halted = None if self._halt is None else asyncio.create_task(self._cancel_at(self._halt, feeding))
        try:
            while True:
                self.news.clear()
                if octx.crash is not None:
                    raise octx.crash
                while self.ended:
                    yield self.ended.popleft()
                    octx.room.set()
                if feeding.done():
                    if not (feeding.cancelled() and self._halt is not None and self._halt.is_set()):
                        feeding.result()
                    if not self._open:
                        return
                await self.news.wait()
        finally:
            if halted is not None:
                halted.cancel()

    async def _cancel_at(self, halt: asyncio.Event, feeding: asyncio.Task[None]) -> None:
        await halt.wait()
        feeding.cancel()  # it may be waiting for a context that nobody gives
        await self._cancel_open()

    async def _cancel_open(self) -> None:
        for name in list(self._open):
            await self.cancel(name)

    async def abandon(self) -> None:
        """Cancel what is still open, clean up after it, and wait for that."""
        if self.octx.crash is None:
            await self._cancel_open()
        while self._open and self.octx.crash is None:
            self.news.clear()
            await self.news.wait()


def outcome_of(ending: Ending, ctx: BaseInputSetContext, elapsed: float = 0.0) -> Outcome:
    """Return what became of a context as it is handed out."""
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
