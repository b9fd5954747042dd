"""Which input sets of a group have been opened, for whoever has to know it again after he died.

A context is opened once; its ending may be forgotten while the group lives on, and an input set may come again with
other content. So each input set is remembered by its name and the digest of what it has in it. Neighbours: `groups`,
and the operator, which calls this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.backends.redis.client import Client

__all__ = ["Claim", "RedisOpenings"]

SHORT = 16
"""Characters of a digest that are kept."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of an input set: ``first``: nothing else has had its name; ``opened``: it has been opened."""

    first: bool
    opened: bool


class RedisOpenings:
    """Remembers input sets as long as their group is not forgotten. All verbs may be repeated."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def claim(self, group: str, sets: Sequence[tuple[str, str]]) -> list[Claim]:
        """Take the names of input sets, given as (name, digest), and return what is known of each."""
        if not sets:
            return []
        key = self._client.key("sets", group)
        async with self._client.redis.pipeline(transaction=False) as pipe:
            for name, digest in sets:
                pipe.hsetnx(key, f"n{name}", digest[:SHORT])
            pipe.hmget(key, [f"n{name}" for name, _ in sets])
            pipe.hmget(key, [_field(*one) for one in sets])
            *_, firsts, opened = await pipe.execute()
        return [
            Claim(first is not None and first.decode() == digest[:SHORT], done is not None)
            for (_, digest), first, done in zip(sets, firsts, opened, strict=True)
        ]

    async def groups_of(self, names: Sequence[str]) -> list[str]:
        """Return the group of each of these contexts; nothing of those that have none, or are not known."""
        found = await self._client.redis.hmget(self._client.key("grouped", ""), list(names)) if names else []
        return [(one or b"").decode() for one in found]

    async def opened(self, group: str, sets: Sequence[tuple[str, str]]) -> None:
        """Remember that the contexts of these input sets have been opened."""
        if sets:
            said: Any = {_field(*one): b"" for one in sets}
            await self._client.redis.hset(self._client.key("sets", group), mapping=said)

    async def forget(self, group: str) -> None:
        """Remember nothing of a group."""
        await self._client.redis.unlink(self._client.key("sets", group))


def _field(name: str, digest: str) -> str:
    return f"o{digest[:SHORT]}{name}"
