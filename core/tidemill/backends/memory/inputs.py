"""Input network in memory: lists of inputs, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.implementations import too_large
from tidemill.engine.inputs import NO_LOCKS, Item, locks_of
from tidemill.engine.operations import Channel
from tidemill.engine.order import ranks, sorted_items
from tidemill.errors import InvalidInput, pointer, shown
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.primitives import type_name
from tidemill.plan.digest import canonical

__all__ = ["MemoryInputNetwork", "Offer"]

Offer = tuple[Channel, Any, tuple[Item, ...], str]
"""A checked input on its way in: channel, value, parents, uid ("" when it was not given one)."""


class MemoryInputNetwork:
    """Keeps the inputs of all contexts, each with its number, its parents and the locks that it carries."""

    def seeds(self, context: MemoryContext) -> Sequence[Offer]:
        """Return the inputs that the data flow itself brings; they are checked for its first context."""
        bound = context.bound
        if bound.seeds is None:
            bound.seeds = tuple(self.check(context, bound.plan.seed))
        return bound.seeds

    def check(self, context: MemoryContext, inputs: Sequence[Input]) -> list[Offer]:
        """Return what is new among ``inputs``, ready to be stored. Raises `InvalidInput`; nothing has been stored
        then."""
        limits = context.bound.plan.limits
        if limits.inputs is not None and len(context.items) + len(inputs) > limits.inputs:
            said = f"{len(context.items) + len(inputs)} inputs in one context; limit {limits.inputs}"
            raise InvalidInput(said, reason="InputLimitExceeded", path="/inputs")
        offers: list[Offer] = []
        batch: dict[str, Any] = {}
        for at, item in enumerate(inputs):
            channel = self._channel(context, item, at)
            uid = item.given_uid
            if uid:
                if uid in batch or uid in context.uids:
                    self._refuse_conflict(context, item, batch, at)
                    continue
                batch[uid] = item.value
            _refuse_wrong_value(channel, item, limits, at)
            offers.append((channel, item.value, self._parents(context, item, at) if item.parents else (), uid))
        return offers

    def _channel(self, context: MemoryContext, item: Input, at: int) -> Channel:
        if not isinstance(item, Input):
            raise InvalidInput(f"{shown(item)} is no Input", reason="InvalidInput", path=pointer("inputs", at))
        bound = context.bound
        if isinstance(item.origin, str):
            return bound.given(item.origin, item.definition)
        instance, output = item.origin
        operation = bound.plan.instances.get(instance)
        if operation is None or output not in operation.outputs:
            said = f'the input says that "{instance}" gave it as "{output}", but the data flow has no such output'
            raise InvalidInput(said, reason="UnknownOrigin", path=pointer("inputs", at, "origin"))
        return bound.given(item.origin, operation.outputs[output].definition)

    def _refuse_conflict(self, context: MemoryContext, item: Input, batch: dict[str, Any], at: int) -> None:
        uid = item.given_uid
        value = batch[uid] if uid in batch else context.uids[uid].value
        if value is not item.value and value != item.value:
            said = f'the uid "{uid}" stands for {shown(value)} already; {shown(item.value)} needs a uid of its own'
            raise InvalidInput(said, reason="InputConflict", path=pointer("inputs", at, "uid"))

    def _parents(self, context: MemoryContext, item: Input, at: int) -> tuple[Item, ...]:
        found = []
        for parent in item.parents:
            known = context.uids.get(parent.given_uid)
            if known is None:
                said = f"the parent {parent!r} of {item!r} is not an input of this context; add it first, with a uid"
                raise InvalidInput(said, reason="ForeignParent", path=pointer("inputs", at, "parents"))
            found.append(known)
        return tuple(found)

    def store(
        self, context: MemoryContext, channel: Channel, value: Any, parents: tuple[Item, ...], position: tuple[int, int]
    ) -> Item | None:
        """Store an input and return it, or None for a value that its definition wants only once and that is there."""
        locks = locks_of(parents) if parents else NO_LOCKS
        number = len(context.items)
        definition = channel.definition
        if definition.dedupe is not None and _is_repeated(context, channel, value):
            return None
        if definition.lock:
            locks = locks | {number}
        item = Item(number, value, channel, parents, position, locks)
        context.items.append(item)
        return item

    def default(self, context: MemoryContext, value: Any) -> Item:
        """Store a default that a parameter takes: it has a number like an input, and no channel."""
        item = Item(len(context.items), value, None)
        context.items.append(item)
        return item

    def give(self, context: MemoryContext, offers: Iterable[Offer]) -> list[Item]:
        """Store inputs that were checked, in order, and return the new ones."""
        stored = []
        for channel, value, parents, uid in offers:
            item = self.store(context, channel, value, parents, (0, context.given))
            context.given += 1
            if item is not None:
                stored.append(item)
                if uid:
                    context.uids[uid] = item
        return stored

    async def inputs(self, context: MemoryContext, definition: str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order: what was there when the output stage began."""
        visible = context.items if context.visible is None else context.items[: context.visible]
        # What has not been validated is not in the network yet.
        found = [
            item
            for item in visible
            if item.channel is not None
            and item.channel.validator is None
            and (definition is None or item.channel.definition.name == definition)
        ]
        return found if len(found) < 2 else sorted_items(found, ranks(visible))


def _is_repeated(context: MemoryContext, channel: Channel, value: Any) -> bool:
    """Say whether an equal value of this origin and definition is there, and note this one if not."""
    key = (channel.origin, channel.definition.name, canonical(value))
    if key in context.deduped:
        return True
    context.deduped.add(key)
    return False


def _refuse_wrong_value(channel: Channel, item: Input, limits: Limits, at: int) -> None:
    definition, value = channel.definition, item.value
    check = channel.check
    refused: tuple[str, str] | None = None
    if value is None:
        if not definition.nullable:
            refused = "NullValue", f'"{definition.name}" is {definition.primitive} and cannot be null'
    elif check is not None and type(value) is not check[0] and not check[1](value):
        said = f'"{definition.name}": expected {definition.primitive}, got {type_name(value)} {shown(value)}'
        refused = "TypeMismatch", said
    elif limits.value_bytes is not None or limits.value_depth is not None:
        problem = too_large(value, limits)
        if problem is not None:
            reason = "ValueTooLarge" if problem[0] == "OutputTooLarge" else problem[0]
            refused = reason, f'"{definition.name}": {problem[1]}'
    if refused is not None:
        raise InvalidInput(refused[1], reason=refused[0], path=pointer("inputs", at, definition.name))
