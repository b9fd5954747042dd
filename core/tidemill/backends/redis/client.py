"""Calls the functions of the library: packs what they are asked, unpacks what they answer.

A call whose reply was lost is not repeated by the client library: whether that is harmless is known only here.
Neighbours: `functions` (what is called), `library` (how it gets there).
"""

from __future__ import annotations

from typing import Any

import msgpack
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tidemill.backends.redis.library import LAYOUT, assembled

__all__ = ["Client"]


class Client:
    """One shard of a server. ``tag`` is its hash tag: everything of the shard has it."""

    def __init__(self, url: str, *, prefix: str = "tm", shard: int = 0) -> None:
        self.redis = redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 0), protocol=2)
        self.tag = f"{{{prefix}{LAYOUT}:{shard}}}"

    async def load(self) -> None:
        """Load the library, or make sure that the one that is there is the same."""
        await self.redis.function_load(assembled(), replace=True)

    async def call(self, verb: str, *request: Any) -> Any:
        """Call a function with a request and return its answer."""
        return await self.redis.fcall(
            f"tidemill_{LAYOUT}_{verb}", 1, self.tag, msgpack.packb(request, use_bin_type=False)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()
