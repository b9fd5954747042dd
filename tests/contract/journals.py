"""The backends with a journal, as the tests of journals use them: see `tests.contract.backends`."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.backends.redis.stores import program_of, store
from tests.contract.backends import check_memory
from tests.contract.clock import Clock
from tests.contract.subject import Choose, Subject
from tidemill.backends.memory.backend import MemoryBackend
from tidemill.journal.event import Event
from tidemill.journal.kept import Journal

__all__ = ["JOURNALLED", "Journalled", "Noting", "journalled"]

Words = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Journalled:
    """A backend that keeps journals: the ``journal`` of a context, ``names`` of the contexts that have one, and what it
    has counted of operations, by instance and word."""

    subject: Subject
    journal: Callable[..., AsyncIterator[Event]]
    names: Callable[[], Awaitable[list[str]]]
    counts: Callable[[], Awaitable[Words]]


Noting = Callable[[Clock, Choose], AbstractAsyncContextManager[Journalled]]


@asynccontextmanager
async def memory(clock: Clock, choose: Choose = None, limit: int = 100_000) -> AsyncIterator[Journalled]:
    """The engine in this process."""
    journal = Journal(limit)
    backend = MemoryBackend(choose=choose, later=clock.later, lineage=True, journal=journal)

    async def above(one: Any) -> Any:
        return one.items

    async def names() -> list[str]:
        return list(journal.logs)

    async def counts() -> Words:
        return flat(backend.operations.counts())

    subject = Subject(
        backend=backend,
        check=lambda seen: check_memory(backend, seen),
        left=lambda: 0,
        refused=lambda: backend.implementations.refused,
        existing=lambda: 0,
        above=above,
        hears=lambda: _nothing(),
        keeps_objects=True,
    )
    yield Journalled(subject, backend.journal, names, counts)


async def _nothing() -> None:
    """Nobody listens here."""


def flat(counts: Any) -> Words:
    """Return counters of operations by instance and word, without zeros."""
    found: Words = Counter()
    for instance, words in counts.items():
        for word in type(words).__dataclass_fields__:
            found[instance, word] += getattr(words, word)
    return +found


@asynccontextmanager
async def over_a_store(
    kind: str, clock: Clock, choose: Choose = None, limit: int = 100_000
) -> AsyncIterator[Journalled]:
    """The engine in a store; when nobody wants the journals any more nothing is left of them."""
    async with store(kind, clock, choose, journal=limit) as subject:
        backend: Any = subject.backend

        async def counts() -> Words:
            found: Words = Counter()
            for wired in backend.wired.values():
                found += flat(await backend.counts(wired.plan))
            return found

        yield Journalled(subject, backend.journal, backend.journals.names, counts)


JOURNALLED: dict[str, tuple[Noting, int]] = {
    "memory": (memory, 150),
    "redis": (partial(over_a_store, "redis"), 40),
    "valkey": (partial(over_a_store, "valkey"), 40),
}
"""The backends, and with how many random data flows each is tried."""


def journalled(name: str) -> tuple[Noting, int]:
    """Return the factory of a backend, and how many random data flows it is tried with; skip what asks for one whose
    server this machine has not."""
    if name in ("redis", "valkey"):
        program_of(name)
    return JOURNALLED[name]
