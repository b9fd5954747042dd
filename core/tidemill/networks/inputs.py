"""Input network: all inputs of a context, by definition and origin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tidemill.engine.inputs import Item
from tidemill.model.input import Input

__all__ = ["InputNetwork"]


class InputNetwork(Protocol):
    """Keeps inputs and their lineage.

    Adding is all or nothing: when one input of a batch is refused, nothing of it is stored. An input with a uid that the
    context knows is not added again. Inputs are read in canonical order, and an operation of the output stage
    reads what was there when that stage began.
    """

    async def add(self, context: str, inputs: Sequence[Input]) -> int:
        """Add inputs to a context that lives and return how many were new.

        Raises `InvalidInput` for a value that its definition does not allow, `ContextClosed` when it is too late.
        """
        ...

    async def inputs(self, context: Any, definition: str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order."""
        ...
