"""Child contexts in memory: an operation that runs data flows waits for them, and holds no worker while it does.

Where a data flow forwards inputs into them, child contexts are held open until nothing else of the parent can give
any more of those; then they get all at once, in canonical order. So what a child sees is no matter of timing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tidemill.backends.memory.context import MemoryContext
from tidemill.backends.memory.flowing import Exceeded, Flowing
from tidemill.backends.memory.implementations import MemoryOperationImplementationNetwork
from tidemill.backends.memory.stages import Stages
from tidemill.engine.implementations import Refused
from tidemill.engine.inputs import Item
from tidemill.engine.operations import Channel
from tidemill.engine.order import ranks, sorted_items
from tidemill.engine.parameters import DROPPED, PARENT, TAKEN, ParameterSet
from tidemill.engine.redundancy import key_of
from tidemill.errors import OperationFailure, TidemillError
from tidemill.model.input import SEED
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child

__all__ = ["Children"]


class Children:
    """Opens, feeds, cancels and awaits child contexts."""

    implementations: MemoryOperationImplementationNetwork  # set when the backend is put together

    def __init__(
        self,
        stages: Stages,
        flowing: Flowing,
        begin: Callable[..., MemoryContext],
        stop_intake: Callable[[MemoryContext], None],
    ) -> None:
        self._stages = stages
        self._flowing = flowing
        self._begin = begin
        self._stop_intake = stop_intake

    def too_deep(self, parent: ParameterSet) -> str | None:
        """Say what is wrong if the child contexts of this parameter set would be too many levels down."""
        context: MemoryContext = parent.context
        limit = context.bound.plan.limits.subflow_depth
        if context.depth < limit:
            return None
        return f"data flows run data flows {context.depth + 1} levels deep; limit {limit}"

    def open(self, parent: ParameterSet, children: Sequence[Child]) -> None:
        """Open the child contexts of a parameter set that has been taken from its worker. One that cannot be opened
        ends at once, as failed."""
        context: MemoryContext = parent.context
        parent.state = PARENT
        parent.children = endings = list[Any]([None]) * len(children)
        waiting = len(children)
        context.parents[parent] = opened = []
        hold = bool(parent.operation.forwards and children)
        if hold:
            context.holding.add(parent)

        def ended(at: int, ending: Ending) -> None:
            nonlocal waiting
            waiting -= 1
            endings[at] = ending
            if not waiting:
                self._resume(parent)

        for at, child in enumerate(children):
            name = _name(parent, child.name)
            end = partial(ended, at)
            try:
                opened.append(
                    self._begin(name, child.plan, child.inputs, end, strict=child.strict, hold=hold, parent=parent)
                )
            except TidemillError as error:
                failure = OperationFailure(error.reason, error.message, error=error, context=name)
                end(Ending(name, None, failure))
        if not children:
            self._resume(parent)
        else:
            self._stages.settle_if_quiet(context)

    def _resume(self, parent: ParameterSet) -> None:
        """Dispatch a parameter set whose child contexts have all ended."""
        context: MemoryContext = parent.context
        if context.parents.pop(parent, None) is None:
            return
        context.holding.discard(parent)  # where its child contexts ended before anything was forwarded
        if context.stage is not parent.operation.stage:  # dropped meanwhile
            parent.state = DROPPED
            context.open -= 1
            self._stages.settle_if_quiet(context)
            return
        parent.state = TAKEN
        context.backlog += 1
        self.implementations.dispatch(parent)

    def cancel(self, context: MemoryContext) -> None:
        """Fail all child contexts of a context whose work is dropped."""
        for opened in list(context.parents.values()):
            for child in opened:
                if child.stage is not None or child.failed_stage is not None:
                    said = f'the context "{context.name}" that it belongs to has failed'
                    self._stages.fail(child, OperationFailure("Cancelled", said, context=child.name))

    def release(self, context: MemoryContext) -> bool:
        """Feed the child contexts that were held open and let them go on; say that the context has to be looked at
        again."""
        held = [(parent, child) for parent, opened in context.parents.items() for child in opened if child.held]
        context.holding.clear()
        rank_of = ranks(context.items)
        for parent, child in held:
            names = parent.operation.forwards
            items = [item for item in context.items if item.channel and item.channel.definition.name in names]
            self._feed(child, sorted_items(items, rank_of))
        for _, child in held:
            if child.held:
                self._stop_intake(child)
        return True

    def _feed(self, child: MemoryContext, items: Sequence[Item]) -> None:
        """Give a child context inputs of its parent. Past a limit of its own, or with a value that
        it cannot take, the child fails and not the parent."""
        try:
            self._flowing.count(child, len(items))
            for item in items:
                self._forward(child, item)
        except (Exceeded, Refused) as refused:
            self._stages.fail(child, OperationFailure(refused.reason, refused.message, context=child.name))

    def _forward(self, child: MemoryContext, item: Item) -> None:
        """Give a child context an input of its parent: under its own origin if the child's data flow knows that, else
        as a seed."""
        channel = item.channel
        assert channel is not None
        self._flowing.give(child, [(self._channel(child, channel), item.value, (), "")])

    def _channel(self, child: MemoryContext, channel: Channel) -> Channel:
        channels = child.bound.channels
        if isinstance(channel.origin, str):
            own = channels.given(channel.origin, channel.definition)
        else:
            instance = child.bound.plan.instances.get(channel.origin[0])
            known = instance is not None and channel.origin[1] in instance.outputs
            own = channels.given(channel.origin, channel.definition) if known else channel
        if own is not channel and (own.targets or own.doors or own.validator):
            return own
        return channels.given(SEED, channel.definition)


def _name(parent: ParameterSet, child: str) -> str:
    """Return the name of a child context: parameter sets that ask for the same name each get one of their own, the same
    one in every try, whether or not the child contexts of the others have ended."""
    context: MemoryContext = parent.context
    name = f"{parent.operation.instance}/{child}"
    places = context.child_names.setdefault(name, {})
    place = places.setdefault(key_of(parent.operation, parent.items), len(places) + 1)
    return f"{context.name}/{name}#{place}" if place > 1 else f"{context.name}/{name}"
