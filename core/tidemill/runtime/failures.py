"""From an exception of user code to the record of a failure. What users raise goes no further than this.

Neighbours: `runtime.calls` and the executors catch, `model.failure` is the record.
"""

from __future__ import annotations

import traceback
from typing import Any

from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure, TidemillError

__all__ = ["MESSAGE_LIMIT", "failure_of", "refusal"]

MESSAGE_LIMIT = 4096
"""Characters of a user's message that a failure keeps."""

_EXITS = (SystemExit, KeyboardInterrupt, GeneratorExit)


def failure_of(parameter_set: ParameterSet, error: BaseException, reason: str | None = None) -> OperationFailure:
    """Return the record of an exception that an operation raised."""
    if reason is None:
        reason = "Exit" if isinstance(error, _EXITS) else "Exception"
    if isinstance(error, TidemillError):
        reason, message = error.reason, error.message
    else:
        message = f"{type(error).__name__}: {_text(error)}"
    text = "".join(traceback.format_exception(error, limit=50))
    return _record(parameter_set, reason, message, text, error)


def refusal(parameter_set: ParameterSet, reason: str, message: str, text: str | None = None) -> OperationFailure:
    """Return the record of a failure that is no exception of this process."""
    return _record(parameter_set, reason, message, text, None)


def _record(
    parameter_set: ParameterSet, reason: str, message: str, text: str | None, error: BaseException | None
) -> OperationFailure:
    inputs: dict[str, Any] = parameter_set.arguments()
    return OperationFailure(
        reason=reason,
        message=message if len(message) <= MESSAGE_LIMIT else message[:MESSAGE_LIMIT] + "…",
        instance=parameter_set.operation.instance,
        operation=parameter_set.operation.name,
        inputs=inputs,
        traceback=text,
        error=error,
        context=parameter_set.context.name,
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # an exception whose __str__ raises is still only one failure
        return f"<its __str__ raised {type(second).__name__}>"
