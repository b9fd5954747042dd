"""Counts again what a store has counted, from its keys, and says where the two differ: that must never be.

To look changes nothing. Each context is looked at in one step, so a store may be at work meanwhile. Neighbours:
``functions/auditing.lua`` (contexts), ``functions/places.lua`` (runners, and places of operations), `checks` (what else
is looked at).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.patience import patiently

__all__ = ["Audit", "Mismatch", "RedisAudit"]

MOST = 20
"""Mismatches that one sentence tells of."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What is wrong: with a ``context`` ("": with the store as a whole), with ``what`` of it (record, open, leased,
    backlog, leases, locks, waiters, events, places), and how that is ``said``."""

    context: str
    what: str
    said: str

    def __str__(self) -> str:
        return f'{self.what} of "{self.context}": {self.said}' if self.context else f"{self.what}: {self.said}"


@dataclass(slots=True)
class Audit:
    """What was found. ``contexts`` were looked at, ``large`` of them too large to be counted again; ``busy`` says that
    runners and places were not looked at, as too much is under way."""

    mismatches: list[Mismatch] = field(default_factory=list)
    contexts: int = 0
    large: int = 0
    busy: bool = False

    def __str__(self) -> str:
        said = [f"{self.contexts} open contexts"]
        if self.large:
            said.append(f"of which {self.large} are too large to be counted again")
        if self.busy:
            said.append("without places of operations, as too much is under way")
        if self.mismatches:
            said.append("; ".join(map(str, self.mismatches[:MOST])))
            said += [f"and {len(self.mismatches) - MOST} more"] if len(self.mismatches) > MOST else []
        return ", ".join(said)


class RedisAudit:
    """Looks at the shard of a client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look(self, pools: Sequence[str] | None = None, *, most: int | None = None) -> Audit:
        """Count everything again: all contexts that are open, or about so many; places of operations that run in
        ``pools`` (default: all of which the store knows an operation)."""
        found, cursor, seen = Audit(), "0", set[tuple[bytes, ...]]()
        while True:
            raw, many, large, said = await self._asked(partial(self._client.call, "audit", cursor))
            found.contexts, found.large = found.contexts + many, found.large + large
            for one in said:
                if tuple(one) not in seen:
                    seen.add(tuple(one))
                    found.mismatches.append(Mismatch(*[part.decode("utf-8", "replace") for part in one]))
            if (cursor := raw.decode()) == "0" or (most is not None and found.contexts >= most):
                break
        named = await self._pools() if pools is None else list(pools)
        busy, said = await self._asked(partial(self._client.call, "places", *named))
        found.busy = bool(busy)
        found.mismatches += [Mismatch("", *[part.decode("utf-8", "replace") for part in one]) for one in said]
        return found

    async def repair(self, audit: Audit) -> list[str]:
        """End the contexts of which an audit has found something wrong, if it still is, and return their names. They
        fail as CorruptState; what a runner does of them is refused, and what they held of others is given back."""
        ended, said = [], dict[str, list[str]]()
        for one in audit.mismatches:
            said.setdefault(one.context, []).append(f"{one.what}: {one.said}")
        for name in sorted(said.keys() - {""}):
            if await self._asked(partial(self._client.call, "condemn", name, "; ".join(said[name][:MOST]))):
                ended.append(name)
        return ended

    async def _pools(self) -> list[str]:
        pools, cursor = set[str](), "0"
        while True:
            raw, page = await self._asked(partial(self._client.call, "operations", cursor))
            pools |= {one[3].decode() for one in page if one[0]}
            if (cursor := raw.decode()) == "0":
                return sorted(pools)

    async def _asked(self, call: Any) -> Any:
        return await patiently(call, "an audit")
