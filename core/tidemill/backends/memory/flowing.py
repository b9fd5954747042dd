"""What follows from a new input: candidates, combinations, gates, and parameter sets that are taken and dispatched.

This is the loop of the engine: input network → operation network → combinations → redundancy checker → lock network →
operation implementation network. Neighbours: `engine.matching` and `engine.expansion` decide, the networks keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidemill.backends.memory.context import MemoryContext
from tidemill.backends.memory.implementations import MemoryOperationImplementationNetwork
from tidemill.backends.memory.inputs import MemoryInputNetwork
from tidemill.backends.memory.locks import MemoryLockNetwork
from tidemill.backends.memory.redundancy import MemoryRedundancyChecker
from tidemill.engine.conditions import is_open, satisfies
from tidemill.engine.expansion import CHUNK, room, too_many
from tidemill.engine.implementations import Given
from tidemill.engine.inputs import Item, has_path, locks_of
from tidemill.engine.intake import Offer
from tidemill.engine.matching import Box, arrive, everything
from tidemill.engine.operations import Door, Target
from tidemill.engine.parameters import ParameterSet
from tidemill.plan.plan import PlannedOperation

__all__ = ["Exceeded", "Flowing"]


class Exceeded(Exception):
    """A context has passed one of its limits: ``reason`` and ``message`` say which."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Flowing:
    """Takes inputs in and follows them as far as the ready list."""

    implementations: MemoryOperationImplementationNetwork  # set when the backend is put together

    def __init__(
        self, inputs: MemoryInputNetwork, redundancy: MemoryRedundancyChecker, locks: MemoryLockNetwork
    ) -> None:
        self.inputs = inputs
        self.redundancy = redundancy
        self.locks = locks

    def give(self, context: MemoryContext, offers: Iterable[Offer]) -> list[Item]:
        """Store inputs that were given from outside and match them."""
        stored = self.inputs.give(context, offers)
        for item in stored:
            self.arrive(context, item)
        return stored

    def outputs(self, context: MemoryContext, given: Sequence[Given], parents: tuple[Item, ...]) -> None:
        """Store the outputs of a parameter set and match them. Raises `Exceeded` past the limit of inputs."""
        self.count(context, len(given))
        bound, store = context.bound, self.inputs.store
        for channel, value, position in given:
            item = store(context, bound.arrival(channel, parents), value, parents, position)
            if item is not None:
                self.arrive(context, item)

    def count(self, context: MemoryContext, more: int) -> None:
        """Raise `Exceeded` if a context may not have so many inputs more."""
        limit = context.bound.plan.limits.inputs
        have = len(context.items) - context.forgiven[0]
        if limit is not None and have + more > limit:
            said = f"the context would have {have + more} inputs; limit {limit}"
            raise Exceeded("InputLimitExceeded", said)

    def arrive(self, context: MemoryContext, item: Item) -> None:
        """Match a new input: it joins the candidates of whom it concerns, makes what combinations it makes, and may
        open gates. One that has still to be validated concerns its validator only."""
        channel = item.channel
        assert channel is not None
        if channel.validator is not None:
            context.awaited.update(channel.awaited)
            channel = channel.validator
        active = context.active
        for target in channel.targets:
            if target.plain and target.index in active:
                self.take(context, target.operation, (item,))
            else:
                self._join(context, target, item)
        for door in channel.doors:
            self._knock(context, door, item)

    def _join(self, context: MemoryContext, target: Target, item: Item) -> None:
        places = [
            index for index, paths in target.parameters if not paths or any(has_path(item, path) for path in paths)
        ]
        if places:
            operation = target.operation
            candidates = context.candidates_of(target.index)
            for box in arrive(operation, candidates, places, item, target.index in context.active):
                self.enter(context, box)

    def _knock(self, context: MemoryContext, door: Door, item: Item) -> None:
        operation = door.operation
        satisfied = context.satisfied.get(operation.index, frozenset())
        if door.group in satisfied:
            return
        try:
            if not satisfies(door, item):
                return
        except Exception as error:
            said = f'the condition "{item.definition}" of "{operation.instance}" is neither true nor false: {error}'
            raise Exceeded("ConditionType", said) from error
        context.satisfied[operation.index] = satisfied = satisfied | {door.group}
        if is_open(operation, satisfied) and operation.stage is context.stage:
            self.activate(context, operation)

    def activate(self, context: MemoryContext, operation: PlannedOperation) -> None:
        """Start an operation whose stage has begun and whose gate is open: everything that is there is combined."""
        context.active = context.active | {operation.index}
        box = everything(operation, context.candidates_of(operation.index))
        if box is not None:
            self.enter(context, box)

    def default(self, context: MemoryContext, operation: PlannedOperation, index: int) -> None:
        """Let a parameter take its default: it is one more candidate, and the youngest."""
        item = self.inputs.default(context, operation.parameters[index].definition.default)
        active = operation.index in context.active
        for box in arrive(operation, context.candidates_of(operation.index), (index,), item, active):
            self.enter(context, box)

    def enter(self, context: MemoryContext, box: Box) -> None:
        """Take the combinations of a box: at once while the backlog is short, the rest when it has drained.

        Raises `Exceeded` before the first one if they would pass the limit of parameter sets.
        """
        problem = too_many(_taken(context), box, context.bound.plan.limits.parameter_sets)
        if problem is not None:
            raise Exceeded("ParameterSetLimitExceeded", problem)
        if box.size == 1 and context.backlog < CHUNK and not context.boxes:
            self.take(context, box.operation, box.take(context.candidates_of(box.operation.index)))
            return
        context.promised += box.size
        context.open += 1
        context.boxes.append(box)
        if context.backlog < CHUNK:
            self.expand(context)

    def expand(self, context: MemoryContext) -> None:
        """Take combinations out of the waiting boxes, oldest box first, as far as there is room."""
        boxes = context.boxes
        while boxes and (space := room(context.backlog)):
            box = boxes[0]
            candidates = context.candidates_of(box.operation.index)
            for _ in range(min(space, box.left)):
                context.promised -= 1
                self.take(context, box.operation, box.take(candidates))
            if not box.left:
                boxes.popleft()
                context.open -= 1

    def take(self, context: MemoryContext, operation: PlannedOperation, items: tuple[Item, ...]) -> None:
        """Take one combination, if it is new: in the same step it is dispatched, or queues up for its locks."""
        limit = context.bound.plan.limits.parameter_sets
        if limit is not None and (have := _taken(context)) >= limit:
            said = f'operation "{operation.instance}" would need {have + 1} parameter sets; limit {limit}'
            raise Exceeded("ParameterSetLimitExceeded", said)
        key = self.redundancy.take(context, operation, items)
        if key is None:
            return
        parameter_set = ParameterSet(context, operation, items)
        parameter_set.key = key
        context.open += 1
        context.backlog += 1
        context.bound.counts[operation.index].taken += 1
        locks = items[0].locks if len(items) == 1 else locks_of(items)
        if locks:
            parameter_set.locks = locks
            if not self.locks.acquire(parameter_set):
                return
        self.implementations.dispatch(parameter_set)


def _taken(context: MemoryContext) -> int:
    """How many parameter sets count against the limit: a clean-up has the whole limit for itself."""
    return len(context.taken) + context.promised - context.forgiven[1]
