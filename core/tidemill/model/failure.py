"""The record of one failed parameter set: what a person needs to find out why, and nothing that is not data.

Neighbours: the engine decides whether a failure is final, the outcome of a context carries the records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import shown

__all__ = ["OperationFailure"]


@dataclass(frozen=True, slots=True)
class OperationFailure:
    """Why a parameter set, or a context as a whole, failed.

    ``reason`` is one CamelCase word (Exception, Exit, Timeout, ChildDied, Poisonous, OutputShape, TypeMismatch, …),
    ``instance`` and ``operation`` name the operation ("" where the context failed by itself, as by a limit), ``inputs``
    maps its parameters to their values, ``traceback`` is the text of it, ``error`` the exception itself where there is
    one in this process.
    """

    reason: str
    message: str
    instance: str = ""
    operation: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    traceback: str | None = None
    error: BaseException | None = None
    context: str = ""

    def __str__(self) -> str:
        if not self.instance:
            return f"{self.reason}: {self.message}"
        given = ", ".join(f"{name}={shown(value, 60)}" for name, value in self.inputs.items())
        return f"{self.instance}({given}): {self.reason}: {self.message}"
