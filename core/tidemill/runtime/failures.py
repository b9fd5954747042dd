"""From an exception of user code to the record of a failure. What users raise goes no further than this.

Neighbours: `runtime.calls` and the executors catch, `model.failure` is the record.
"""

from __future__ import annotations

import traceback
from typing import Any

from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure, TidemillError

__all__ = ["MESSAGE_LIMIT", "TRACEBACK_LIMIT", "failure_of", "refusal", "text_of", "traceback_of"]

MESSAGE_LIMIT = 4096
"""Characters of a user's message that a failure keeps."""
TRACEBACK_LIMIT = 65536
"""Characters of a traceback that a failure keeps: its first ones, as the message at its end is kept anyway."""

_EXITS = (SystemExit, KeyboardInterrupt, GeneratorExit)


def failure_of(parameter_set: ParameterSet, error: BaseException, reason: str | None = None) -> OperationFailure:
    """Return the record of an exception that an operation raised."""
    if reason is None:
        reason = "Exit" if isinstance(error, _EXITS) else "Exception"
    message = f"{type(error).__name__}: {text_of(error)}"
    if isinstance(error, TidemillError) and isinstance(getattr(error, "message", None), str):
        reason, message = error.reason, error.message
    return _record(parameter_set, reason, message, traceback_of(error), error)


def refusal(parameter_set: ParameterSet, reason: str, message: str, text: str | None = None) -> OperationFailure:
    """Return the record of a failure that is no exception of this process."""
    return _record(parameter_set, reason, message, text, None)


def _record(
    parameter_set: ParameterSet, reason: str, message: str, text: str | None, error: BaseException | None
) -> OperationFailure:
    inputs: dict[str, Any] = parameter_set.arguments()
    return OperationFailure(
        reason=reason,
        message=_cut(message, MESSAGE_LIMIT),
        instance=parameter_set.operation.instance,
        operation=parameter_set.operation.name,
        inputs=inputs,
        traceback=text,
        error=error,
        context=parameter_set.context.name,
    )


def text_of(error: BaseException) -> str:
    """Return the message of an exception, as far as a failure keeps it."""
    try:
        return _cut(str(error), MESSAGE_LIMIT)
    except BaseException as second:  # an exception whose __str__ raises is still only one failure
        return f"<its __str__ raised {type(second).__name__}>"


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception, as far as a failure keeps it."""
    return _cut("".join(traceback.format_exception(error, limit=50)), TRACEBACK_LIMIT)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
