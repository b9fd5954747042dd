"""Prev pointers: which event caused which.

A backend notes facts in the order in which they happen, and every step of it is atomic; what caused a fact is then a
matter of what stands before it. That is worked out here, by whoever reads, so that nothing is paid for it where the
work is done, and is the same for every backend.
"""

from __future__ import annotations

from typing import Any

from tidemill.journal.event import Event

__all__ = ["Links"]

_OUTSIDE = frozenset(["opened", "added", "closed", "cut"])
_MOVES = frozenset(
    ["opened", "added", "closed", "completed", "failed", "retried", "lost", "released", "dropped", "subflow", "child",
     "failure", "stage"]
)  # fmt: skip
"""What may leave a context quiet."""
_QUIET = frozenset(["stage", "ended", "default"])
_ENDS = frozenset(["completed", "failed", "dropped"])
_GIVES = frozenset(["opened", "added"])

Set = tuple[str, tuple[int, ...]]


class Links:
    """Makes events out of the facts of one context, one after the other. ``last`` is the id of the latest one."""

    __slots__ = ("_gates", "_given", "_inputs", "_moved", "_sets", "_stage", "context", "last")

    def __init__(self, context: str) -> None:
        self.context = context
        self.last = 0
        self._inputs: dict[int, int] = {}  # number → event
        self._sets: dict[Set, int] = {}  # parameter set → its latest event
        self._gates: dict[str, int] = {}
        self._given = 0  # the event with which inputs came from outside
        self._moved = 0
        self._stage = 0

    def link(self, kind: str, what: dict[str, Any]) -> Event:
        """Return the event of the next fact."""
        self.last = id = self.last + 1
        event = Event(id, self._cause(kind, what), kind, self.context, what)
        self._note(event)
        return event

    def skip(self, before: int) -> Event:
        """Say that all events up to this id are gone; the events that they caused name them all the same."""
        self.last = before
        return Event(before, 0, "cut", self.context, {"events": before})

    def _cause(self, kind: str, what: dict[str, Any]) -> int:
        if kind in _OUTSIDE or (kind == "failure" and what.get("reason") == "Cancelled"):
            return 0
        if kind in _QUIET:
            return self._moved
        if kind == "failure":
            return self.last - 1
        if kind == "gate":
            return self._inputs.get(what.get("input", -1), self._stage)
        if kind == "input" and "operation" not in what:
            return self._given
        if kind == "taken":
            youngest = max((self._inputs.get(number, 0) for number in what["inputs"]), default=0)
            return max(youngest, self._gates.get(what["operation"], 0), self._stage)
        if what.pop("freed", False):
            return self._moved  # whoever has given the lock back
        return self._sets.get((what["operation"], tuple(what["inputs"])), 0)

    def _note(self, event: Event) -> None:
        kind, what = event.kind, event.what
        if kind in _MOVES:
            self._moved = event.id
        if kind in _GIVES:
            self._given = event.id
        if kind in ("opened", "stage"):
            self._stage = event.id
        elif kind in ("input", "default"):
            self._inputs[what["number"]] = event.id
        elif kind == "gate":
            self._gates[what["operation"]] = event.id
        elif kind in _ENDS:
            self._sets.pop((what["operation"], tuple(what["inputs"])), None)
        elif "inputs" in what:
            self._sets[what["operation"], tuple(what["inputs"])] = event.id
