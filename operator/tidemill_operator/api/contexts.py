"""What a client does with the contexts of a data flow: opens, adds to, closes, cancels, lists and reads them.

Everything here is about contexts of one group; of others nobody learns whether they are there. Neighbours: `flows`
(whose contexts), `intake` (what is in a body), `app` (the routes).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from tidemill.backends.redis.endings import GONE, OPEN, RedisEndings
from tidemill.backends.redis.refusals import named
from tidemill.errors import ContextClosed, LoadError, StoreError, TidemillError
from tidemill.formats.inputs import document_sets
from tidemill.formats.values import jsonable
from tidemill.journal.event import Event
from tidemill.model.context import StringInputSetContext
from tidemill.orchestrator.running import outcome_of
from tidemill.plan.plan import Plan
from tidemill.serving.answers import failed_of
from tidemill_operator.api.flows import Flow, NamespaceStore, RequestError
from tidemill_operator.api.intake import given_sets
from tidemill_operator.opening import Opening

__all__ = ["STATES", "Contexts"]

STATES = ("open", "succeeded", "failed")
"""What a context may be."""

AT_ONCE = 64
"""Contexts whose endings are read at once."""
DEEPEST = 100
"""Slashes of the name of a child context before which one that it is below may end."""


class Contexts:
    """The contexts of one data flow."""

    def __init__(self, flow: Flow, store: NamespaceStore) -> None:
        self._flow = flow
        self._store = store
        self._backend = store.backend(flow.retention)

    # -- opening and adding ---------------------------------------------------------------------------------------

    async def plan(self) -> Plan:
        """Return the plan of the data flow. Raises `StoreError`, `LoadError`."""
        async with self._store.asked():
            return (await self._backend.resolve(self._flow.digest)).plan

    async def open(
        self, plan: Plan, lines: list[bytes], first: int, request: str, *, strict: bool, hold: bool, journal: bool
    ) -> tuple[list[dict[str, Any]], TidemillError | None]:
        """Open a context for each of some lines, and return what is said of each, and what was wrong with the line
        after the last of them. With a ``journal`` they keep what happens to them. Whoever sends the same lines again
        opens nothing twice.

        Raises `StoreError`, `LoadError`, and `RequestError` (Cancelled).
        """
        definitions = plan.dataflow.definitions
        sets, wrong = given_sets(plan, definitions, lines, first, self._flow.name, request)
        backend = self._store.backend(self._flow.retention, journal)
        opening = Opening(backend, self._store.openings, self._flow.group)
        async with self._store.asked():
            await backend.resolve(self._flow.digest)
            claimed = await opening.claimed(sets)
        try:
            async with self._store.asked(8):
                await opening.open(plan, sets, claimed, strict=strict, hold=hold)
        except ContextClosed:
            said = f'"{self._flow.name}" has been cancelled, and takes no more contexts'
            raise RequestError(said, reason="Cancelled") from None
        return [{"context": one.name, "status": "open" if one.new else "known"} for one in claimed], wrong

    async def add(self, name: str, said: Any) -> int:
        """Add inputs to a context that is open, and return how many were new. Raises `RequestError`, `InvalidInput`,
        `ContextClosed`, `StoreError`."""
        definitions = (await self.plan()).dataflow.definitions
        await self._ours(name)
        (found,) = document_sets([said], definitions)
        async with self._store.asked():
            return await self._backend.add(name, found.inputs)

    async def close(self, name: str) -> None:
        """Take no more inputs for a context. Raises `RequestError`, `ContextClosed`, `StoreError`."""
        await self._ours(name)
        async with self._store.asked():
            await self._backend.close(name)

    async def cancel(self, name: str) -> None:
        """End a context before its time. Raises `RequestError`, `ContextClosed`, `StoreError`."""
        await self._ours(name)
        async with self._store.asked():
            await self._backend.cancel(name)

    async def _ours(self, name: str) -> None:
        async with self._store.asked():
            (group,) = await self._store.openings.groups_of([name])
        if group != self._flow.group:
            raise RequestError(f'"{self._flow.name}" has no context "{name}"', reason="RunGone")

    async def _ours_or_below(self, name: str) -> None:
        """The same, for a child context as well: its name begins with that of the one above it and a slash."""
        places = [at for at, char in enumerate(name) if char == "/"][:DEEPEST]
        async with self._store.asked():
            groups = await self._store.openings.groups_of([name, *(name[:at] for at in places)])
        if self._flow.group not in groups:
            raise RequestError(f'"{self._flow.name}" has no context "{name}"', reason="RunGone")

    # -- reading ------------------------------------------------------------------------------------------------------

    async def page(self, state: str, cursor: str) -> tuple[list[str], str]:
        """Return some names of contexts in a state, and the cursor of the next page; nothing after the last one.

        A name may be on two pages. Raises `RequestError` (BadCursor, BadState), `StoreError`.
        """
        if state not in STATES:
            raise RequestError(f"state is {state!r}, expected one of {', '.join(STATES)}", reason="BadState")
        if not re.fullmatch(r"\d{1,20}", cursor):
            raise RequestError("the cursor is not one that a page has ended with", reason="BadCursor")
        async with self._store.asked():
            names, following = await self._store.groups.page(self._flow.group, _named(state), cursor)
        return names, "" if following == "0" else following

    async def one(self, name: str, wait: float = 0.0) -> dict[str, Any]:
        """Return what became of a context; of one that is open that it is, after ``wait`` seconds if it still is then.
        Raises `RequestError`, `StoreError`."""
        await self._ours(name)
        if wait:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    async for found, raw in RedisEndings(self._store.client).wait([name]):
                        return await self._said(found, raw)
        async with self._store.asked():
            ((found, raw),) = [pair async for pair in RedisEndings(self._store.client).look([name])]
        return await self._said(found, raw)

    async def results(self, states: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """Yield what became of all contexts that have ended in one of these states. Raises `StoreError`."""
        for state in states:
            some: list[str] = []
            async for name in self._store.groups.names(self._flow.group, _named(state)):
                some.append(name)
                if len(some) >= AT_ONCE:
                    async for said in self._read(some):
                        yield said
                    some = []
            async for said in self._read(some):
                yield said

    async def _read(self, names: list[str]) -> AsyncIterator[dict[str, Any]]:
        if not names:
            return
        async with self._store.asked(8):
            found = [pair async for pair in RedisEndings(self._store.client).look(names)]
        for name, raw in found:
            if raw not in (OPEN, GONE):
                yield await self._said(name, raw)

    async def _said(self, name: str, raw: bytes) -> dict[str, Any]:
        if raw == OPEN:
            return {"context": name, "status": "open"}
        if raw == GONE:
            raise RequestError(f'"{self._flow.name}" has no context "{name}"', reason="RunGone")
        try:
            digest, ending = await self._backend.ending_read(raw)
        except LoadError as error:
            return {"context": name, "status": "unreadable", "reason": error.reason, "message": error.message}
        outcome = outcome_of(ending, StringInputSetContext(name))
        said: dict[str, Any] = {"context": name, "status": "succeeded" if outcome.failure is None else "failed"}
        if outcome.failure is not None:
            return {**said, "failure": failed_of(outcome.failure)}
        said["result"] = jsonable(outcome.result)
        if outcome.failures:
            said["failures"] = [failed_of(failure) for failure in outcome.failures]
        return said

    # -- what happened ------------------------------------------------------------------------------------------------

    async def events(self, name: str, after: int, most: int) -> tuple[list[Event], bool]:
        """Return the events of a context, or of a child context, after one of them, ``most`` of them, and whether there
        are more now. Raises `RequestError`, `ContextClosed` (NoJournal), `StoreError`."""
        await self._ours_or_below(name)
        found: list[Event] = []
        async with self._store.asked(8), contextlib.aclosing(self._backend.journal(name, after=after)) as events:
            async for event in events:
                if len(found) == most:
                    return found, True
                found.append(event)
        return found, False

    async def followed(self, name: str, after: int) -> AsyncGenerator[Event, None]:
        """Yield the events of a context after one of them as they happen, until it has ended. Raises `ContextClosed`
        (NoJournal) where it is forgotten, `StoreError`."""
        with named(self._store.client.url.shown):
            async with contextlib.aclosing(self._backend.journal(name, after=after, follow=True)) as events:
                async for event in events:
                    yield event

    async def seen(self, name: str) -> None:
        """See whether a context that is followed is still there; its store is in use meanwhile. Raises
        `RequestError`."""
        with contextlib.suppress(StoreError):
            await self._ours_or_below(name)

    async def counts(self) -> dict[str, Any]:
        """Return how far all contexts are. Raises `StoreError`."""
        async with self._store.asked():
            found = await self._store.groups.counts(self._flow.group)
        operations = [
            {
                "instance": one.instance,
                "taken": one.counts.taken,
                "dispatched": one.counts.dispatched,
                "completed": one.counts.completed,
                "failed": one.counts.failed,
            }
            for one in found.operations
        ]
        failures = [{"context": name, "reason": one.reason, "message": one.message} for name, one in found.samples]
        return {"state": found.state, "contexts": found.contexts, "operations": operations, "failures": failures}


def _named(state: str) -> Any:
    """Return one of `STATES`; its type is that of the store's words."""
    return state
