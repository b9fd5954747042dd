"""What became of contexts, for others than whoever opened them: read, waited for, listed, forgotten.

Nothing is taken from anybody here: who waits gets a copy through an inbox of its own. Neighbours: `mail` (the same for
who opens contexts), ``functions/submitting.lua``, ``functions/keeping.lua``.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.mail import READ
from tidemill.backends.redis.patience import patiently

__all__ = ["GONE", "OPEN", "RedisEndings"]

Thing = TypeVar("Thing", bound=Hashable)

OPEN, GONE = b"OPEN", b"GONE"
"""What is said of a context that has not ended, and of one that nobody knows, in the place of an ending."""
AT_ONCE = 64
"""Contexts that one call asks for."""


class RedisEndings:
    """Asks for endings. What it yields is read by `RedisBackend.ending_of`, unless it is `OPEN` or `GONE`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look(self, names: Iterable[str]) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield (name, what became of it) of contexts, in their order; nothing is waited for."""
        async for pair in self._asked("", names):
            yield pair

    async def wait(self, names: Iterable[str]) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield (name, what became of it) as contexts end; first of those that have ended, or are not known."""
        owner = f"waits-{uuid.uuid4().hex}"
        expected: set[str] = set()
        async for name, answer in self._asked(owner, names):
            if answer == OPEN:
                expected.add(name)
            else:
                yield name, answer
        read: list[bytes] = []
        while expected or read:
            look = partial(self._client.call, "endings", owner, READ, read, True)
            found = await patiently(look, "questions for results")
            read = [name for name, _ in found]
            for raw_name, raw in found:
                if (name := raw_name.decode()) in expected:
                    expected.discard(name)
                    yield name, await self._client.blobs.whole_ending(raw) if raw else GONE
            if not found and expected:
                await patiently(partial(self._client.filled, "inbox", owner), "whoever waits for results")

    async def _asked(self, owner: str, names: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
        for some in _batches(names):
            ask = partial(self._client.call, "await", owner, some)
            for name, answer in zip(some, await patiently(ask, "questions for results"), strict=True):
                yield name, await self._client.blobs.whole_ending(answer) if answer not in (OPEN, GONE) else answer

    async def names(self) -> AsyncIterator[str]:
        """Yield the names of all contexts whose endings are kept, each once."""
        async for name in _once(self._pages(partial(self._client.call, "ended"))):
            yield name.decode()

    async def open_names(self) -> AsyncIterator[str]:
        """Yield the names of all contexts that are open, each once; not of those that belong to another."""
        opened = self._pages(partial(self._client.call, "opened"))
        async for name, child in _once((one[0], one[7]) async for one in opened):
            if not child:
                yield name.decode()

    async def _pages(self, call: Callable[..., Awaitable[Any]]) -> AsyncIterator[Any]:
        cursor = "0"
        while True:
            raw, found = await patiently(partial(call, cursor), "questions for results")
            for one in found:
                yield one
            cursor = raw.decode()
            if cursor == "0":
                return

    async def forget(self, names: Iterable[str]) -> int:
        """Forget endings, and return how many there were."""
        many = 0
        for some in _batches(names):
            many += int(await self._client.call("forget", *some))
        return many

    async def collect(self, now: float | None = None) -> int:
        """Forget some of the endings whose retention is over at ``now`` (seconds since 1970; default: by the clock of
        this machine) and return how many it were; retentions of what has ended since the last time begin."""
        said: Any = await self._client.call("collect", time.time() if now is None else now)
        return int(said)


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    left = iter(names)
    while some := list(islice(left, AT_ONCE)):
        yield some


async def _once(things: AsyncIterator[Thing]) -> AsyncIterator[Thing]:
    """Yield each of them once: a page may tell of what another has told of."""
    seen: set[Thing] = set()
    async for one in things:
        if one not in seen:
            seen.add(one)
            yield one
