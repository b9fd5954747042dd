"""Input network over Redis: reads the inputs of a context and puts them into canonical order."""

from __future__ import annotations

from typing import Any

import msgpack

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode
from tidemill.backends.redis.plans import Wired
from tidemill.engine.inputs import Item
from tidemill.engine.order import ranks, sorted_items

__all__ = ["RedisInputNetwork", "RemoteContext", "items_of"]


class RemoteContext:
    """A context as a client knows it: its name, its number in the shard, and its plan."""

    __slots__ = ("id", "name", "wired")

    def __init__(self, name: str, number: str, wired: Wired) -> None:
        self.name = name
        self.id = number
        self.wired = wired


def items_of(wired: Wired, records: Any) -> list[Item]:
    """Return inputs out of what the library says of them, in the order of their numbers, with their ancestors."""
    items: list[Item] = []
    for number, said, parents, emission, element, value in records:
        channel = wired.channel(said)
        above = tuple([items[parent] for parent in parents])
        item = Item(number, decode(value), channel, above, (emission, element))
        items.append(item)
    return items


class RedisInputNetwork:
    """Reads what the store has."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def everything(self, context: RemoteContext) -> list[Item]:
        """Return all inputs that an operation of the context may read, and defaults that were taken, by number."""
        raw = await self._client.call("read", context.id)
        return items_of(context.wired, [msgpack.unpackb(one, raw=True, strict_map_key=False) for one in _split(raw)])

    async def inputs(self, context: RemoteContext, definition: str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order."""
        visible = await self.everything(context)
        found = [
            item
            for item in visible
            if item.channel is not None
            and item.channel.validator is None
            and (definition is None or item.channel.definition.name == definition)
        ]
        return found if len(found) < 2 else sorted_items(found, ranks(visible))


def _split(raw: Any) -> list[bytes]:
    return list(raw)
