"""Rung 6, events and a director: what happens to a file is a series of events, and one place hears of all of them.

What to see: at any moment the director can say what each file is at. It cannot say why: an event does not know which
one it follows from.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from ladder.client import logged_in
from ladder.program import Asked, Tally, asked
from r05_event_loop import get, packed

__all__ = ["BaseEvent", "Director", "Downloaded", "Failed", "Packed", "Wanted", "download"]


@dataclass(frozen=True, slots=True)
class BaseEvent:
    """Something that happened to a file."""

    number: int


class Wanted(BaseEvent):
    """A file is to be got."""


@dataclass(frozen=True, slots=True)
class Downloaded(BaseEvent):
    """A file has come."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Packed(BaseEvent):
    """A file is done."""

    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failed(BaseEvent):
    """A file will not come."""

    error: Exception


Handler = Callable[[BaseEvent], Awaitable[BaseEvent]]


class Director:
    """Hands each event to whoever handles its kind, takes in what follows, and knows the last event of each file."""

    def __init__(self, workers: int) -> None:
        self.states: dict[int, BaseEvent] = {}
        self._handlers: dict[type[BaseEvent], Handler] = {}
        self._room = asyncio.Semaphore(workers)

    def on(self, kind: type[BaseEvent], handler: Handler) -> None:
        """Have a handler called for each event of a kind; what it returns is the next event."""
        self._handlers[kind] = handler

    async def direct(self, *events: BaseEvent) -> None:
        """Go on until nothing follows any more."""
        async with asyncio.TaskGroup() as group:
            for event in events:
                group.create_task(self._follow(event))

    async def _follow(self, event: BaseEvent) -> None:
        async with self._room:
            while True:
                self.states[event.number] = event
                handler = self._handlers.get(type(event))
                if handler is None:
                    return
                try:
                    event = await handler(event)
                except (aiohttp.ClientError, OSError) as error:
                    event = Failed(event.number, error)

    def counts(self) -> dict[str, int]:
        """Return how many files are at each kind of event."""
        return dict(collections.Counter(type(event).__name__ for event in self.states.values()))


async def download(what: Asked) -> Tally:
    """Get and pack all files, and say what each came to."""
    tally, director = Tally(), Director(what.workers)
    async with logged_in(what.site) as session:

        async def fetch(event: BaseEvent) -> BaseEvent:
            return Downloaded(event.number, await get(session, what.site.url(f"/files/{event.number}")))

        async def pack(event: BaseEvent) -> BaseEvent:
            assert isinstance(event, Downloaded)
            return Packed(event.number, await packed(event.body))

        director.on(Wanted, fetch)
        director.on(Downloaded, pack)
        await director.direct(*(Wanted(number) for number in range(what.requests)))
    for event in director.states.values():
        if isinstance(event, Packed):
            tally.came(event.body)
        elif isinstance(event, Failed):
            tally.missed(event.error)
        if what.verbose:
            print(event)
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        asyncio.run(download(what)).say()
