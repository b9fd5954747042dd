"""Redundancy checker: has this combination of inputs been taken?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tidemill.engine.inputs import Item

__all__ = ["RedundancyChecker"]


class RedundancyChecker(Protocol):
    """Lets every combination of inputs through once, for the whole life of its context.

    A combination is taken in the atomic step that also dispatches it, so nobody outside can take one: what can be
    asked is whether it has been.
    """

    async def taken(self, context: Any, instance: str, inputs: Sequence[Item]) -> bool:
        """Say whether an operation has been given these inputs, one for each parameter in their order: it will not be
        again. Of a context that has failed, what was dropped may count as taken or not.

        Raises KeyError for an operation that the data flow does not have.
        """
        ...
