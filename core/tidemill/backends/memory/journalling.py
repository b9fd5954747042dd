"""The memory backend with a journal: each part notes what it does to a context, and does it as the part without.

Parts that note are subclasses, put together in the place of the others: a backend without a journal pays nothing. What
happens to nearly every parameter set and input is noted by what is there already, and outlives its context anyway or is
small: to keep objects alive costs more than to note them. All is put into words when somebody reads. Neighbours:
`backends.memory.backend` puts the parts together, `backends.memory.words` has the words, `journal.kept` the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from tidemill.engine.inputs import FIRST, Item
from tidemill.engine.operations import Channel, Door
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure, TidemillError
from tidemill.journal.kept import Journal
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Released, Subflow
from tidemill.plan.plan import PlannedOperation

__all__ = ["Parts"]

# What every operation passes is called by these names: to look for it with super() costs twice as much as the call.
_store = MemoryInputNetwork.store
_lease = MemoryOperationImplementationNetwork.lease
_finish = Settling._finish


class _Inputs(MemoryInputNetwork):
    defaulting: tuple[PlannedOperation, int]

    def store(
        self, context: MemoryContext, channel: Channel, value: Any, parents: tuple[Item, ...], position: tuple[int, int]
    ) -> Item | None:
        item = _store(self, context, channel, value, parents, position)
        if item is not None:
            facts = context.facts
            if item.parents is not parents:  # it stands for all equal values, and has no parents
                facts.append(("input", item, parents))
            elif position is FIRST and len(parents) == 1:
                facts += (channel, value, parents[0].number)
            elif parents or position[0]:
                facts += (channel, value, position, tuple([one.number for one in parents]))
            else:
                facts += (channel, value, ~position[1])
        return item

    def name(self, context: MemoryContext, uid: str, item: Item, value: Any) -> None:
        super().name(context, uid, item, value)
        context.facts.append(("uid", item.number, uid))

    def default(self, context: MemoryContext, value: Any) -> Item:
        item = super().default(context, value)
        context.facts.append(("default", item, *self.defaulting))
        return item


class _Locks(MemoryLockNetwork):
    def __init__(self) -> None:
        self.freed: set[ParameterSet] = set()

    def acquire(self, parameter_set: ParameterSet) -> bool:
        parameter_set.context.facts.append(("taken", parameter_set.key))
        return super().acquire(parameter_set)

    def release(self, parameter_set: ParameterSet) -> list[ParameterSet]:
        found = super().release(parameter_set)
        self.freed.update(found)
        return found


class _Flowing(Flowing):
    inputs: _Inputs
    knocks: Item | None = None

    def _knock(self, context: MemoryContext, door: Door, item: Item) -> None:
        self.knocks = item
        try:
            super()._knock(context, door, item)
        finally:
            self.knocks = None

    def activate(self, context: MemoryContext, operation: PlannedOperation) -> None:
        if operation.stage is not Stage.PROCESSING:
            context.facts.append(operation.stage)  # it has begun; who reads knows which ones were passed in between
        if operation.gate:
            context.facts.append(("gate", operation, self.knocks))
        super().activate(context, operation)

    def default(self, context: MemoryContext, operation: PlannedOperation, index: int) -> None:
        self.inputs.defaulting = operation, index
        super().default(context, operation, index)


class _Implementations(MemoryOperationImplementationNetwork):
    def __init__(self, journal: Journal, locks: _Locks, *parts: Any) -> None:
        super().__init__(*parts)
        self._journal = journal
        self._worker = journal.worker
        self.ready.append = _announcing(self.ready.append, locks.freed)

    def _park(self, parameter_set: ParameterSet) -> None:
        parameter_set.context.facts.append(("taken", parameter_set.key))
        super()._park(parameter_set)

    def lease(self, worker: str, want: int) -> list[ParameterSet]:
        leased = _lease(self, worker, want)
        for parameter_set in leased:
            facts = parameter_set.context.facts
            facts.append(parameter_set.key if worker == self._worker else ("leased", parameter_set.key, worker))
            if len(facts) >= self._journal.due:
                self._journal.trim(parameter_set.context.name)
        return leased


def _announcing(append: Callable[[ParameterSet], None], freed: set[ParameterSet]) -> Callable[[ParameterSet], None]:
    """Return what notes that a parameter set is ready, and makes it so; ``freed`` are those that waited for locks."""

    def announce(parameter_set: ParameterSet) -> None:
        if freed and parameter_set in freed:
            freed.discard(parameter_set)
            parameter_set.context.facts.append(("dispatched", parameter_set.key))
        else:
            parameter_set.context.facts.append(parameter_set.key)
        append(parameter_set)

    return announce


class _Stages(Stages):
    def __init__(self, journal: Journal, flowing: Flowing, inputs: MemoryInputNetwork, end: Any) -> None:
        super().__init__(flowing, inputs, self._ended)
        self._journal = journal
        self._over = end

    def fail(self, context: MemoryContext, failure: OperationFailure) -> None:
        context.facts.append(("failure", failure))
        super().fail(context, failure)

    def _ended(self, context: MemoryContext, result: dict[str, Any] | None) -> None:
        failure, failures, notes = context.failure, context.failures, context.notes
        fact: Any = result
        if failure is not None or failures or notes:
            fact = ("ended", result, failure, tuple(failures), tuple(notes))
        self._journal.end(context.name, context.facts, fact)
        parent = context.parent
        if parent is not None:
            parent.context.facts.append(("child", parent.key, context.name, failure is not None))
        self._over(context, result)


class _Children(Children):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._opens, self._begin = self._begin, self._begin_or_note

    def _begin_or_note(
        self, name: str, plan: Any, inputs: Sequence[Input], end: Any, *, parent: ParameterSet, **how: Any
    ) -> MemoryContext:
        try:
            return self._opens(name, plan, inputs, end, parent=parent, **how)
        except TidemillError:
            parent.context.facts.append(("child", parent.key, name, True))
            raise

    def _resume(self, parent: ParameterSet) -> None:
        context = parent.context
        if parent in context.parents and context.stage is not parent.operation.stage:
            context.facts.append(("dropped", parent.key))
        super()._resume(parent)

    def _feed(self, child: MemoryContext, items: Sequence[Item]) -> None:
        child.facts.append(("added",))
        super()._feed(child, items)


class _Settling(Settling):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._failing: OperationFailure | None = None

    def _finish(self, parameter_set: ParameterSet, state: str) -> None:
        if self._failing is None:
            parameter_set.context.facts.append(parameter_set.key)
        _finish(self, parameter_set, state)

    def _exceeded(self, parameter_set: ParameterSet, exceeded: Any) -> None:
        _note("dropped", parameter_set)
        super()._exceeded(parameter_set, exceeded)

    def _fail(self, parameter_set: ParameterSet, failure: OperationFailure) -> None:
        _note("failed", parameter_set, failure)
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
            _note("dropped", parameter_set)
        elif self._failing is not None:
            _note("retried", parameter_set, self._failing)
        super()._again(parameter_set)

    def _delay(self, parameter_set: ParameterSet, wait: float) -> None:
        _note("retried", parameter_set, self._failing)
        super()._delay(parameter_set, wait)

    def _lose(self, parameter_set: ParameterSet, message: str) -> None:
        _note("lost", parameter_set, message)
        super()._lose(parameter_set, message)

    def _released(self, report: Released) -> None:
        _note("released", report.parameter_set)
        super()._released(report)

    def _subflow(self, report: Subflow) -> None:
        _note("subflow", report.parameter_set, len(report.children))
        super()._subflow(report)


def _note(kind: str, parameter_set: ParameterSet, *more: Any) -> None:
    parameter_set.context.facts.append((kind, parameter_set.key, *more))


class Parts:
    """The parts of a backend that notes in a journal, each made as the one without would be."""

    redundancy = MemoryRedundancyChecker
    children, settling = _Children, _Settling
    flowing = _Flowing

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        journal.said = said
        self._locks = _Locks()

    def inputs(self) -> MemoryInputNetwork:
        """Return the input network."""
        return _Inputs()

    def locks(self) -> MemoryLockNetwork:
        """Return the lock network."""
        return self._locks

    def stages(self, *parts: Any) -> Stages:
        """Return what moves contexts on."""
        return _Stages(self._journal, *parts)

    def implementations(self, *parts: Any) -> MemoryOperationImplementationNetwork:
        """Return the operation implementation network."""
        return _Implementations(self._journal, self._locks, *parts)
