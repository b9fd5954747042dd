"""Input network in memory: lists of inputs, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.implementations import Refused
from tidemill.engine.inputs import FIRST, NO_LOCKS, Item, locks_of
from tidemill.engine.intake import Offer, checked
from tidemill.engine.operations import Channel
from tidemill.engine.order import readable
from tidemill.errors import shown
from tidemill.model.input import Input
from tidemill.plan.digest import canonical

__all__ = ["MemoryInputNetwork"]


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
        return checked(
            inputs,
            channels=context.bound.channels,
            have=len(context.items),
            uids=context.uids,
            parent_of=context.items_by_uid.get,
        )

    def store(
        self, context: MemoryContext, channel: Channel, value: Any, parents: tuple[Item, ...], position: tuple[int, int]
    ) -> Item | None:
        """Store an input and return it, or None for a value that its definition wants only once and that is there.

        One that stands for all equal values has no parents, and none of their locks: who gave it first is a matter of
        timing, and nothing may follow from that.
        """
        number = len(context.items)
        definition = channel.definition
        key = None
        if definition.dedupe is not None:
            key = _spelt(channel, value)
            if key in context.deduped:
                return None
            parents = ()
        locks = locks_of(parents) if parents else NO_LOCKS
        if definition.lock:
            locks = locks | {number}
        item = Item(number, value, channel, parents, position, locks)
        context.items.append(item)
        if key is not None:
            context.deduped[key] = item
        return item

    def default(self, context: MemoryContext, value: Any) -> Item:
        """Store a default that a parameter takes: it has a number like an input, and no channel."""
        item = Item(len(context.items), value, None)
        context.items.append(item)
        return item

    def give(self, context: MemoryContext, offers: Iterable[Offer]) -> list[Item]:
        """Store inputs that were checked, in order, and return the new ones."""
        stored = []
        for channel, value, named, uid in offers:
            parents = tuple(context.items_by_uid[one] if isinstance(one, str) else one for one in named)
            item = self.store(context, channel, value, parents, (0, context.given) if context.given else FIRST)
            context.given += 1
            if item is not None:
                stored.append(item)
            if uid:
                self.name(context, uid, item or context.deduped[_spelt(channel, value)], value)
        return stored

    def name(self, context: MemoryContext, uid: str, item: Item, value: Any) -> None:
        """Note the identity that an input was given, with the value that it was given with."""
        context.uids[uid] = value
        context.items_by_uid[uid] = item

    async def inputs(self, context: MemoryContext, definition: str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order: what was there when the output stage began."""
        visible = context.items if context.visible is None else context.items[: context.visible]
        return readable(visible, definition)


def _spelt(channel: Channel, value: Any) -> tuple[Any, ...]:
    """Return what equal values of one origin and definition have in common.

    Raises `Refused` (NotComparable) for a value that cannot be compared with any.
    """
    try:
        spelt = canonical(value)
    except Exception as error:
        said = f'"{channel.definition.name}" wants equal values once, and {shown(value)} cannot be compared: {error}'
        raise Refused("NotComparable", said) from error
    return channel.origin, channel.stands_for, channel.definition.name, spelt
