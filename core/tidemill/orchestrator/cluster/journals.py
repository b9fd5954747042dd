"""What happened to contexts that a program has opened on a cluster, under the names that they have in the program.

There a context has a name that was made up for it; here it has the program's, and so have its child contexts and what
events say of them. Neighbours: `orchestrator.kubernetes` offers it, `orchestrator.remote` tells it of names,
`orchestrator.cluster.client` asks.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from tidemill.journal.event import Event
from tidemill.journal.kept import no_journal
from tidemill.orchestrator.cluster.client import ApiError, Client

__all__ = ["ClusterBackend"]

KEPT = 100_000
"""Contexts whose names are known at once; the oldest are forgotten first."""
_NONE = frozenset({"NoJournal", "RunGone"})


class ClusterBackend:
    """The contexts of one program on a cluster, as far as it may look at them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._there: dict[str, str] = {}
        self._here: dict[str, str] = {}

    def opened(self, name: str, there: str) -> None:
        """Note what a context is called there that is opened now; an earlier one of its name is not known any more."""
        self._here.pop(self._there.pop(name, ""), None)
        self._there[name], self._here[there] = there, name
        if len(self._there) > KEPT:
            del self._here[self._there.pop(next(iter(self._there)))]

    async def journal(self, context: str, *, after: int = 0, follow: bool = False) -> AsyncGenerator[Event, None]:
        """Yield the events of a context, or of a child context, after one of them; see `networks.backend`.

        Raises `ContextClosed` (NoJournal) and `ApiError`.
        """
        there = self._name_there(context)
        asked = self._client.followed(there, after) if follow else self._client.journal(there, after)
        try:
            async with contextlib.aclosing(asked) as events:
                async for event in events:
                    yield self._as_here(event)
        except ApiError as error:
            if error.reason in _NONE:
                raise no_journal(context) from None
            raise

    def _name_there(self, context: str) -> str:
        """Return what a context is called there: as a whole, or by what one is called that it is a child of."""
        end = len(context)
        while end > 0:
            if (there := self._there.get(context[:end])) is not None:
                return there + context[end:]
            end = context.rfind("/", 0, end)
        raise no_journal(context)

    def _name_here(self, there: str) -> str:
        above, slash, below = there.partition("/")
        return self._here.get(above, above) + slash + below

    def _as_here(self, event: Event) -> Event:
        what: dict[str, Any] = dict(event.what)
        if "child" in what:
            what["child"] = self._name_here(what["child"])
        if "parent" in what:
            what["parent"] = {**what["parent"], "context": self._name_here(what["parent"]["context"])}
        return replace(event, context=self._name_here(event.context), what=what)
