"""Lock network in memory: the queues of each context."""

from __future__ import annotations

from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.inputs import Item
from tidemill.engine.locks import Queues
from tidemill.engine.parameters import TAKEN, ParameterSet

__all__ = ["MemoryLockNetwork"]


class MemoryLockNetwork:
    """All locks of a parameter set or none."""

    def acquire(self, parameter_set: ParameterSet) -> bool:
        """Queue up for all locks of a parameter set; say whether it holds them all at once."""
        queues: Queues[ParameterSet] = parameter_set.context.queues
        return queues.join(parameter_set, parameter_set.locks)

    def release(self, parameter_set: ParameterSet) -> list[ParameterSet]:
        """Give the locks back and return the parameter sets that hold all of theirs now."""
        queues: Queues[ParameterSet] = parameter_set.context.queues
        moved = queues.leave(parameter_set, parameter_set.locks)
        return [other for other in moved if other.state is TAKEN and queues.holds(other, other.locks)]

    async def queue(self, context: MemoryContext, item: Item) -> list[tuple[str, tuple[int, ...]]]:
        """Return the parameter sets that hold or wait for a locked input, the holder first."""
        return [
            (one.operation.instance, tuple(given.number for given in one.items))
            for one in context.queues.of(item.number)
        ]
