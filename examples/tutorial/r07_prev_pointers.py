"""Rung 7, events with prev pointers: each event knows the one that it follows from.

What to see: from any outcome one can walk back to where it began, with the times between; the walk can be told to
others in the words of OpenLineage. And each program that wants this has to be written around its events.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
from ladder.client import logged_in
from ladder.program import Asked, Tally, asked
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde
from r05_event_loop import get, packed

__all__ = ["BaseEvent", "Director", "download", "lineage", "tell"]


@dataclass(frozen=True, slots=True, eq=False)
class BaseEvent:
    """Something that happened to a file: ``prev`` is what it follows from, ``at`` when, in seconds since 1970."""

    number: int
    prev: "BaseEvent | None" = field(default=None, repr=False)
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted(BaseEvent):
    """A file is to be got."""


@dataclass(frozen=True, slots=True, eq=False)
class Downloaded(BaseEvent):
    """A file has come."""

    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Packed(BaseEvent):
    """A file is done."""

    size: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Failed(BaseEvent):
    """A file will not come."""

    error: Exception | None = None


Handler = Callable[[BaseEvent], Awaitable[BaseEvent]]


def lineage(event: BaseEvent) -> Iterator[BaseEvent]:
    """Yield an event and those that it follows from, back to the first."""
    step: BaseEvent | None = event
    while step is not None:
        yield step
        step = step.prev


class Director:
    """Hands each event to whoever handles its kind, until nothing follows; ``last`` has the last event of each file."""

    def __init__(self, workers: int, handlers: dict[type[BaseEvent], Handler]) -> None:
        self.last: dict[int, BaseEvent] = {}
        self._handlers = handlers
        self._room = asyncio.Semaphore(workers)

    async def direct(self, *events: BaseEvent) -> None:
        """Go on until nothing follows any more."""
        async with asyncio.TaskGroup() as group:
            for event in events:
                group.create_task(self._follow(event))

    async def _follow(self, event: BaseEvent) -> None:
        async with self._room:
            while True:
                self.last[event.number] = event
                handler = self._handlers.get(type(event))
                if handler is None:
                    return
                try:
                    event = await handler(event)
                except (aiohttp.ClientError, OSError) as error:
                    event = Failed(event.number, event, error=error)


def tell(event: BaseEvent) -> Iterator[str]:
    """Yield how an event came about, as OpenLineage: each step is a run of a job that makes one dataset of another."""
    steps = list(lineage(event))[::-1]
    for before, after in zip(steps, steps[1:], strict=False):
        run, job = Run(str(uuid.uuid4())), Job("tutorial", f"{type(before).__name__} to {type(after).__name__}")
        inputs = [InputDataset("tutorial", f"{type(before).__name__}/{before.number}")]
        outputs = [OutputDataset("tutorial", f"{type(after).__name__}/{after.number}")]
        ended = RunState.FAIL if isinstance(after, Failed) else RunState.COMPLETE
        for state, at in ((RunState.START, before.at), (ended, after.at)):
            when = datetime.fromtimestamp(at, UTC).isoformat()
            said = RunEvent(eventTime=when, run=run, job=job, eventType=state, inputs=inputs, outputs=outputs)
            yield Serde.to_json(said)


async def download(what: Asked) -> Tally:
    """Get and pack all files, and say how each outcome came about."""
    tally = Tally()
    async with logged_in(what.site) as session:

        async def fetch(event: BaseEvent) -> BaseEvent:
            body = await get(session, what.site.url(f"/files/{event.number}"))
            return Downloaded(event.number, event, body=body)

        async def pack(event: BaseEvent) -> BaseEvent:
            assert isinstance(event, Downloaded)
            return Packed(event.number, event, size=len(await packed(event.body)))

        director = Director(what.workers, {Wanted: fetch, Downloaded: pack})
        await director.direct(*(Wanted(number) for number in range(what.requests)))
    for event in director.last.values():
        if isinstance(event, Packed):
            tally.came(event.size)
        elif isinstance(event, Failed) and event.error is not None:
            tally.missed(event.error)
    if what.verbose:
        for event in director.last.values():
            print(" <- ".join(f"{step} at {step.at:.3f}" for step in lineage(event)))
            print(*tell(event), sep="\n")
    return tally


if __name__ == "__main__":
    with asked(__doc__) as what:
        asyncio.run(download(what)).say()
