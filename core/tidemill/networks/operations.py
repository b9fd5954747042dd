"""Operation network: the operations of a plan, and whom a new input concerns."""

from __future__ import annotations

from typing import Protocol

from tidemill.model.input import Origin
from tidemill.plan.plan import Plan

__all__ = ["OperationNetwork"]


class OperationNetwork(Protocol):
    """Knows which operations take inputs of an origin and a definition."""

    def affected_by(self, plan: Plan, origin: Origin, definition: str) -> list[str]:
        """Return the instances that take such an input, in the order of the plan: only the validator, for an input
        that has to be validated first."""
        ...
