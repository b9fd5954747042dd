"""Input network: all inputs of a context, by definition and origin."""

from __future__ import annotations

from typing import Any, Protocol

from tidemill.engine.inputs import Item

__all__ = ["InputNetwork"]


class InputNetwork(Protocol):
    """Keeps inputs and their lineage.

    Inputs are read in canonical order, and an operation of the output stage reads what was there when that stage began.
    """

    async def inputs(self, context: Any, definition: str | None = None) -> list[Item]:
        """Return the inputs of a definition, or all, in canonical order."""
        ...
