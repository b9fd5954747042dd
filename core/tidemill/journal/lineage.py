"""Lineage as a graph: what a result was made of, back to the seeds, and what came of an input.

Nodes are inputs, parameter sets and results; an edge leads from what was there first to what was made of it. Where an
operation ran child contexts, what they gave is part of it. Neighbours: `journal.rebuilt` reads events, the command line
draws graphs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import ContextClosed, TidemillError, did_you_mean, shown
from tidemill.journal.event import Event
from tidemill.journal.rebuilt import Rebuilt, Set

__all__ = ["Graph", "Node", "lineage", "states_of"]


@dataclass(frozen=True, slots=True)
class Node:
    """One thing. ``kind`` is input, default, set or result, ``name`` what people call it; ``value`` is there for what
    has one, ``number`` for inputs, ``what`` has the definition, origin or operation."""

    id: str
    kind: str
    context: str
    name: str
    what: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the node as one flat mapping."""
        return {"id": self.id, "kind": self.kind, "context": self.context, "name": self.name, **self.what}


@dataclass(slots=True)
class Graph:
    """``roots`` are what was asked about, ``edges`` lead from what was first to what was made of it; ``forward`` says
    that the question was what came of the roots. Nodes are in the order in which they were found."""

    roots: list[str]
    forward: bool
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)

    def following(self) -> dict[str, list[str]]:
        """Return the nodes that come after each, seen from the roots."""
        found: dict[str, list[str]] = {}
        for first, then in self.edges:
            one, other = (first, then) if self.forward else (then, first)
            found.setdefault(one, []).append(other)
        return found

    def plain(self) -> dict[str, Any]:
        """Return the graph as plain data, but for values of inputs and results, which are as they are."""
        return {
            "roots": self.roots,
            "nodes": [node.plain() for node in self.nodes.values()],
            "edges": [list(edge) for edge in self.edges],
        }


def states_of(events: Iterable[Event]) -> dict[str, Rebuilt]:
    """Return what the events of several contexts tell of each, by name."""
    found: dict[str, Rebuilt] = {}
    for event in events:
        if event.kind == "opened" or event.context not in found:
            found[event.context] = Rebuilt()
        found[event.context].take(event)
    return found


def lineage(states: Mapping[str, Rebuilt], context: str, of: str = "", *, forward: bool = False) -> Graph:
    """Return what something of a context was made of, or with ``forward`` what came of it.

    ``of`` is the number of an input, its definition, its uid, the operation or operation.output that gave it; without
    it, the result of the context, or with ``forward`` all that was given from outside. Raises `ContextClosed`
    (NoJournal) and `TidemillError` (NotInJournal) for what the events do not tell of.
    """
    state = states.get(context)
    if state is None:
        hint = did_you_mean(context, list(states))
        raise ContextClosed(f'the journal tells nothing of the context "{context}" {hint}', reason="NoJournal")
    whole = _Whole(states)
    for each in states.values():
        whole.take(each)
    roots = whole.named(state, of, forward)
    graph = Graph(roots, forward)
    after: dict[str, list[str]] = {}
    for first, then in whole.edges:
        one, other = (first, then) if forward else (then, first)
        after.setdefault(one, []).append(other)
    ahead = list(reversed(roots))
    while ahead:
        id = ahead.pop()
        if id not in graph.nodes:
            graph.nodes[id] = whole.nodes[id]
            ahead += [other for other in reversed(after.get(id, ())) if other not in graph.nodes]
    graph.edges = {edge: None for edge in whole.edges if graph.nodes.keys() >= set(edge)}
    return graph


