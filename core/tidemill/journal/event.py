"""An event: one change of the state of one context, and which event caused it.

Neighbours: `journal.links` makes them, the command line and the HTTP API hand them out in the form of `Event.plain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import InvalidDocument, shown

__all__ = ["KINDS", "LIMIT", "OF_SETS", "Event", "Fact"]

LIMIT = 100_000
"""Events that are kept of one context unless told otherwise; older ones are cut off, and that is said."""

KINDS: Mapping[str, str] = {
    "opened": "the context exists: its plan, and the operations of that with the names of their parameters",
    "added": "inputs come from outside, or from the context above",
    "closed": "no more inputs come from outside",
    "input": "an input is stored: its number, definition, origin, parents and value, and who made it",
    "default": "a parameter takes its default, which has a number like an input",
    "gate": "an operation with conditions is at work from now on",
    "taken": "a combination of inputs is a parameter set",
    "dispatched": "a parameter set is ready for workers",
    "leased": "a worker has it",
    "completed": "it is done",
    "failed": "it has failed for good",
    "retried": "it has failed, and is tried again",
    "lost": "its worker vanished with it",
    "released": "its worker has handed it back",
    "dropped": "it is not run any more, as its context has failed",
    "subflow": "it waits for child contexts",
    "child": "a child context has ended",
    "failure": "the context fails: what is not leased is dropped",
    "stage": "the next stage begins, as everything was quiet",
    "ended": "the context has ended: with its result, or why it failed",
    "cut": "the oldest events are gone: there were more than the journal keeps",
}
"""The kinds of events, and what each says."""

OF_SETS = frozenset(
    [
        "taken",
        "dispatched",
        "leased",
        "completed",
        "failed",
        "retried",
        "lost",
        "released",
        "dropped",
        "subflow",
        "child",
    ]
)  # fmt: skip
"""The kinds that are about a parameter set; their ``what`` has ``operation`` and ``inputs``, the numbers of its
inputs in the order of the parameters."""

Fact = tuple[str, dict[str, Any]]
"""A kind and what it says, as a backend notes it: which event it is and what caused it follows from those before."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change of state. ``id`` counts the events of the context from 1; ``prev`` is the id of the event that caused
    this one, 0 where the cause lies outside the context; ``what`` is what `KINDS` says."""

    id: int
    prev: int
    kind: str
    context: str
    what: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the event as one flat mapping."""
        return {"id": self.id, "prev": self.prev, "kind": self.kind, "context": self.context, **self.what}

    @classmethod
    def of(cls, said: Any, source: str = "event") -> Event:
        """Return the event that `plain` made a mapping of. Raises `InvalidDocument` (NotAnEvent)."""
        what = dict(said) if isinstance(said, Mapping) else {}
        id, prev, kind, context = (what.pop(name, None) for name in ("id", "prev", "kind", "context"))
        whole = isinstance(id, int) and isinstance(prev, int) and isinstance(context, str) and kind in KINDS
        if not whole or (kind in OF_SETS and not {"operation", "inputs"} <= what.keys()):
            told = f"{shown(said)} is no event; expected a mapping with id, prev, kind and context, as a journal has it"
            raise InvalidDocument(told, reason="NotAnEvent", path=source)
        for name in ("inputs", "parents", "position"):
            if isinstance(what.get(name), list):
                what[name] = tuple(what[name])
        if isinstance(what.get("origin"), list):
            what["origin"] = tuple(what["origin"])
        return cls(id, prev, kind, context, what)
