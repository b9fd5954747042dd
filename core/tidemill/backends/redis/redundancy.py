"""Redundancy checker over Redis: what has been taken is found by its place, so nothing is remembered of what ended."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.inputs import RemoteContext
from tidemill.engine.inputs import Item

__all__ = ["RedisRedundancyChecker"]


class RedisRedundancyChecker:
    """Combinations are taken by the functions of the store (``functions/redundancy.lua``)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def taken(self, context: RemoteContext, instance: str, inputs: Sequence[Item]) -> bool:
        """Say whether an operation has been given these inputs; of a context that is gone, nothing has."""
        index = context.wired.plan.instances[instance].index
        return bool(await self._client.call("taken", context.id, index, [item.number for item in inputs]))
