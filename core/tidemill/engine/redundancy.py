"""Redundancy checker, decided: the identity of a parameter set.

It is (context, operation instance, the input of each named parameter): with two parameters of one definition all
ordered combinations are different ones. Neighbours: `engine.lineage` spells the same identity as a digest that every
process and every run agrees on.
"""

from __future__ import annotations

from tidemill.engine.inputs import Item
from tidemill.plan.plan import PlannedOperation

__all__ = ["Key", "key_of"]

Key = tuple[int, ...]


def key_of(operation: PlannedOperation, items: tuple[Item, ...]) -> Key:
    """Return the identity of a combination within its context: the operation's number and those of its inputs."""
    return (operation.index, *[item.number for item in items])
