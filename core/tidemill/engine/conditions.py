"""Conditions open a gate, for good: whether the gate of an operation is open, from the groups that have been satisfied.

Neighbours: `engine.operations` tells which group an input can satisfy.
"""

from __future__ import annotations

from tidemill.engine.inputs import Item, has_path
from tidemill.engine.operations import Door
from tidemill.plan.plan import PlannedOperation

__all__ = ["is_open", "satisfies"]


def satisfies(door: Door, item: Item) -> bool:
    """Say whether an input satisfies a group of conditions: it is truthy and descends as the source asks.

    What the value's own ``__bool__`` raises is raised on: a value that is neither true nor false is its maker's
    failure.
    """
    if door.paths and not any(has_path(item, path) for path in door.paths):
        return False
    return bool(item.value)


def is_open(operation: PlannedOperation, satisfied: frozenset[int]) -> bool:
    """Say whether the gate is open, given the numbers of the groups that have had a truthy input."""
    return len(satisfied) == len(operation.gate)
