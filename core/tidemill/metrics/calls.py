"""Whose metrics they are: the call of an operation that is running, as a context variable.

It is set in one place, around each call (`runtime.calls`), and follows the code of the operation into its tasks and
threads. Outside of any call what is counted belongs to the process. Neighbours: `series`, `instruments`.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar, Token
from time import perf_counter

from tidemill.metrics.series import Recorder, Scope

__all__ = ["CALL", "PROCESS", "Call"]

PROCESS = Recorder()
"""What is counted in this process outside of any call."""


class Call:
    """One call of an operation: where its metrics go, when it began, and what is known of it only where it ran."""

    __slots__ = ("began", "cpu", "memory", "output", "progress", "scope", "token")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.cpu: float | None = None
        self.memory: float | None = None
        self.output: int | None = None
        self.progress: tuple[float, float | None] | None = None
        self.token: Token[Call] = CALL.set(self)
        self.began = perf_counter()

    def leave(self) -> float:
        """Be the call of this context no more; return the seconds that it took."""
        took = perf_counter() - self.began
        with contextlib.suppress(ValueError):  # it ends as garbage, in whose context ever
            CALL.reset(self.token)
        return took


CALL: ContextVar[Call] = ContextVar("tidemill_call")
