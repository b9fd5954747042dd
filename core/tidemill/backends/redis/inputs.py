"""Input network over Redis: reads the inputs of a context and puts them into canonical order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgpack

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.plans import Wired
from tidemill.engine.inputs import Item
from tidemill.engine.order import readable
from tidemill.errors import CorruptValue

__all__ = ["RedisInputNetwork", "RemoteContext", "items_of", "records_of"]


class RemoteContext:
    """A context as a client knows it: its name, its number in the shard, and its plan. ``seen`` is what operations may
    read of it, where that came along with a lease; ``has`` are references to blobs that it has as long as it lives.
    ``before`` is what there was when something was leased with which all may end (see `ahead`): it may become more."""

    __slots__ = ("before", "has", "id", "name", "seen", "wired")

    def __init__(
        self, name: str, number: str, wired: Wired, seen: Any = None, has: frozenset[bytes] = frozenset()
    ) -> None:
        self.has = has
        self.name = name
        self.id = number
        self.wired = wired
        self.seen = seen
        self.before: Sequence[Any] | None = None

    def reading(self, seen: Any) -> RemoteContext:
        """Return the context as one sees it who may read so much."""
        return RemoteContext(self.name, self.id, self.wired, seen, self.has)


def items_of(wired: Wired, records: Any) -> list[Item]:
    """Return inputs out of what the library says of them, in the order of their numbers, with their ancestors."""
    items: list[Item] = []
    for number, said, parents, emission, element, value in records:
        channel = wired.channel(said)
        above = tuple([items[parent] for parent in parents])
        item = Item(number, decode(value), channel, above, (emission, element))
        items.append(item)
    return items


def records_of(raws: Sequence[Any], first: int = 0) -> list[list[Any]]:
    """Return what inputs are that are as the store has them: the length of what is said of one, that, and its value;
    one that has been read already is as it is. Raises `CorruptValue`."""
    found = []
    for number, raw in enumerate(raws, first):
        if isinstance(raw, list):
            found.append(raw)
            continue
        end = 4 + int.from_bytes(raw[:4], "big")
        try:
            channel, parents, emission, element, *_ = msgpack.unpackb(raw[4:end], raw=True, strict_map_key=False)
        except Exception as error:
            raise CorruptValue(f"the input {number} of the context is not what was written: {error}") from error
        found.append([number, channel, parents, emission, element, raw[end:]])
    return found


class RedisInputNetwork:
    """Reads what the store has."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def everything(self, context: RemoteContext) -> list[Item]:
        """Return all inputs that an operation of the context may read, and defaults that were taken, by number."""
        records = records_of(context.seen if context.seen is not None else await self._read(context))
        values = await self._client.blobs.whole([one[5] for one in records])
        for one, value in zip(records, values, strict=True):
            one[5] = value
        return items_of(context.wired, records)

    async def _read(self, context: RemoteContext) -> list[bytes]:
        """Read what there is now, in pages: one call must not keep the store from everybody else."""
        many, records = await self._page(context, 0)
        while len(records) < many:
            left, page = await self._page(context, len(records))
            if not page:  # the context has ended meanwhile
                return []
            many = min(many, left)
            records += page
        return list(records[:many])

    async def _page(self, context: RemoteContext, first: int) -> Any:
        return await patiently(partial(self._client.call, "read", context.id, first), "questions for inputs")

    async def said_of(self, context: RemoteContext, number: int) -> str:
        """Return which output an input of the context is, or of which definition, for a message about it."""
        _, raws = await self._page(context, number)
        try:
            records = records_of(raws[:1], number)
        except CorruptValue:
            return "an input"
        channel = context.wired.channel(records[0][1]) if records else None
        if channel is None:
            return "a default"
        if isinstance(channel.origin, tuple):
            return f'the output "{channel.origin[1]}" of "{channel.origin[0]}"'
        return f'an input of "{channel.definition.name}" from {channel.origin}'

    async def above(self, context: RemoteContext, items: Sequence[Item]) -> tuple[Item, ...]:
        """Return inputs of a context with all their ancestors, which what is leased has not: one look at all inputs."""
        known = {item.number: item for item in await self.everything(context)}
        return tuple(known.get(item.number, item) for item in items)

    async def inputs(self, context: RemoteContext, definition: str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order."""
        return readable(await self.everything(context), definition)
