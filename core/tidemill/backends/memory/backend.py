"""The memory backend: the verbs of a context, each one step, over the five networks beside it.

What becomes of a report is in `backends.memory.settle`, what follows from a new input in `backends.memory.flowing`;
this file opens contexts, takes inputs, moves stages on and ends contexts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

from tidemill.backends.memory.children import Children
from tidemill.backends.memory.context import MemoryContext
from tidemill.backends.memory.flowing import Exceeded, Flowing
from tidemill.backends.memory.implementations import MemoryOperationImplementationNetwork
from tidemill.backends.memory.inputs import MemoryInputNetwork
from tidemill.backends.memory.locks import MemoryLockNetwork
from tidemill.backends.memory.operations import CheckOf, MemoryOperationNetwork
from tidemill.backends.memory.redundancy import MemoryRedundancyChecker
from tidemill.backends.memory.settle import Settling
from tidemill.backends.memory.stages import Stages
from tidemill.engine.lineage import LineageRecord, lineage_of
from tidemill.engine.operations import exact
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import ContextClosed, DuplicateContext, OperationFailure, TidemillError
from tidemill.journal.event import Event
from tidemill.journal.kept import Journal, no_journal
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Report
from tidemill.plan.plan import Plan

__all__ = ["MemoryBackend"]

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after so many seconds: ``loop.call_later``, or a clock of a test."""


