"""A parameter is one argument of a call: what user code may ask about it.

Neighbours: `engine.parameters` is the parameter set as the engine keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemill.model.definition import Definition

__all__ = ["Parameter"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its name, its value, the input it was taken from and the definition that the operation gives it."""

    key: str
    value: Any
    origin: Any
    definition: Definition
