"""The journal inside one process: facts as the memory backend notes them, made into events when somebody reads.

A fact that is noted is a thing or two at the end of one list; all else is done by who reads. Neighbours:
`backends.memory.journalling` notes, `journal.links` makes events, `journal.files` takes them to a file.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any

from tidemill.errors import ContextClosed, TidemillError, shown
from tidemill.journal.event import LIMIT, Event, Fact
from tidemill.journal.links import Links
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
    """The journal of one context: ``facts`` is where its backend appends what happens. ``plan`` has its operations,
    ``uids`` the inputs that were given identities."""

    # What only who reads needs is made by who reads: most journals are never read, and one is begun for each context.
    _links: Links | None = None
    begun = over = False
    cut = inputs = 0

    def __init__(self, journal: Journal, name: str, plan: Plan, uids: Mapping[str, Any]) -> None:
        self._journal = journal
        self.name = name
        self.plan = plan
        self.uids = uids
        self.facts: list[Any] = []

    @property
    def worker(self) -> str:
        """The worker of those leases of which no worker is noted."""
        return self._journal.worker

    def _open(self) -> Links:
        """Return what makes events of facts; from now on it is known where each parameter set is."""
        self._links = Links(self.name)
        self._events: deque[Event] = deque(maxlen=None if self._journal.sink else self._journal.limit)
        self._heard: set[asyncio.Event] = set()
        self.sets: dict[tuple[int, ...], tuple[str, int]] = {}  # the last that was said of each, and how often leased
        return self._links

    def trim(self) -> None:
        """Make events of what has been noted if it is much; wake whoever follows."""
        if len(self.facts) >= self._journal.piece:
            self.gather()
        if self._links is not None:
            for heard in self._heard:
                heard.set()

    def gather(self) -> None:
        """Make events of all that has been noted."""
        if not self.begun:
            return
        journal, link = self._journal, (self._links or self._open()).link
        facts = self.facts[:]
        self.facts.clear()
        made = [link(*said) for said in journal.said(self, facts)]
        if journal.sink is not None:
            journal.sink(made)
        else:
            self.cut += max(0, len(self._events) + len(made) - journal.limit)
            self._events.extend(made)

    def after(self, id: int) -> list[Event]:
        """Return the events that come after this one; first what has been cut off, if that is something of them."""
        self.gather()
        if self._links is None:
            return []
        found = [event for event in self._events if event.id > id]
        if self.cut > id:
            found.insert(0, Event(self.cut, 0, "cut", self.name, {"events": self.cut}))
        return found

    async def follow(self, id: int) -> AsyncGenerator[Event, None]:
        """Yield the events after this one as they happen, to the last one of the context."""
        heard = asyncio.Event()
        if self._links is None:
            self._open()
        self._heard.add(heard)
        self._journal.listen(1)
        try:
            while True:
                for event in self.after(id):
                    id = event.id
                    yield event
                if self.over:
                    return
                heard.clear()
                await heard.wait()
        finally:
            self._heard.discard(heard)
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
        self.logs: dict[str, Log] = {}
        self.said: Said = lambda log, facts: facts  # the backend's, when it is put together
        self.worker = LOCAL
        self.due = self.piece  # facts with which a journal is to be trimmed: any, while somebody follows a context
        self._heard = 0
        self._over: deque[str] = deque()

    def begin(self, name: str, plan: Plan, uids: Mapping[str, Any]) -> Log:
        """Begin the journal of a context; that of an earlier one of its name is dropped."""
        log = self.logs[name] = Log(self, name, plan, uids)
        return log

    def listen(self, more: int) -> None:
        """Note that somebody follows a context, or does so no longer."""
        self._heard += more
        self.due = 0 if self._heard else self.piece

    def forget(self, name: str) -> None:
        """Drop the journal of a context."""
        self.logs.pop(name, None)

    def end(self, name: str) -> None:
        """Note that a context has ended."""
        log = self.logs[name]
        log.over = True
        if self._heard:
            log.trim()
        if self.sink is not None:
            log.gather()
            self.forget(name)
            return
        self._over.append(name)
        while len(self._over) > self.contexts:
            gone = self._over.popleft()
            if gone in self.logs and self.logs[gone].over:
                self.forget(gone)

    def flush(self) -> None:
        """Hand all that has been noted to the sink, if there is one."""
        for log in self.logs.values() if self.sink is not None else ():
            log.gather()

    def log_of(self, context: str) -> Log:
        """Return the journal of a context. Raises `ContextClosed` (NoJournal)."""
        log = self.logs.get(context)
        if log is None:
            raise no_journal(context)
        return log
