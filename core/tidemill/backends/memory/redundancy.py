"""Redundancy checker in memory: the identities of what each context has taken."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.inputs import Item
from tidemill.engine.redundancy import Key, key_of
from tidemill.plan.plan import PlannedOperation

__all__ = ["MemoryRedundancyChecker"]


class MemoryRedundancyChecker:
    """Lets every combination of a context through once."""

    def take(self, context: MemoryContext, operation: PlannedOperation, items: tuple[Item, ...]) -> Key | None:
        """Take a combination and return its identity; None if it was not new."""
        key = key_of(operation, items)
        if key in context.taken:
            return None
        context.taken.add(key)
        return key

    async def taken(self, context: MemoryContext, instance: str, inputs: Sequence[Item]) -> bool:
        """Say whether an operation has been given these inputs."""
        return key_of(context.bound.plan.instances[instance], tuple(inputs)) in context.taken
