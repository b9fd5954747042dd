"""Redundancy checker: has this parameter set been taken?"""

from __future__ import annotations

from typing import Any, Protocol

from tidemill.engine.inputs import Item
from tidemill.plan.plan import PlannedOperation

__all__ = ["RedundancyChecker"]


class RedundancyChecker(Protocol):
    """Lets every combination of inputs through once, for the whole life of its context."""

    def take(self, context: Any, operation: PlannedOperation, items: tuple[Item, ...]) -> bool:
        """Take a combination; say whether it was new. Asked in the atomic step that also dispatches it."""
        ...
