"""A parameter is one argument of a call, a parameter set all of them; what user code sees of a call.

Neighbours: `engine.redundancy` gives a parameter set its identity, the runtime passes it to the implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.model.context import BaseInputSetContext
from tidemill.model.definition import Definition

__all__ = ["Parameter", "ParameterSet"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its name, its value, the input it was taken from and the definition that the operation gives it."""

    key: str
    value: Any
    origin: Any
    definition: Definition


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One combination of inputs for one operation."""

    ctx: BaseInputSetContext
    by_name: Mapping[str, Parameter]

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters in the order of the operation's declaration."""
        yield from self.by_name.values()

    def _asdict(self) -> dict[str, Any]:
        return {key: parameter.value for key, parameter in self.by_name.items()}