class _Whole:
    """Everything that events tell of, as one graph."""

    def __init__(self, states: Mapping[str, Rebuilt]) -> None:
        self._states = states
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], None] = {}

    def take(self, state: Rebuilt) -> None:
        """Take in what is known of a context."""
        for which in state.sets:
            self._set(state, which)
        for number, event in sorted(state.inputs.items()):
            self._input(state, number, event)
        if state.status != "open":
            self._result(state)

    def _set(self, state: Rebuilt, which: Set) -> None:
        operation, numbers = which
        names = state.names.get(operation, ())
        id, said = _set_id(state, which), ", ".join(f"{n}=#{i}" for n, i in zip(names, numbers, strict=False))
        what = {"operation": operation, "inputs": list(numbers), "state": state.sets[which]}
        self.nodes[id] = Node(id, "set", state.context, f"{operation}({said})", what)
        for number in numbers:
            self.edges[_input_id(state, number), id] = None
        for child in state.children.get(which, ()):
            if child in self._states and self._states[child].status != "open":
                self.edges[_result_id(self._states[child]), id] = None

    def _input(self, state: Rebuilt, number: int, event: Event) -> None:
        what, id = event.what, _input_id(state, number)
        if event.kind == "default":
            name, more = f"{what['of']}.{what['parameter']}", {"number": number, "value": what.get("value")}
        else:
            name = what["definition"]
            more = {"number": number, "origin": _origin(what["origin"]), "value": what.get("value")}
            if "operation" in what:
                self.edges[_set_id(state, (what["operation"], tuple(what["inputs"]))), id] = None
        self.nodes[id] = Node(id, event.kind, state.context, name, more)

    def _result(self, state: Rebuilt) -> None:
        """A result is what output operations made of what they read: their own inputs, and those inputs of which the
        result has the definition as a key. A failure is of the parameter sets that failed."""
        id = _result_id(state)
        if state.failure is not None:
            self.nodes[id] = Node(id, "result", state.context, "failed", {"failure": state.failure})
            made = [which for which, how in state.sets.items() if how == "failed"]
        else:
            self.nodes[id] = Node(id, "result", state.context, "result", {"value": state.result})
            made = state.outputs
        keys = _keys(state.result)
        read = [_input_id(state, number) for number, event in state.inputs.items() if _name(event) in keys]
        for which in made:
            self.edges[_set_id(state, which), id] = None
        for one in read:
            self.edges[one, id] = None

    def named(self, state: Rebuilt, of: str, forward: bool) -> list[str]:
        """Return the nodes that a person means."""
        if not of:
            given = [n for n, e in sorted(state.inputs.items()) if e.kind == "input" and "operation" not in e.what]
            if forward or state.status == "open":
                return [_input_id(state, number) for number in given]
            return [_result_id(state)]
        found = [number for number, event in sorted(state.inputs.items()) if of in _calls(number, event)]
        if not found:
            known = sorted({call for number, event in state.inputs.items() for call in _calls(number, event)})
            hint = did_you_mean(of, known)
            said = f"{shown(of)} is nothing of the context {shown(state.context)}; expected the number, uid or"
            told = f"{said} definition of an input, or operation.output {hint}"
            raise TidemillError(told, reason="NotInJournal", path=of)
        return [_input_id(state, number) for number in found]


def _calls(number: int, event: Event) -> tuple[str, ...]:
    """Return what an input may be called."""
    what = event.what
    if event.kind == "default":
        return (str(number), f"#{number}", f"{what['of']}.{what['parameter']}")
    names = (what["definition"], what.get("uid", ""), _origin(what["origin"]), what.get("operation", ""))
    return (str(number), f"#{number}", *[name for name in names if name])


def _origin(origin: Any) -> str:
    return origin if isinstance(origin, str) else ".".join(origin)


def _name(event: Event) -> str:
    return str(event.what.get("definition", ""))


def _keys(result: Any) -> set[str]:
    """Return the keys of a result, those of its parts, too."""
    found: set[str] = set()
    ahead = [result]
    while ahead:
        one = ahead.pop()
        if isinstance(one, Mapping):
            found.update(str(key) for key in one)
            ahead.extend(one.values())
    return found


def _input_id(state: Rebuilt, number: int) -> str:
    return f"{state.context}#{number}"


def _set_id(state: Rebuilt, which: Set) -> str:
    return f"{state.context}:{which[0]}({','.join(map(str, which[1]))})"


def _result_id(state: Rebuilt) -> str:
    return f"{state.context}:result"
