"""Whether a store is still the one that it was: after a failover it may have less, and then leases begin anew.

A store that comes back with all it had needs nothing: leases outlive its restart. One that a replica took over from,
or that keeps only what it wrote a second ago, may have forgotten leases; so whoever finds that has it `recover` under
a new epoch, and old holders are refused. Neighbours: `workers` (`RedisWorkers.recover`), the operator, which calls
this.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from tidemill.backends.redis.client import Client

__all__ = ["RedisRecovery", "ServerRun"]

_NONE = "0" * 40


@dataclass(frozen=True, slots=True)
class ServerRun:
    """One run of a server: its own id, that of the history it writes, and that of the history it took over from."""

    run: str
    history: str
    before: str = ""

    def follows(self, earlier: ServerRun, *, durable: bool) -> bool:
        """Say whether this run has all that an ``earlier`` one acknowledged. ``durable``: each write was on disk
        first."""
        if self.run == earlier.run or not earlier.run:
            return True
        if self.before and self.before != _NONE:
            return False  # a replica that was promoted: it may have missed the last writes
        return durable


class RedisRecovery:
    """Looks at a store. All verbs may be repeated."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def incarnation(self) -> str:
        """Return a word that this store, with these keys, was given once: another one means that it was emptied."""
        key = self._client.key("incarnation")
        await self._client.redis.set(key, secrets.token_hex(8), nx=True)
        said = await self._client.redis.get(key)
        return bytes(said or b"").decode()

    async def server(self) -> ServerRun:
        """Return which run of the server answers; empty words where it does not say."""
        info = dict(await self._client.redis.info("server"))
        info.update(await self._client.redis.info("replication"))
        return ServerRun(*(str(info.get(name, "")) for name in ("run_id", "master_replid", "master_replid2")))

    async def epoch(self) -> int:
        """Return the epoch of the store."""
        return int(await self._client.redis.get(self._client.key("epoch", "")) or 0)
