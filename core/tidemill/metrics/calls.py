"""Whose metrics they are: the call of an operation that is running, as a context variable.

It is set in one place, around each call (`runtime.calls`), and follows the code of the operation into its tasks and
threads. Where calls of one operation follow each other and nothing of the user's comes between, it stays for all of
them. Outside of any call what is counted belongs to the process. Neighbours: `series`, `instruments`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from tidemill.metrics.series import Recorder, Scope

__all__ = ["CALL", "PROCESS", "Call", "calling"]

PROCESS = Recorder()
"""What is counted in this process outside of any call."""


class Call:
    """One call of an operation: where its metrics go, the progress that it has said, and what was ``told`` of it where
    it ran: seconds of ``cpu``, bytes of ``memory`` and of ``output``."""

    __slots__ = ("progress", "scope", "told")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.progress: tuple[float, float] | None = None
        self.told: dict[str, float] | None = None


CALL: ContextVar[Call | None] = ContextVar("tidemill_call")


@contextlib.contextmanager
def calling(scope: Scope) -> Iterator[Call]:
    """Be in a call of the operation whose series are in ``scope``."""
    call = Call(scope)
    token = CALL.set(call)
    try:
        yield call
    finally:
        CALL.reset(token)
