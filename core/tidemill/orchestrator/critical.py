"""The critical path of contexts: the longest chain of calls each of which needs what the one before has given.

It is what an unlimited number of workers would still need. Calls of cleanup come after all of processing. Neighbour:
`estimating`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tidemill.engine.inputs import Item
from tidemill.engine.parameters import ParameterSet
from tidemill.model.operation import Stage

__all__ = ["Paths"]

Key = tuple[str, tuple[int, ...]]


class _Step(NamedTuple):
    """A call at the end of a chain: the seconds of the whole chain, its operation, its own seconds, the one before."""

    until: float
    instance: str
    seconds: float
    before: Any


class Paths:
    """The longest chains so far. ``longest`` has the one of all contexts that have ended: (operation, seconds)…"""

    def __init__(self) -> None:
        self._made: dict[str, dict[Key, _Step]] = {}
        self._last: dict[str, _Step] = {}
        self._longest: _Step | None = None

    def completed(self, one: ParameterSet, seconds: float) -> None:
        """Take in a call that has ended."""
        self._step(one, seconds, self._before(one))

    def after_children(self, one: ParameterSet, children: list[str]) -> None:
        """Take in an operation that has run data flows in child contexts of these names."""
        above, longest = self._before(one), None
        for name in children:
            last = self._last.pop(name, None)
            self._made.pop(name, None)
            if last is not None and (longest is None or last.until > longest.until):
                longest = last
        if longest is None:
            self._step(one, 0.0, above)
            return
        # the chain inside goes on from the one that led to it
        for step in _steps(longest):
            above = _Step((above.until if above else 0.0) + step.seconds, step.instance, step.seconds, above)
        self._step(one, 0.0, above)

    def _step(self, one: ParameterSet, seconds: float, before: _Step | None) -> None:
        name = one.context.name
        step = _Step((before.until if before is not None else 0.0) + seconds, one.operation.instance, seconds, before)
        key = (one.operation.instance, tuple([item.number for item in one.items]))
        self._made.setdefault(name, {})[key] = step
        last = self._last.get(name)
        if last is None or step.until > last.until:
            self._last[name] = step

    def _before(self, one: ParameterSet) -> _Step | None:
        """Return the end of the longest chain that has led to a parameter set."""
        if one.operation.stage is not Stage.PROCESSING:
            return self._last.get(one.context.name)
        made = self._made.get(one.context.name, {})
        return _latest(made, one.items)

    def ended(self, name: str) -> None:
        """Take in the end of a context that nobody waits for."""
        self._made.pop(name, None)
        last = self._last.pop(name, None)
        if last is not None and (self._longest is None or last.until > self._longest.until):
            self._longest = last

    @property
    def longest(self) -> list[tuple[str, float]]:
        """The longest chain of all, calls that take no time left out."""
        if self._longest is None:
            return []
        return [(step.instance, step.seconds) for step in _steps(self._longest) if step.seconds > 0]


def _latest(made: dict[Key, _Step], items: Sequence[Item]) -> _Step | None:
    found: _Step | None = None
    for item in items:
        step = made.get(_key(item))
        if step is None and item.parents:  # what a validator has let through says that somebody else gave it
            step = _latest(made, item.parents)
        if step is not None and (found is None or step.until > found.until):
            found = step
    return found


def _steps(last: _Step) -> list[_Step]:
    found: list[_Step] = []
    step: _Step | None = last
    while step is not None:
        found.append(step)
        step = step.before
    return found[::-1]


def _key(item: Item) -> Key:
    origin = item.origin
    instance = origin if isinstance(origin, str) else origin[0]
    return instance, tuple([parent.number for parent in item.parents])
