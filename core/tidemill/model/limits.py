"""Limits bound what one context may grow to, so that a mistake costs its author and nobody else.

Neighbours: the engine counts against them; a context that passes one fails with the number it would have needed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tidemill.errors import TidemillError, did_you_mean, pointer, shown

__all__ = ["Limits"]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What one context may grow to; None is no limit (``subflow_depth`` always has one).

    ``inputs`` and ``parameter_sets`` count over the life of the context, ``outputs`` counts the inputs that one
    parameter set gives. ``value_bytes`` and ``value_depth`` bound one value (lengths of its strings and bytes, levels
    of its lists and mappings). ``subflow_depth`` is how deep data flows may run data flows, ``contexts`` how many one
    run may open.
    """

    inputs: int | None = 1_000_000
    parameter_sets: int | None = 1_000_000
    outputs: int | None = 100_000
    value_bytes: int | None = None
    value_depth: int | None = None
    subflow_depth: int = 16
    contexts: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.name != "subflow_depth":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise TidemillError(
                    f"the limit {field.name} is {shown(value)}, expected a whole number of 1 or more",
                    reason="InvalidLimit",
                    path=pointer("limits", field.name),
                )

    def export(self) -> dict[str, Any]:
        """Return the limits that are not at their defaults."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}

    @classmethod
    def _fromdict(cls, **said: Any) -> Limits:
        known = {field.name for field in dataclasses.fields(cls)}
        for name in said:
            if name not in known:
                raise TidemillError(
                    f'there is no limit "{name}" {did_you_mean(name, known)}', reason="UnknownField", path="/limits"
                )
        return cls(**said)
