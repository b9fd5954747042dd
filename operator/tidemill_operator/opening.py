"""Contexts of a group are opened once for each input set, whoever asks for it, and however often.

What has been opened is remembered in the store by name and content (`RedisOpenings`), so asking again after a death or
a lost answer does nothing twice. Neighbours: `store` (for objects), `api.contexts` (for clients).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.openings import RedisOpenings
from tidemill.errors import DuplicateContext
from tidemill.plan.plan import Plan
from tidemill_operator.kinds.accept import GivenSet

__all__ = ["Opened", "Opening"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A context of an input set. ``new``: it was opened now; ``other``: its name had been taken by other content."""

    name: str
    new: bool
    other: bool


class Opening:
    """Opens contexts of a group through one backend."""

    def __init__(self, backend: RedisBackend, openings: RedisOpenings, group: str) -> None:
        self._backend = backend
        self._openings = openings
        self._group = group

    async def claimed(self, sets: Sequence[GivenSet]) -> list[Opened]:
        """Take the names of input sets, and return what each of their contexts is called and whether it has to be
        opened. An input set whose name has been taken by other content gets a piece of its digest into its name."""
        claims = await self._openings.claim(self._group, [(one.name, one.digest) for one in sets])
        return [
            Opened(one.name if claim.first else f"{one.name}.{one.digest[:8]}", not claim.opened, not claim.first)
            for one, claim in zip(sets, claims, strict=True)
        ]

    async def open(
        self, plan: Plan, sets: Sequence[GivenSet], claimed: Sequence[Opened], *, strict: bool, hold: bool = False
    ) -> None:
        """Open the contexts that have to be. Raises `InvalidInput`, `StoreError`, and `ContextClosed` where the group
        takes no more."""
        new = [(given.name, one) for given, one in zip(claimed, sets, strict=True) if given.new]
        refused = await self._begin(plan, new, strict, hold)
        whose = await self._openings.groups_of([name for name, _ in refused])
        foreign = [one for one, other in zip(refused, whose, strict=True) if other != self._group]
        if foreign:  # another object, or somebody by hand, has a context of this name
            await self._begin(plan, [(f"{name}.{self._group[:8]}", one) for name, one in foreign], strict, hold)
        await self._openings.opened(self._group, [(one.name, one.digest) for _, one in new])

    async def _begin(
        self, plan: Plan, new: Sequence[tuple[str, GivenSet]], strict: bool, hold: bool
    ) -> list[tuple[str, GivenSet]]:
        """Open contexts, and return those whose names are taken."""
        sent = [
            self._backend.begin(name, plan, one.inputs.inputs, _unheard, strict=strict, hold=hold, group=self._group)
            for name, one in new
        ]
        said = await asyncio.gather(*sent, return_exceptions=True)
        for error in said:
            if isinstance(error, BaseException) and not isinstance(error, DuplicateContext):
                raise error
        return [one for one, error in zip(new, said, strict=True) if error is not None]


def _unheard(raw: bytes) -> None:
    """Do nothing with an ending: the store counts them."""
