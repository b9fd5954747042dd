"""Groups of contexts: counted, suspended, resumed, cancelled and dropped together.

A context is opened in a group (`RedisBackend.begin`); its children are of the same. Each call of the store does a
bounded piece, and what is left to do is done by whoever calls the store next, also when nobody waits for it here.
Neighbours: ``functions/groups.lua`` (what a group is), ``functions/grouping.lua`` (the pieces),
``functions/together.lua`` (the verbs).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.overview import OperationState
from tidemill.backends.redis.patience import patiently
from tidemill.errors import OperationFailure

__all__ = ["GroupCounts", "GroupState", "RedisGroups"]

GroupState = Literal["active", "suspended", "cancelled", "dropped"]
"""What a group is: ``suspended``: nothing of it is leased; ``cancelled``: it takes no more contexts; ``dropped``: all
of it is being deleted."""


@dataclass(slots=True)
class GroupCounts:
    """What a group has come to.

    ``contexts`` counts those that were opened in it, children not: open, succeeded, failed. ``operations`` says of each
    operation how far its parameter sets are, children's too; ``parked`` of them is not counted here. ``aside`` is how
    many parameter sets wait for the group to be resumed. ``samples`` are failures of at most ten contexts, by name:
    what made a context fail, or the first failure that it survived; without inputs, messages cut at 1,024 bytes.
    """

    contexts: dict[str, int] = field(default_factory=lambda: {"open": 0, "succeeded": 0, "failed": 0})
    operations: list[OperationState] = field(default_factory=list)
    state: GroupState = "active"
    samples: list[tuple[str, OperationFailure]] = field(default_factory=list)
    aside: int = 0


class RedisGroups:
    """The verbs of groups. All of them may be repeated, and go on where they were broken off. A group of which the
    store knows nothing is active and counts nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def counts(self, group: str) -> GroupCounts:
        """Return what a group has come to: numbers of moments that lie close together."""
        found = GroupCounts()
        operations: dict[tuple[str, int], OperationState] = {}
        cursor = "0"
        while True:
            raw, state, open_, aside, samples, counters = await self._asked(
                partial(self._client.call, "group", group, cursor)
            )
            found.contexts["open"], found.state, found.aside = open_, state.decode(), aside
            found.samples += [_sample(*said) for said in samples]
            for digest, op, instance, pool, word, many in counters:
                key = (digest.decode(), op)
                if digest:
                    one = operations.setdefault(key, OperationState(key[0], instance.decode(), pool.decode()))
                    setattr(one.counts, word.decode(), many)
                elif word.decode() in found.contexts:
                    found.contexts[word.decode()] = many
            if (cursor := raw.decode()) == "0":
                break
        found.operations = [one for _, one in sorted(operations.items())]
        return found

    async def suspend(self, group: str) -> None:
        """Have nothing of a group leased from now on; what is leased goes on to its end. A group need not be there yet.
        One that is cancelled or dropped stays so."""
        await self._asked(partial(self._client.call, "suspend", group))

    async def resume(self, group: str) -> None:
        """Have a group that was suspended go on."""
        while await self._asked(partial(self._client.call, "resume", group)):
            pass

    async def cancel(self, group: str, reason: str = "Cancelled", message: str = "the group was cancelled") -> None:
        """Fail all contexts of a group that are open, with a ``reason`` (one CamelCase word) and a ``message``; they
        end when what is leased has ended and their clean-up has run. It takes no more contexts from now on."""
        cursor = "0"
        while (raw := await self._asked(partial(self._client.call, "stop", group, reason, message, cursor))) != b"0":
            cursor = raw.decode()

    async def drop(self, group: str) -> None:
        """Delete all that the store holds of a group: open contexts, which do not clean up, endings, counters, and then
        its state. What runs of it is refused when it reports; who waits for an ending is told that there is none."""
        while await self._asked(partial(self._client.call, "drop", group)):
            pass

    async def names(self, group: str, state: Literal["open", "succeeded", "failed"]) -> AsyncIterator[str]:
        """Yield the names of the contexts of a group that are in this state, each once, children not; of those that
        have ended the ones whose endings are kept."""
        seen: set[str] = set()
        cursor = "0"
        while True:
            page, cursor = await self.page(group, state, cursor)
            for name in page:
                if name not in seen:
                    seen.add(name)
                    yield name
            if cursor == "0":
                return

    async def page(
        self, group: str, state: Literal["open", "succeeded", "failed"], cursor: str
    ) -> tuple[list[str], str]:
        """Return some of these names, and the cursor of the next page; "0" is that of the first, and comes after the
        last. A name may be on two pages.
        """
        raw, page = await self._asked(partial(self._client.call, "members", group, state, cursor))
        return [name.decode() for name in page], raw.decode()

    async def chores(self) -> None:
        """Have all that done that was too much for one call, whoever caused it. Nobody has to call this: each call of
        the store does a piece."""
        while await self._asked(partial(self._client.call, "chores")):
            pass

    async def _asked(self, call: Callable[[], Awaitable[Any]]) -> Any:
        return await patiently(call, "what is to be done to groups")


def _sample(
    name: bytes, reason: bytes, message: bytes, instance: bytes, operation: bytes
) -> tuple[str, OperationFailure]:
    """Return a sample of a failure; what its message was cut in the middle of is left out."""
    why, said, where, what = [raw.decode("utf-8", "ignore") for raw in (reason, message, instance, operation)]
    return name.decode(), OperationFailure(why, said, where, what, context=name.decode())
