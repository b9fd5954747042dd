"""A parameter set: one combination of inputs for one operation, and where it is in its life.

taken → dispatched → leased → completed are the same four words everywhere. A taken parameter set may wait for locks,
for a free place of its operation, for the time of its next try, or for child contexts, before it is dispatched (again).
"""

from __future__ import annotations

from typing import Any

from tidemill.engine.inputs import NO_LOCKS, Item
from tidemill.engine.redundancy import Key
from tidemill.plan.plan import PlannedOperation

__all__ = ["COMPLETED", "DELAYED", "DISPATCHED", "DROPPED", "LEASED", "PARENT", "TAKEN", "ParameterSet"]

TAKEN = "taken"
DISPATCHED = "dispatched"
LEASED = "leased"
DELAYED = "delayed"
PARENT = "parent"
COMPLETED = "completed"
DROPPED = "dropped"


class ParameterSet:
    """One combination of inputs for one operation.

    ``items`` are its inputs in the order of the parameters; ``key`` is its identity, where a redundancy checker of this
    process has taken it. ``tries`` counts failures, ``lost`` workers that vanished
    with it, ``emitted`` the emissions of a generator that are stored. ``children`` are the endings of its child
    contexts.
    """

    __slots__ = (
        "children", "context", "emitted", "given", "items", "key", "leases", "locks", "lost", "operation", "state",
        "tries", "worker",
    )  # fmt: skip
    key: Key

    def __init__(self, context: Any, operation: PlannedOperation, items: tuple[Item, ...]) -> None:
        self.context = context
        self.operation = operation
        self.items = items
        self.state = TAKEN
        self.tries = 0
        self.lost = 0
        self.emitted = 0
        self.given = 0
        self.leases = 0
        self.locks = NO_LOCKS
        self.worker: str | None = None
        self.children: Any = None

    def arguments(self) -> dict[str, Any]:
        """Return what the operation is called with: parameter names and values."""
        items = self.items
        if len(items) == 1:  # most operations; the general form costs three times as much
            return {self.operation.names[0]: items[0].value}
        return {name: item.value for name, item in zip(self.operation.names, items, strict=True)}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}=#{item.number}" for name, item in zip(self.operation.names, self.items, strict=True))
        return f"ParameterSet({self.operation.instance}({given}), {self.state})"