class MemoryBackend:
    """Contexts, and the networks they work on, in this process.

    ``choose`` picks what is leased next (see `Ready`); ``later`` is where time comes from, the running loop's by
    default. ``lineage`` keeps the inputs of ended contexts for as long as their endings are kept. ``check_of`` says
    what values are held to, their primitives by default. With a ``journal`` all that happens is noted there.
    """

    def __init__(
        self,
        *,
        choose: Callable[[int], int] | None = None,
        later: Later | None = None,
        lineage: bool = False,
        check_of: CheckOf = exact,
        journal: Journal | None = None,
    ) -> None:
        make = _Parts() if journal is None else _noting(journal)
        self.inputs: MemoryInputNetwork = make.inputs()
        self.operations = MemoryOperationNetwork(check_of)
        self.redundancy: MemoryRedundancyChecker = make.redundancy()
        self.locks: MemoryLockNetwork = make.locks()
        self._flowing: Flowing = make.flowing(self.inputs, self.redundancy, self.locks)
        self._stages: Stages = make.stages(self._flowing, self.inputs, self._end)
        self._children: Children = make.children(self._stages, self._flowing, self.begin, self.stop_intake)
        timer = later or _on_the_loop
        self._settling: Settling = make.settling(self._flowing, self._stages, self.locks, timer, self._children)
        self.implementations: MemoryOperationImplementationNetwork
        self.implementations = make.implementations(self._settling.settle, self._flowing.expand, choose)
        self.implementations.lost = self._settling.lose
        self._flowing.implementations = self._settling.implementations = self.implementations
        self._children.implementations = self.implementations
        self._stages.cancel = self._cancel_running
        self._stages.release_children = self._children.release
        self._lineage = lineage
        self._journal = journal
        self._contexts: dict[str, MemoryContext] = {}
        self._endings: dict[str, asyncio.Future[Ending]] = {}

    # -- contexts ---------------------------------------------------------------------------------------------------

    async def open(
        self, context: str, plan: Plan, inputs: Sequence[Input], *, strict: bool = True, hold: bool = False
    ) -> None:
        """Open a context with its first inputs; see `networks.backend`."""
        ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.begin(context, plan, inputs, ending.set_result, strict=strict, hold=hold)
        self._endings[context] = ending

    def begin(
        self,
        name: str,
        plan: Plan,
        inputs: Sequence[Input],
        ended: Callable[[Ending], None],
        *,
        strict: bool = True,
        hold: bool = False,
        parent: ParameterSet | None = None,
    ) -> MemoryContext:
        """Open a context and have ``ended`` called with its ending; see `open`."""
        if name in self._contexts or name in self._endings:
            raise DuplicateContext(
                f'there is a context "{name}" already; a context is known by its name, so give this one another'
            )
        context = MemoryContext(name, self.operations.bind(plan), strict, ended)
        context.parent = parent
        context.depth = parent.context.depth + 1 if parent is not None else 0
        network = self.inputs
        journal = self._journal
        if journal is not None:
            context.facts = journal.begin(name, _opened(context))
        try:
            # What the data flow brings is stored before the rest is checked: it counts, and its identities are known.
            seeds = network.give(context, network.seeds(context))
            offers = network.check(context, inputs)
        except TidemillError:
            if journal is not None:
                journal.forget(name)
            raise
        self._contexts[name] = context
        if journal is not None and journal.sink is not None:
            journal.log_of(name).gather()  # whoever takes events hears of a context when it begins
        context.held = hold
        with self._failing_past_limits(context):
            self._stages.start(context)
            for seed in seeds:
                self._flowing.arrive(context, seed)
            self._flowing.give(context, offers)
            if not hold:
                self._stages.take_given_defaults(context)
            self._stages.settle_if_quiet(context)
        return context

    @contextlib.contextmanager
    def _failing_past_limits(self, context: MemoryContext) -> Iterator[None]:
        """Fail the context, and nobody else, when it passes one of its limits."""
        try:
            yield
        except Exceeded as exceeded:
            self._stages.fail(context, OperationFailure(exceeded.reason, exceeded.message, context=context.name))

    async def add(self, context: str, inputs: Sequence[Input]) -> int:
        """Add inputs to a context that lives, and return how many were new."""
        found = self._living(context)
        if found.closed:
            raise ContextClosed(f'the intake of the context "{context}" was closed', reason="IntakeClosed")
        if found.stage is not Stage.PROCESSING:
            raise ContextClosed(f'the context "{context}" has ended its processing', reason="RunClosed")
        offers = self.inputs.check(found, inputs)
        if self._journal is not None:
            found.facts.append(("added",))
        stored = self.inputs.give(found, offers)
        with self._failing_past_limits(found):
            for item in stored:
                self._flowing.arrive(found, item)
        return len(stored)

    async def close(self, context: str) -> None:
        """Take no more inputs for a context."""
        found = self._living(context)
        if not found.closed:
            found.closed = True
            if self._journal is not None:
                found.facts.append(("closed",))
            if found.held:
                self.stop_intake(found)

    def stop_intake(self, context: MemoryContext) -> None:
        """Let a context that was held open go on to its end."""
        context.held = False
        with self._failing_past_limits(context):
            if context.stage is Stage.PROCESSING:
                self._stages.take_given_defaults(context)
            self._stages.settle_if_quiet(context)

    async def cancel(self, context: str) -> None:
        """Drop the work of a context, clean up, and end it as failed."""
        said = f'the context "{context}" was cancelled'
        self._stages.fail(self._living(context), OperationFailure("Cancelled", said, context=context))

    async def ending(self, context: str) -> Ending:
        """Wait for the end of a context, forget it, and return what became of it."""
        if context not in self._endings:
            raise ContextClosed(f'there is no context "{context}"', reason="RunGone")
        ending = await asyncio.shield(self._endings[context])
        self._endings.pop(context, None)
        return ending

    async def journal(self, context: str, *, after: int = 0, follow: bool = False) -> AsyncGenerator[Event, None]:
        """Yield the events of a context after one of them; see `networks.backend`."""
        if self._journal is None:
            raise no_journal(context)
        log = self._journal.log_of(context)
        if follow:
            async with contextlib.aclosing(log.follow(after)) as events:
                async for event in events:
                    yield event
        else:
            for event in log.after(after):
                yield event

    def forget(self) -> None:
        """Drop every context that has not ended, without cleaning up: for a run that is being torn down."""
        for context in self._contexts.values():
            context.stage = None
        self._contexts.clear()
        if self._journal is not None:
            self._journal.flush()

    # -- for the parts ----------------------------------------------------------------------------------------------

    def _living(self, name: str) -> MemoryContext:
        context = self._contexts.get(name)
        if context is None:
            reason = "RunClosed" if name in self._endings else "RunGone"
            raise ContextClosed(f'there is no context "{name}" that is still open', reason=reason)
        return context

    def _end(self, context: MemoryContext, result: dict[str, object] | None) -> None:
        del self._contexts[context.name]
        inputs = (
            sum(1 for item in context.items if item.channel is not None)
            if context.bound.has_defaults
            else len(context.items)
        )
        ending = Ending(
            context=context.name,
            result=result,
            failure=context.failure,
            failures=tuple(context.failures),
            notes=tuple(context.notes),
            inputs=inputs,
            parameter_sets=len(context.taken),
            lineage=_lineage_of(context) if self._lineage else _no_lineage,
        )
        context.results.clear()  # they lead back here: without them the context is freed at once
        context.ended(ending)

    def _cancel_running(self, context: MemoryContext) -> None:
        self._children.cancel(context)
        cancel = self.implementations.cancel
        if cancel is not None:
            for parameter_set in self.implementations.leased_of(context):
                cancel(parameter_set)

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> Sequence[ParameterSet]:
        """Settle reports and lease what is ready; see `networks.implementations`."""
        return await self.implementations.cycle(worker, reports, want)


class _Parts:
    """The parts of a backend that keeps no journal."""

    inputs, redundancy, locks = MemoryInputNetwork, MemoryRedundancyChecker, MemoryLockNetwork
    flowing, stages, children, settling = Flowing, Stages, Children, Settling
    implementations = MemoryOperationImplementationNetwork


def _noting(journal: Journal) -> Any:
    from tidemill.backends.memory.journalling import Parts

    return Parts(journal)


def _on_the_loop(seconds: float, call: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, call)


def _opened(context: MemoryContext) -> tuple[Any, ...]:
    """Return the first fact of a context."""
    parent = context.parent
    if parent is None:
        return context.bound.opened[context.strict]
    above = parent.context.name, parent.operation.instance, parent.key
    return "opened", context.bound.plan, context.strict, above


def _no_lineage() -> list[LineageRecord]:
    return []


def _lineage_of(context: MemoryContext) -> Callable[[], list[LineageRecord]]:
    items, name = context.items, context.name
    uids = {item.number: uid for uid, item in context.items_by_uid.items()}
    return lambda: lineage_of(name, items, uids)
