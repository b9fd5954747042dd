"""From an exception of user code to the record of a failure. What users raise goes no further than this.

Neighbours: `runtime.calls` and the executors catch, `model.failure` is the record.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from types import TracebackType
from typing import Any

from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure, TidemillError

__all__ = ["MESSAGE_LIMIT", "TRACEBACK_LIMIT", "failure_of", "refusal", "text_of", "traceback_of"]

MESSAGE_LIMIT = 4096
"""Characters of a user's message that a failure keeps."""
TRACEBACK_LIMIT = 65536
"""Characters of a traceback that a failure keeps: its first ones, as the message at its end is kept anyway."""

_RUNTIME = os.path.join(os.path.dirname(__file__), "")
_TIDEMILL = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
_OPERATIONS = os.path.join(_TIDEMILL, "operation", "")  # these are written like anybody's
_LOOPS = os.path.join(os.path.dirname(asyncio.__file__), "")

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
    """Return the traceback of an exception, as far as a failure keeps it: from where the code of the user begins.

    It is kept whole where no such code was running, as the error is in Tidemill itself then.
    """
    begin = _after_runtime(error.__traceback__)
    return _cut("".join(traceback.format_exception(type(error), error, begin, limit=50)), TRACEBACK_LIMIT)


def _after_runtime(whole: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of the runtime at its head, and of the event loops that it starts."""
    begin = at = whole
    while at is not None and _is_in(at, _RUNTIME, _LOOPS):
        begin = at.tb_next if _is_in(at, _RUNTIME) else begin
        at = at.tb_next
    theirs = begin
    while theirs is not None and _is_in(theirs, _TIDEMILL) and not _is_in(theirs, _OPERATIONS):
        theirs = theirs.tb_next
    return whole if theirs is None else begin


def _is_in(at: TracebackType, *folders: str) -> bool:
    return at.tb_frame.f_code.co_filename.startswith(folders)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
