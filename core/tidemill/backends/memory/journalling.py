"""The memory backend with a journal: each part notes what it does to a context, and does it as the part without.

Parts that note are subclasses, put together in the place of the others: a backend without a journal pays nothing.
Facts are noted as they lie there, one tuple each, and are put into words when somebody reads. Neighbours:
`backends.memory.backend` puts the parts together, `backends.memory.words` has the words, `journal.kept` the facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.backends.memory.children import Children
from tidemill.backends.memory.context import MemoryContext
from tidemill.backends.memory.flowing import Flowing
from tidemill.backends.memory.implementations import MemoryOperationImplementationNetwork
from tidemill.backends.memory.inputs import MemoryInputNetwork
from tidemill.backends.memory.locks import MemoryLockNetwork
from tidemill.backends.memory.redundancy import MemoryRedundancyChecker
from tidemill.backends.memory.settle import Settling
from tidemill.backends.memory.stages import Stages
from tidemill.backends.memory.words import said
from tidemill.engine.inputs import Item
from tidemill.engine.intake import Offer
from tidemill.engine.operations import Channel, Door
from tidemill.engine.parameters import COMPLETED, DELAYED, DROPPED, ParameterSet
from tidemill.engine.stages import after
from tidemill.errors import OperationFailure, TidemillError
from tidemill.journal.kept import Journal
from tidemill.model.input import Input
from tidemill.networks.implementations import Released, Subflow
from tidemill.plan.plan import PlannedOperation

__all__ = ["Parts"]


class _Inputs(MemoryInputNetwork):
    defaulting: tuple[PlannedOperation, int]

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._logs = journal.logs

    def seeds(self, context: MemoryContext) -> Sequence[Offer]:
        self._journal.begin(context.name, context).note(("opened", context))  # nothing is stored before this
        return super().seeds(context)

    def check(self, context: MemoryContext, inputs: Sequence[Input]) -> list[Offer]:
        try:
            return super().check(context, inputs)
        except TidemillError:
            if not self._logs[context.name].begun:
                self._journal.forget(context.name)
            raise

    def store(
        self, context: MemoryContext, channel: Channel, value: Any, parents: tuple[Item, ...], position: tuple[int, int]
    ) -> Item | None:
        item = super().store(context, channel, value, parents, position)
        if item is not None:
            self._logs[context.name].note(("input", item, parents))
        return item

    def default(self, context: MemoryContext, value: Any) -> Item:
        item = super().default(context, value)
        self._logs[context.name].note(("default", item, *self.defaulting))
        return item


class _Redundancy(MemoryRedundancyChecker):
    def __init__(self, journal: Journal) -> None:
        self._logs = journal.logs

    def take(self, context: MemoryContext, operation: PlannedOperation, items: tuple[Item, ...]) -> bool:
        new = super().take(context, operation, items)
        if new:
            self._logs[context.name].note(("taken", operation, items))
        return new


class _Locks(MemoryLockNetwork):
    def __init__(self) -> None:
        self.freed: set[ParameterSet] = set()

    def release(self, parameter_set: ParameterSet) -> list[ParameterSet]:
        found = super().release(parameter_set)
        self.freed.update(found)
        return found


class _Flowing(Flowing):
    inputs: _Inputs
    knocks: Item | None = None

    def __init__(self, journal: Journal, *parts: Any) -> None:
        super().__init__(*parts)
        self._logs = journal.logs

    def _knock(self, context: MemoryContext, door: Door, item: Item) -> None:
        self.knocks = item
        try:
            super()._knock(context, door, item)
        finally:
            self.knocks = None

    def activate(self, context: MemoryContext, operation: PlannedOperation) -> None:
        if operation.gate:
            self._logs[context.name].note(("gate", operation, self.knocks))
        super().activate(context, operation)

    def default(self, context: MemoryContext, operation: PlannedOperation, index: int) -> None:
        self.inputs.defaulting = operation, index
        super().default(context, operation, index)


class _Implementations(MemoryOperationImplementationNetwork):
    def __init__(self, journal: Journal, locks: _Locks, *parts: Any) -> None:
        super().__init__(*parts)
        self._journal = journal
        self._logs = journal.logs
        self._freed = locks.freed

    def dispatch(self, parameter_set: ParameterSet) -> None:
        many = len(self.ready)
        super().dispatch(parameter_set)
        if len(self.ready) != many:  # and is not parked
            freed = bool(self._freed) and parameter_set in self._freed
            if freed:
                self._freed.discard(parameter_set)
            self._logs[parameter_set.context.name].note(("dispatched", parameter_set, freed))

    def lease(self, worker: str, want: int) -> list[ParameterSet]:
        leased = super().lease(worker, want)
        for parameter_set in leased:
            log = self._logs[parameter_set.context.name]
            log.note(("leased", parameter_set, worker, parameter_set.leases))
            if log.heard or len(log.facts) >= self._journal.piece:
                log.trim()
        return leased


class _Stages(Stages):
    def __init__(self, journal: Journal, flowing: Flowing, inputs: MemoryInputNetwork, end: Any) -> None:
        super().__init__(flowing, inputs, self._ended)
        self._journal = journal
        self._logs = journal.logs
        self._over = end

    def start(self, context: MemoryContext) -> None:
        log = self._logs[context.name]
        log.begun = True
        if self._journal.sink is not None:
            log.gather()  # whoever takes events hears of a context when it begins
        super().start(context)

    def _next(self, context: MemoryContext) -> bool:
        stage = context.stage or context.failed_stage
        following = after(stage, context.failure is not None) if stage is not None else None
        if following is not None:
            self._logs[context.name].note(("stage", following))
        return super()._next(context)

    def fail(self, context: MemoryContext, failure: OperationFailure) -> None:
        self._logs[context.name].note(("failure", failure))
        super().fail(context, failure)

    def _ended(self, context: MemoryContext, result: dict[str, Any] | None) -> None:
        failures = tuple(context.failures)
        self._logs[context.name].note(("ended", result, context.failure, failures, tuple(context.notes)))
        self._journal.end(context.name)
        parent = context.parent
        if parent is not None:
            self._logs[parent.context.name].note(("child", parent, context.name, context.failure is not None))
        self._over(context, result)


class _Children(Children):
    def __init__(self, journal: Journal, *parts: Any) -> None:
        super().__init__(*parts)
        self._logs = journal.logs
        self._opens, self._begin = self._begin, self._begin_or_note

    def _begin_or_note(
        self, name: str, plan: Any, inputs: Sequence[Input], end: Any, *, parent: ParameterSet, **how: Any
    ) -> MemoryContext:
        try:
            return self._opens(name, plan, inputs, end, parent=parent, **how)
        except TidemillError:
            self._logs[parent.context.name].note(("child", parent, name, True))
            raise

    def _resume(self, parent: ParameterSet) -> None:
        context = parent.context
        if parent in context.parents and context.stage is not parent.operation.stage:
            self._logs[context.name].note(("dropped", parent))
        super()._resume(parent)

    def _feed(self, child: MemoryContext, items: Sequence[Item]) -> None:
        self._logs[child.name].note(("added",))
        super()._feed(child, items)


class _Settling(Settling):
    def __init__(self, journal: Journal, *parts: Any) -> None:
        super().__init__(*parts)
        self._logs = journal.logs
        self._failing: OperationFailure | None = None

    def _note(self, kind: str, parameter_set: ParameterSet, *more: Any) -> None:
        self._logs[parameter_set.context.name].note((kind, parameter_set, *more))

    def _finish(self, parameter_set: ParameterSet, state: str) -> None:
        if self._failing is None:
            self._note("completed", parameter_set)
        super()._finish(parameter_set, state)

    def _fail(self, parameter_set: ParameterSet, failure: OperationFailure) -> None:
        self._note("failed", parameter_set, failure)
        self._failing = failure
        try:
            super()._fail(parameter_set, failure)
        finally:
            self._failing = None

    def _try_again_or_fail(self, parameter_set: ParameterSet, failure: OperationFailure) -> None:
        self._failing = failure
        try:
            super()._try_again_or_fail(parameter_set, failure)
        finally:
            self._failing = None

    def _again(self, parameter_set: ParameterSet) -> None:
        if parameter_set.context.stage is not parameter_set.operation.stage:
            self._note("dropped", parameter_set)
        elif self._failing is not None:
            self._note("retried", parameter_set, self._failing)
        super()._again(parameter_set)

    def _leave(self, parameter_set: ParameterSet, state: str) -> None:
        if state is DROPPED:
            self._note("dropped", parameter_set)
        elif state is DELAYED:
            self._note("retried", parameter_set, self._failing)
        elif state is COMPLETED:
            self._failing = None  # what follows from a failure is none
        super()._leave(parameter_set, state)

    def _lose(self, parameter_set: ParameterSet, message: str) -> None:
        self._note("lost", parameter_set, message)
        super()._lose(parameter_set, message)

    def _released(self, report: Released) -> None:
        self._note("released", report.parameter_set)
        super()._released(report)

    def _subflow(self, report: Subflow) -> None:
        self._note("subflow", report.parameter_set, len(report.children))
        super()._subflow(report)


class Parts:
    """The parts of a backend that notes in a journal, each made as the one without would be."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        journal.said = said
        self._locks = _Locks()

    def inputs(self) -> MemoryInputNetwork:
        """Return the input network."""
        return _Inputs(self._journal)

    def redundancy(self) -> MemoryRedundancyChecker:
        """Return the redundancy checker."""
        return _Redundancy(self._journal)

    def locks(self) -> MemoryLockNetwork:
        """Return the lock network."""
        return self._locks

    def flowing(self, *parts: Any) -> Flowing:
        """Return the loop through the networks."""
        return _Flowing(self._journal, *parts)

    def stages(self, *parts: Any) -> Stages:
        """Return what moves contexts on."""
        return _Stages(self._journal, *parts)

    def children(self, *parts: Any) -> Children:
        """Return what opens child contexts."""
        return _Children(self._journal, *parts)

    def settling(self, *parts: Any) -> Settling:
        """Return what settles reports."""
        return _Settling(self._journal, *parts)

    def implementations(self, *parts: Any) -> MemoryOperationImplementationNetwork:
        """Return the operation implementation network."""
        return _Implementations(self._journal, self._locks, *parts)
