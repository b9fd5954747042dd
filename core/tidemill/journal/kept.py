"""The journal inside one process: facts as the memory backend notes them, made into events when somebody reads.

A fact that is noted is a thing or two at the end of one list; all else is done by who reads. Neighbours:
`backends.memory.journalling` notes, `journal.links` makes events, `journal.files` takes them to a file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any

from tidemill.errors import ContextClosed, TidemillError, shown
from tidemill.journal.event import LIMIT, Event, Fact
from tidemill.journal.links import Links
from tidemill.model.operation import Stage
from tidemill.plan.plan import Plan

__all__ = ["Journal", "Log", "limited", "no_journal"]

PIECE = 4096
"""Facts that are gathered before events are made of them."""
LOCAL = "local"
"""The worker of this process, which is not noted with each lease."""

Said = Callable[["Log", Iterable[Any]], Iterable[Fact]]
"""Returns what facts say that a backend has noted in its own way."""


def limited(limit: int) -> int:
    """Return how many events are kept of a context. Raises `TidemillError` (InvalidLimit)."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        said = f"a journal of {shown(limit)} events; expected a whole number of 1 or more"
        raise TidemillError(said, reason="InvalidLimit")
    return limit


def no_journal(context: str) -> ContextClosed:
    """Return the error of a context of which there is no journal."""
    said = f'there is no journal of the context "{context}": it is not known, or it was opened without one'
    return ContextClosed(said, reason="NoJournal")


class Log:
    """The journal of one context, opened by who reads it: most are never read. ``facts`` is where its backend appends
    what happens, ``plan`` has its operations, ``given`` what was said last of inputs that were given."""

    def __init__(self, journal: Journal, name: str, facts: list[Any]) -> None:
        self._journal = journal
        self.name = name
        self.facts = facts
        self.plan: Plan = facts[0][1]
        self.given: dict[int, dict[str, Any]] = {}
        self._links = Links(name)
        self._events: deque[Event] = deque(maxlen=None if journal.sink else journal.limit)
        self.heard: set[asyncio.Event] = set()
        self.over = False
        self.cut = self.inputs = 0
        self.sets: dict[tuple[int, ...], tuple[str, int]] = {}  # the last that was said of each, and how often leased
        self.stage = Stage.PROCESSING

    @property
    def worker(self) -> str:
        """The worker of those leases of which no worker is noted."""
        return self._journal.worker

    def gather(self) -> None:
        """Make events of all that has been noted."""
        journal, link = self._journal, self._links.link
        facts = self.facts[:]
        self.facts.clear()
        made = [link(*said) for said in journal.said(self, facts)]
        self.over = self.over or any(event.kind == "ended" for event in made)
        if journal.sink is not None:
            journal.sink(made)
        else:
            self.cut += max(0, len(self._events) + len(made) - journal.limit)
            self._events.extend(made)

    def after(self, id: int) -> list[Event]:
        """Return the events that come after this one; first what has been cut off, if that is something of them."""
        self.gather()
        found = [event for event in self._events if event.id > id]
        if self.cut > id:
            found.insert(0, Event(self.cut, 0, "cut", self.name, {"events": self.cut}))
        return found

    async def follow(self, id: int) -> AsyncGenerator[Event, None]:
        """Yield the events after this one as they happen, to the last one of the context."""
        heard = asyncio.Event()
        self.heard.add(heard)
        self._journal.listen(1)
        try:
            while True:
                heard.clear()
                found = self.after(id)
                over = self.over  # as of these: while they are read there may be more
                for event in found:
                    id = event.id
                    yield event
                if over:
                    return
                await heard.wait()
        finally:
            self.heard.discard(heard)
            self._journal.listen(-1)


class Journal:
    """The journals of the contexts of one backend in this process.

    ``limit``: events that are kept of one context, of the last ``contexts`` that have ended. With a ``sink`` nothing is
    kept: it is called with events, as they come, in their order within each context.
    """

    def __init__(
        self, limit: int = LIMIT, *, contexts: int = 1000, sink: Callable[[Sequence[Event]], None] | None = None
    ) -> None:
        self.limit = limited(limit)
        self.contexts = limited(contexts)
        self.sink = sink
        self.piece = PIECE if sink is not None else self.limit
        self.logs: dict[str, list[Any]] = {}  # what has been noted of each context, and not been read
        self.said: Said = lambda log, facts: facts  # the backend's, when it is put together
        self.worker = LOCAL
        self.due = self.piece  # facts with which a journal is to be trimmed: any, while somebody follows a context
        self._heard = 0
        self._read: dict[str, Log] = {}
        self._over: deque[str] = deque()

    def begin(self, name: str, opened: tuple[Any, ...]) -> list[Any]:
        """Begin the journal of a context, and return where to append facts; that of an earlier one of its name is
        dropped. ``opened`` is the first fact: "opened", its plan, and more that its backend can say."""
        if name in self.logs:
            self.forget(name)
        facts = self.logs[name] = [opened]
        return facts

    def listen(self, more: int) -> None:
        """Note that somebody follows a context, or does so no longer."""
        self._heard += more
        self.due = 0 if self._heard else self.piece

    def forget(self, name: str) -> None:
        """Drop the journal of a context."""
        self.logs.pop(name, None)
        self._read.pop(name, None)
        with contextlib.suppress(ValueError):
            self._over.remove(name)

    def trim(self, name: str) -> None:
        """Make events of what has been noted of a context if it is much; wake whoever follows it."""
        if len(self.logs.get(name, ())) >= self.piece:
            self.log_of(name).gather()
        log = self._read.get(name)
        for heard in log.heard if log is not None else ():
            heard.set()

    def end(self, name: str, facts: list[Any], fact: Any) -> None:
        """Note that a context has ended: ``fact`` is the last of its ``facts``."""
        facts.append(fact)
        if self.sink is not None:
            self.log_of(name).gather()
            self.forget(name)
            return
        if self._heard:
            self.trim(name)
        over = self._over
        over.append(name)
        if len(over) > self.contexts:
            gone = over.popleft()
            self.logs.pop(gone, None)  # a name that two backends have used at a time is there twice
            self._read.pop(gone, None)

    def flush(self) -> None:
        """Hand all that has been noted to the sink, if there is one."""
        for name in self.logs if self.sink is not None else ():
            self.log_of(name).gather()

    def log_of(self, context: str) -> Log:
        """Return the journal of a context. Raises `ContextClosed` (NoJournal)."""
        facts = self.logs.get(context)
        if facts is None:
            raise no_journal(context)
        log = self._read.get(context)  # both are dropped together, so it is of these facts
        if log is None:
            log = self._read[context] = Log(self, context, facts)
        return log
