"""Lock network over Redis: the queues of each context."""

from __future__ import annotations

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.inputs import RemoteContext
from tidemill.engine.inputs import Item

__all__ = ["RedisLockNetwork"]


class RedisLockNetwork:
    """Locks are taken and given back by the functions of the store (``functions/locks.lua``)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def queue(self, context: RemoteContext, item: Item) -> list[tuple[str, tuple[int, ...]]]:
        """Return the parameter sets that hold or wait for a locked input, the holder first."""
        found = []
        for spelt in await self._client.call("queue", context.id, item.number):
            index, *numbers = (int(part) for part in spelt.decode().split(":"))
            found.append((context.wired.plan.operations[index].instance, tuple(numbers)))
        return found
