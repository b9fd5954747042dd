"""What a data flow of a Python program lets through: numbers that stand for another scalar, anything that is no text.

DFFML compares no value with its primitive, and programs written for it give 0.1 to a definition that says int, or a
truth value or a mapping to one that says str. In the memory of the program that is harmless, since nothing is encoded:
such a value is let through and logged once. The rest is refused as it is everywhere: a text for a number, a mapping for
a list. Stores and documents are exact. Neighbours: `model.primitives`, `orchestrator.memory`.
"""

from __future__ import annotations

import logging
import numbers
from typing import Any

from tidemill.engine.operations import Check, exact
from tidemill.errors import shown
from tidemill.model.definition import Definition
from tidemill.model.primitives import CANONICAL, type_name

__all__ = ["Tolerance"]

SCALARS = frozenset({"str", "int", "float", "bool"})

logger = logging.getLogger("tidemill.values")


class Tolerance:
    """Gives the check of each definition, with more let through where a scalar is expected."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, definition: Definition) -> Check | None:
        """Return the check of a definition; None if it takes anything."""
        found = exact(definition)
        if found is None or CANONICAL[definition.primitive.lower()] not in SCALARS:
            return found
        kind, check = found
        return kind, lambda value: check(value) or self._let_through(definition, value)

    def _let_through(self, definition: Definition, value: Any) -> bool:
        text = CANONICAL[definition.primitive.lower()] == "str"
        if value is None or not (text or isinstance(value, (bool, numbers.Real))):
            return False
        if definition.name not in self._said:
            self._said.add(definition.name)
            logger.warning(
                '"%s" is declared %s and got %s %s; documents and stores refuse that: declare what it is',
                definition.name,
                definition.primitive,
                type_name(value),
                shown(value),
            )
        return True
