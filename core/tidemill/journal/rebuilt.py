"""The state of a context, made again out of its events alone.

That it equals the real one is what makes a journal worth reading; tests hold it against both backends. Neighbours:
`journal.event`, `engine.lineage` (what inputs and parameter sets are called in every process).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tidemill.engine.lineage import LineageRecord, identity, set_identity
from tidemill.errors import InvalidDocument
from tidemill.journal.event import OF_SETS, Event

__all__ = ["Rebuilt", "Set", "rebuilt"]

COUNTED = ("taken", "dispatched", "leased", "completed", "failed", "retried")
"""The kinds that are counted by operation."""
_AFTER = {"retried": "delayed", "lost": "taken", "released": "taken", "subflow": "parent", "child": "parent"}

Set = tuple[str, tuple[int, ...]]
"""A parameter set: the instance of its operation, and the numbers of its inputs."""


@dataclass(slots=True)
class Rebuilt:
    """A context as its events tell of it.

    ``counts`` are by operation and word; ``sets`` are the parameter sets and the state that each is in; ``inputs`` the
    events of inputs and defaults by number; ``children`` the child contexts of parameter sets that have ended;
    ``outputs`` what was completed in the output stage; ``cut`` how many events were not there any more, of which
    nothing is known here.
    """

    context: str = ""
    status: str = "open"
    strict: bool = True
    stage: str = ""
    plan: str = ""
    result: Any = None
    failure: dict[str, Any] | None = None
    failures: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    sets: dict[Set, str] = field(default_factory=dict)
    inputs: dict[int, Event] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    children: dict[Set, list[str]] = field(default_factory=dict)
    outputs: list[Set] = field(default_factory=list)
    cut: int = 0

    def take(self, event: Event) -> None:
        """Take the next event in."""
        kind, what = event.kind, event.what
        self.context = self.context or event.context
        if event.context != self.context:
            said = f'an event of the context "{event.context}" among those of "{self.context}"; give those of one'
            raise InvalidDocument(said, reason="SeveralContexts", path=str(event.id))
        if kind in OF_SETS:
            self._set(kind, (what["operation"], tuple(what["inputs"])), what)
        elif kind in ("input", "default"):
            self.inputs[what["number"]] = event
        else:
            getattr(self, f"_{kind}", _nothing)(what)

    def _set(self, kind: str, which: Set, what: dict[str, Any]) -> None:
        if kind in COUNTED:
            counts = self.counts.setdefault(which[0], dict.fromkeys(COUNTED, 0))
            counts[kind] += 1
        if kind == "child":
            named = self.children.setdefault(which, [])
            if what["child"] not in named:
                named.append(what["child"])
        elif kind == "completed" and self.stage == "output":
            self.outputs.append(which)
        self.sets[which] = _AFTER.get(kind, kind)

    def _opened(self, what: dict[str, Any]) -> None:
        self.plan, self.strict, self.names, self.stage = what["plan"], what["strict"], what["operations"], "processing"
        self.counts = {name: dict.fromkeys(COUNTED, 0) for name in self.names}

    def _stage(self, what: dict[str, Any]) -> None:
        self.stage = what["stage"]

    def _failure(self, what: dict[str, Any]) -> None:
        for which, state in self.sets.items():
            if state in ("taken", "dispatched", "delayed"):
                self.sets[which] = "dropped"

    def _ended(self, what: dict[str, Any]) -> None:
        self.status, self.stage = what["status"], ""
        self.result, self.failure = what.get("result"), what.get("failure")
        self.failures, self.notes = what.get("failures", []), what.get("notes", [])

    def _cut(self, what: dict[str, Any]) -> None:
        self.cut = what["events"]

    def lineage(self) -> list[LineageRecord]:
        """Return the record of every input, in the order of their numbers, as `Outcome.lineage` has it."""
        known: dict[int, str] = {}
        found = []
        for number in sorted(self.inputs):
            event = self.inputs[number]
            if event.kind == "default":
                known[number] = "default"
                continue
            what = event.what
            parents = tuple([known.get(parent, "") for parent in what["parents"]])
            known[number], made_by = self._identity(what, parents)
            found.append(
                LineageRecord(known[number], what["definition"], what["origin"], what.get("value"), parents, made_by)
            )
        return found

    def _identity(self, what: dict[str, Any], parents: tuple[str, ...]) -> tuple[str, str | None]:
        context, origin = self.context, what["origin"]
        if "canonical" in what:
            stands_for = what.get("stands_for", "")
            named = tuple(stands_for) if isinstance(stands_for, list) else stands_for
            return identity("value", context, str(origin), str(named), what["definition"], what["canonical"]), None
        if "operation" in what:
            made_by = set_identity(context, what["operation"], self.names.get(what["operation"], ()), parents)
            return identity("out", made_by, origin[1], *map(str, what["position"])), made_by
        place = (what["uid"],) if "uid" in what else (what["definition"], str(what["position"][1]))
        return identity("seed", context, str(origin), *place), None


def rebuilt(events: Iterable[Event]) -> Rebuilt:
    """Return the state that the events of one context tell of. Raises `InvalidDocument` (SeveralContexts)."""
    state = Rebuilt()
    for event in events:
        state.take(event)
    return state


def _nothing(what: dict[str, Any]) -> None:
    """Take in what changes nothing that is kept here."""
