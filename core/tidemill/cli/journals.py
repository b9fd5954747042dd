"""Journals on the command line: where events go while a run lasts, and where they come from afterwards.

A journal in a file has one event a line, as JSON. Neighbours: `running` writes, `events` and `lineage` read;
`journal.event` says what an event is.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import click

from tidemill.cli.errors import say
from tidemill.errors import InvalidDocument, TidemillError

if TYPE_CHECKING:
    from tidemill.backends.redis.following import Following
    from tidemill.journal.event import Event

__all__ = [
    "followed",
    "gathered",
    "journal_options",
    "line_of",
    "noting",
    "read_events",
    "read_later",
    "source_options",
]


def journal_options(function: Any) -> Any:
    """Give a command ``--journal`` and ``--openlineage``, for where events go."""
    journal = click.option("--journal", metavar="FILE",
        help="Write every change of state to FILE, as JSON lines: see `tidemill events`.")  # fmt: skip
    openlineage = click.option("--openlineage", metavar="WHERE",
        help="Tell OpenLineage what becomes of contexts: console, file:PATH, or the URL of a server.")  # fmt: skip
    return journal(openlineage(function))


def source_options(function: Any) -> Any:
    """Give a command ``--journal``, for where events come from."""
    return click.option("--journal", metavar="FILE", help="The file that `tidemill run --journal FILE` has written.")(
        function
    )


def line_of(event: Event) -> str:
    """Return an event as one line of JSON."""
    from tidemill.formats.values import as_json

    return as_json(event.plain())


@contextlib.contextmanager
def noting(
    journal: str | None, openlineage: str | None, flow: str
) -> Iterator[Callable[[Sequence[Event]], None] | None]:
    """Give what takes the events of a run of ``flow``, or None if nobody wants them.

    Raises `TidemillError` (CannotWrite, InvalidTransport) and `LoadError` (MissingExtra).
    """
    with contextlib.ExitStack() as stack:
        sinks: list[Callable[[Sequence[Event]], None]] = []
        if journal is not None:
            sinks.append(stack.enter_context(_written(journal)))
        if openlineage is not None:
            sinks.append(stack.enter_context(_told(openlineage, flow)))

        def take(events: Sequence[Event]) -> None:
            for sink in sinks:
                sink(events)

        yield take if sinks else None


@contextlib.contextmanager
def _told(where: str, flow: str) -> Iterator[Callable[[Sequence[Event]], None]]:
    from tidemill.journal.openlineage import OpenLineage, transport_of

    transport = transport_of(where)
    if where == "console":
        log = logging.getLogger("openlineage.client.transport.console")
        log.setLevel(logging.INFO)  # what the library writes there is what was asked for
    told = OpenLineage(transport, flow, failed=say)
    try:
        yield told
    finally:
        told.close()


@contextlib.contextmanager
def _written(path: str) -> Iterator[Callable[[Sequence[Event]], None]]:
    file: IO[str]
    try:
        file = open(path, "w", encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        said = f"the journal cannot be written to {path}: {reason}; name a file in a folder that there is"
        raise TidemillError(said, reason="CannotWrite", path=path) from error
    with file:
        yield lambda events: file.writelines(f"{line_of(event)}\n" for event in events)


def read_events(path: str) -> Iterator[Event]:
    """Yield the events that a file has. What a run that was killed has left of its last line is no event.

    Raises `InvalidDocument`: FileNotFound, NotAFile, FileUnreadable, MalformedJson, NotAnEvent.
    """
    from tidemill.formats.read import open_regular
    from tidemill.journal.event import Event

    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            where = f"{path}:{number}"
            try:
                said = json.loads(line)
            except (ValueError, RecursionError) as error:
                told = f"line {number} is no event of a journal: {error}"
                raise InvalidDocument(told, reason="MalformedJson", path=where) from error
            yield Event.of(said, where)


@contextlib.asynccontextmanager
async def followed(octx: Any, sink: Callable[[Sequence[Event]], None] | None) -> AsyncIterator[Following | None]:
    """Give what hands on to ``sink`` what happens to contexts in a store, while it happens; None where nobody wants to
    know, or the contexts are in memory, which tells by itself."""
    journals = getattr(octx.backend, "journals", None)
    if sink is None or journals is None:
        yield None
        return
    from tidemill.backends.redis.following import Following

    async with Following(journals, sink).alive() as following:
        yield following


async def gathered(context: str, journal: Callable[[str], AsyncIterator[Event]]) -> dict[str, list[Event]]:
    """Return the events of a context and of its child contexts, by name. Raises `TidemillError` (NoJournal)."""
    found: dict[str, list[Event]] = {}
    ahead = [context]
    while ahead:
        name = ahead.pop()
        try:
            events = found[name] = [event async for event in journal(name)]
        except TidemillError:
            if name == context:
                raise
            continue  # it is gone before the journal of the context above it
        children = {event.what["child"] for event in events if event.kind == "child"}
        ahead += sorted(children - found.keys(), reverse=True)
    return found


async def read_later(path: str) -> AsyncIterator[Event]:
    """Yield the events that a file has, where they are awaited."""
    for event in read_events(path):
        yield event
