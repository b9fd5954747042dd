"""Hands on what happens to many contexts while it happens, and to the contexts below them.

One look in half a second for all of them: whoever is told has no use for more. Of a context all is told in its order,
a child context begins after the one above it and ends before that. Neighbours: `journal` reads one, the command line
tells files and catalogues.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from redis.exceptions import RedisError

from tidemill.backends.redis.journal import PAGE, RedisJournals
from tidemill.errors import TidemillError
from tidemill.journal.event import Event

__all__ = ["Following"]

LOOK = 0.5
"""Seconds between two looks at what has happened."""
FAREWELL = 10.0
"""Seconds that the store has in the end for what is left."""

logger = logging.getLogger("tidemill.journal")


class Following:
    """Follows contexts that are opened with a journal. ``sink`` is called with the events of one of them at a time."""

    def __init__(self, journals: RedisJournals, sink: Callable[[Sequence[Event]], None]) -> None:
        self._journals = journals
        self._sink = sink
        self._expected: dict[str, None] = {}
        self._followed: dict[str, _Followed] = {}
        self._lock = asyncio.Lock()  # what is told of a context is told by one

    def expect(self, context: str) -> None:
        """Follow a context that will be opened now."""
        self._expected[context] = None

    async def end(self, context: str) -> None:
        """Tell what is left of a context that has ended, and have its journal forgotten: it is not needed any more.

        Raises `TidemillError` (NoJournal).
        """
        async with self._lock:
            self._expected.pop(context, None)
            one = await self._found(context)
            await self._rest(one)
            for name in one.below:
                self._followed.pop(name, None)
            self._followed.pop(context, None)
        await self._journals.forget(context)

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[Following]:
        """Look for as long as this is entered; what is left in the end of contexts that have begun is told then."""
        looking = asyncio.create_task(self._look())
        try:
            yield self
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            with contextlib.suppress(TidemillError, RedisError, TimeoutError):
                async with asyncio.timeout(FAREWELL), self._lock:
                    await self._begun()
                    for one in [one for one in self._followed.values() if one.top is one]:
                        await self._rest(one)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            async with self._lock:
                try:
                    await self._news()
                except (TidemillError, RedisError) as error:
                    logger.warning("what happens is told later: %s", error)

    async def _news(self) -> None:
        await self._begun()
        for top in [one for one in self._followed.values() if one.top is one and one.runs]:
            for name in await self._journals.below(top.id):
                if name not in top.below and (child := await self._child(name, top)) is not None:
                    await self._rest(child)  # before those that are below it
        for name in await self._journals.appended({name: (one.id, one.last) for name, one in self._followed.items()}):
            if (found := self._followed.get(name)) is not None:
                await self._rest(found)

    async def _begun(self) -> None:
        """Follow what was expected and is there now."""
        for name, (id, digest) in (await self._journals.opened(list(self._expected))).items():
            self._followed[name] = _Followed(id, await self._journals.reader(name, digest))
            self._expected.pop(name, None)

    async def _found(self, context: str) -> _Followed:
        one = self._followed.get(context)
        if one is None:
            id, digest = await self._journals.found(context)
            one = self._followed[context] = _Followed(id, await self._journals.reader(context, digest))
        return one

    async def _child(self, name: str, top: _Followed) -> _Followed | None:
        with contextlib.suppress(TidemillError):  # it is gone before the journal of the context above it
            one = await self._found(name)
            one.top = top
            top.below.add(name)
            return one
        return None

    async def _rest(self, one: _Followed) -> None:
        """Tell what has happened to a context since it was told of. Where this is cancelled nothing is lost: the next
        call goes on there."""
        more = True
        while more or one.heard:
            if not one.heard:
                entries = await self._journals.page(one.id, one.last)
                one.heard.extend(one.reader.events(entries))
                more = len(entries) == PAGE
            self._tell(one)
            if one.heard:  # all but its end
                await self._children(one)
                self._sink([one.heard.pop()])

    async def _children(self, one: _Followed) -> None:
        """Tell what is left of the contexts below one, which have ended."""
        for name in one.children:
            if (child := await self._child(name, one.top)) is not None:
                await self._rest(child)

    def _tell(self, one: _Followed) -> None:
        """Tell what was heard of a context, up to its end."""
        end = [event for event in one.heard if event.kind == "ended"]
        told = one.heard[: len(one.heard) - len(end)]
        one.heard[:] = end
        for event in told:
            if event.kind == "child":
                one.children.append(event.what["child"])
            elif event.kind == "subflow":
                one.top.runs = True
        if told:
            self._sink(told)


class _Followed:
    """A context that is followed; ``top`` is the one above all, which knows the names of those ``below`` it that are
    followed, and whether any of them ``runs`` others."""

    def __init__(self, id: str, reader: Any) -> None:
        self.id = id
        self.reader = reader
        self.top = self
        self.below: set[str] = set()
        self.runs = False
        self.children: list[str] = []
        self.heard: list[Event] = []  # and not yet told

    @property
    def last(self) -> str:
        """The id of the latest entry that was told of."""
        return str(self.reader.last)
