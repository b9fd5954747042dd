"""Stages and ends of contexts in memory: what happens when a context is quiet, and when it fails.

Neighbours: `engine.stages` and `engine.defaults` decide; `backends.memory.settle` brings contexts to quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidemill.backends.memory.context import MemoryContext
from tidemill.backends.memory.flowing import Exceeded, Flowing
from tidemill.backends.memory.inputs import MemoryInputNetwork
from tidemill.engine.conditions import is_open
from tidemill.engine.defaults import at_close, at_quiet
from tidemill.engine.locks import Queues
from tidemill.engine.order import order_of_sets, ranks
from tidemill.engine.stages import after, result_of
from tidemill.errors import OperationFailure
from tidemill.model.operation import Stage

__all__ = ["Stages"]

End = Callable[[MemoryContext, dict[str, Any] | None], None]


class Stages:
    """Moves contexts on. ``end`` takes a context that has ended, with its result (None if it failed)."""

    def __init__(self, flowing: Flowing, inputs: MemoryInputNetwork, end: End) -> None:
        self._flowing = flowing
        self._inputs = inputs
        self._end = end
        self.cancel: Callable[[MemoryContext], None] = lambda context: None
        self.release_children: Callable[[MemoryContext], bool] = lambda context: False

    def start(self, context: MemoryContext) -> None:
        """Start what needs no inputs."""
        for operation in context.bound.autostart:
            self._flowing.take(context, operation, ())

    def take_given_defaults(self, context: MemoryContext) -> None:
        """Let parameters that only given inputs could have filled take their defaults: no more is given."""
        if context.bound.has_defaults:
            for operation, parameter in at_close(context.bound.plan, context.was_given):
                self._flowing.default(context, operation, parameter.index)

    def settle_if_quiet(self, context: MemoryContext) -> None:
        """Move a context on for as long as it is quiet: defaults, then the next stage, then its end."""
        while _is_quiet(context):
            if context.holding:
                if not self.release_children(context):
                    return
                continue
            try:
                if not self._take_defaults(context) and not self._next(context):
                    return
            except Exceeded as exceeded:
                self.fail(context, OperationFailure(exceeded.reason, exceeded.message, context=context.name))
                return

    def _take_defaults(self, context: MemoryContext) -> bool:
        """Let the parameters due take their defaults; say whether there were any."""
        bound = context.bound
        if not bound.has_defaults or context.stage is None:
            return False
        active = [op for op in bound.plan.stages[context.stage] if op.index in context.active]
        places = at_quiet(bound.plan, active, context.has_candidate)
        for operation, parameter in places:
            self._flowing.default(context, operation, parameter.index)
        return bool(places)

    def _next(self, context: MemoryContext) -> bool:
        """Begin the next stage; say whether there was one."""
        stage = context.stage or context.failed_stage
        if stage is None:
            return False  # it has ended already, within the step that cancelled its child contexts
        following = after(stage, context.failure is not None)
        if following is None:
            self._finish(context)
            return False
        self._enter(context, following)
        return True

    def _enter(self, context: MemoryContext, following: Stage) -> None:
        context.stage, context.failed_stage = following, None
        context.active = frozenset()  # what a stage leaves behind starts nothing of the one before
        if following is Stage.OUTPUT:
            context.visible = len(context.items)
        for operation in context.bound.plan.stages[following]:
            if not operation.gate or is_open(operation, context.satisfied.get(operation.index, frozenset())):
                self._flowing.activate(context, operation)

    def _finish(self, context: MemoryContext) -> None:
        result = None
        if context.failure is None:
            returned = context.results
            if len(returned) > 1:
                rank_of = ranks(context.items)
                returned = sorted(returned, key=lambda pair: order_of_sets(pair[0].items, rank_of))
            plan = context.bound.plan
            result = result_of(plan, [(made_by.operation.index, mapping) for made_by, mapping in returned])
        context.stage = context.failed_stage = None
        self._end(context, result)

    def fail(self, context: MemoryContext, failure: OperationFailure) -> None:
        """Fail a context: drop what is not leased, have the rest cancelled, then clean up. Failing in a later stage
        drops nothing of the clean-up."""
        if context.failure is None:
            context.failure = failure
        else:
            context.failures.append(failure)
        if context.stage in (Stage.PROCESSING, Stage.OUTPUT):
            context.failed_stage, context.stage = context.stage, None
            context.active = frozenset()
            context.boxes.clear()
            context.queues = Queues()
            context.promised = context.backlog = 0
            context.holding.clear()
            context.held = False
            context.forgiven = (len(context.items), len(context.taken))
            context.open = context.leased + len(context.parents)
            self.cancel(context)
        self.settle_if_quiet(context)


def _is_quiet(context: MemoryContext) -> bool:
    """Say whether nothing can go on in a context but what waits for its quiet: child contexts that are held open, and
    what waits for locks that their parameter sets keep meanwhile."""
    if context.held:
        return False
    others = context.open - len(context.holding)
    if not others:
        return True
    return bool(context.holding) and not context.leased and others == context.queues.waiting()
