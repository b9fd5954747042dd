"""Every error of the project, in one tree.

::

    TidemillError                       reason (CamelCase), path (JSON pointer), message
    ├── InvalidFlow                     the data flow itself is wrong; .problems has every finding
    │   ├── DefinitionMissing           a name refers to a definition that is not there
    │   └── ValidatorMissing            a definition names a validator that is not there
    ├── InvalidInput                    an input is refused; nothing of its batch was stored
    │   └── InputValidationError        the definition's own check refused the value
    ├── InvalidDocument                 a file cannot be read as a flow or as inputs
    ├── LoadError                       code cannot be found or does not fit
    │   ├── FailedToLoadOperation
    │   ├── FailedToLoadOperationImplementation
    │   ├── OperationImplementationNotInstantiable
    │   ├── OperationImplementationNotInstantiated
    │   ├── EntrypointNotFound          no package announces anything under a name
    │   └── NotOpImp
    ├── ImmutableConfigPropertyError    a field of a configuration that stays as it is was to be changed
    ├── OperationException              an operation failed its context; .failure says which and why
    ├── ContextError                    a context cannot do what was asked
    │   ├── ContextClosed               it is closed, finished, cancelled or unknown
    │   ├── DuplicateContext            two contexts of one run have one name
    │   └── ContextLimitExceeded        more contexts than the flow allows
    ├── DefinitionNotInContext          an output operation asks for what nobody gave
    ├── MultipleAncestorsFoundError     a value has several ancestors where one was asked for
    ├── MetricError                     a metric, or an estimate, that cannot be
    ├── RemapFailure                    a path does not exist in the result to be remapped
    ├── StoreError                      the store that processes share cannot do its part
    │   ├── StoreMisconfigured          its settings, or its URL, would lose work
    │   ├── StoreReadOnly               it is a replica, or may only be read
    │   ├── StoreUnavailable            it cannot be reached, or does not answer
    │   ├── StoreFull                   it takes nothing more until memory is free
    │   ├── FunctionLibraryMissing      it has not the functions of this layout
    │   ├── CorruptState                what it holds of a context is not what was written
    │   └── CorruptValue                a value that it holds is missing, cut off or not what was written
    ├── InvalidCustomRunDataFlowContext
    └── InvalidCustomRunDataFlowOutputs

Mistakes of a user (`InvalidFlow`, `InvalidInput`, `InvalidDocument`, `LoadError`) are raised before anything is
stored. Failures of user code never surface as themselves: they are kept as the ``__cause__``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any

__all__ = [
    "ContextClosed",
    "ContextError",
    "ContextLimitExceeded",
    "CorruptState",
    "CorruptValue",
    "DefinitionMissing",
    "DefinitionNotInContext",
    "DuplicateContext",
    "EntrypointNotFound",
    "FailedToLoadOperation",
    "FailedToLoadOperationImplementation",
    "FunctionLibraryMissing",
    "ImmutableConfigPropertyError",
    "InputValidationError",
    "InvalidCustomRunDataFlowContext",
    "InvalidCustomRunDataFlowOutputs",
    "InvalidDocument",
    "InvalidFlow",
    "InvalidInput",
    "LoadError",
    "MetricError",
    "MultipleAncestorsFoundError",
    "NotOpImp",
    "OperationException",
    "OperationFailure",
    "OperationImplementationNotInstantiable",
    "OperationImplementationNotInstantiated",
    "Problem",
    "RemapFailure",
    "StoreError",
    "StoreFull",
    "StoreMisconfigured",
    "StoreReadOnly",
    "StoreUnavailable",
    "TidemillError",
    "ValidatorMissing",
    "did_you_mean",
    "pointer",
    "shown",
]

_LIMITS = {"InputLimitExceeded": "inputs", "ParameterSetLimitExceeded": "parameter_sets"}

SHOWN = 200
"""Characters of a user's value that a message repeats at most."""


def shown(value: object, limit: int = SHOWN) -> str:
    """Return ``value`` as a message may repeat it: its ``repr``, escaped and cut after ``limit`` characters."""
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = text.encode("unicode_escape", "backslashreplace").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def pointer(*parts: object) -> str:
    """Return the JSON pointer (RFC 6901) that leads through ``parts``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return what to add to a message about the unknown ``name``: the known names and the nearest one."""
    names = sorted(known)
    if not names:
        return "(there are none)"
    near = difflib.get_close_matches(name, names, n=1)
    listed = ", ".join(names[:10]) + (f", … {len(names) - 10} more" if len(names) > 10 else "")
    return f"(has: {listed})" + (f'; did you mean "{near[0]}"?' if near else "")


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a data flow: a closed ``reason``, the ``path`` to the place, and a ``message`` for people."""

    reason: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason} at {self.path or '/'}: {self.message}"


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

    @property
    def path(self) -> str:
        """The place in the data flow: the operation that failed, or the limit that its context has passed ("" where
        it is neither)."""
        if self.instance:
            return pointer("operations", self.instance)
        return pointer("limits", _LIMITS[self.reason]) if self.reason in _LIMITS else ""

    def __str__(self) -> str:
        if not self.instance:
            return f"{self.reason}: {self.message}"
        given = ", ".join(f"{name}={shown(value, 60)}" for name, value in self.inputs.items())
        return f"{self.instance}({given}): {self.reason}: {self.message}"


class TidemillError(Exception):
    """The root of all errors of the project.

    ``reason`` is one CamelCase word from a closed set, ``path`` a JSON pointer to the place in the data flow, the
    inputs or the document, ``message`` what is wrong, what was expected and what to do.
    """

    reason = "Error"

    def __init__(self, message: str = "", *, reason: str | None = None, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.path = path

    def __str__(self) -> str:
        return f"{self.reason} at {self.path}: {self.message}" if self.path else f"{self.reason}: {self.message}"


class InvalidFlow(TidemillError):
    """The data flow is wrong; ``problems`` holds every finding, the first of them is the error's own."""

    reason = "InvalidFlow"

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.message, reason=first.reason, path=first.path)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class DefinitionMissing(InvalidFlow):
    """An operation or an input names a definition that the data flow does not hold."""

    reason = "DefinitionMissing"


class ValidatorMissing(InvalidFlow):
    """A definition names a validator that no operation of the data flow is."""

    reason = "ValidatorMissing"


class InvalidInput(TidemillError):
    """An input is refused; nothing of the batch that it came with has been stored."""

    reason = "InvalidInput"


class InputValidationError(InvalidInput):
    """The check that a definition carries refused the value."""

    reason = "InputValidationError"


class InvalidDocument(TidemillError):
    """A file or text cannot be read as a data flow or as inputs."""

    reason = "InvalidDocument"


class LoadError(TidemillError):
    """The code of an operation cannot be found, or does not fit what the operation declares."""

    reason = "OperationLoadError"


class FailedToLoadOperation(LoadError):
    """No operation can be found under a name."""


class FailedToLoadOperationImplementation(LoadError):
    """No implementation can be found for an operation."""


class OperationImplementationNotInstantiable(LoadError):
    """An operation of the data flow has no implementation that could be made."""


class OperationImplementationNotInstantiated(LoadError):
    """An implementation was asked for before it was made."""


class NotOpImp(LoadError):
    """A thing was given as an operation implementation that is none."""


class EntrypointNotFound(LoadError):
    """No package announces anything under a name."""

    reason = "EntrypointNotFound"


class ImmutableConfigPropertyError(TidemillError, FrozenInstanceError):
    """A field of a configuration that is not declared as mutable was to be changed."""

    reason = "ImmutableConfig"


class OperationException(TidemillError):
    """An operation failed its context.

    ``failure`` is the first failure, ``failures`` are all of the run; the exception that the operation raised is
    the ``__cause__``.
    """

    reason = "OperationFailed"

    def __init__(self, failures: Sequence[OperationFailure]) -> None:
        first = failures[0]
        super().__init__(str(first), reason=first.reason, path=first.path)
        self.failure = first
        self.failures = tuple(failures)
        self.__cause__ = first.error

    def __str__(self) -> str:
        more = len(self.failures) - 1
        return self.message + (f" (and {more} more failed)" if more else "")


class ContextError(TidemillError):
    """A context cannot do what was asked of it."""

    reason = "ContextError"


class ContextClosed(ContextError):
    """The context takes nothing more: it is closed, has ended, was cancelled, or never was."""

    reason = "RunClosed"


class DuplicateContext(ContextError):
    """Two contexts of one run have the same name."""

    reason = "DuplicateContext"


class ContextLimitExceeded(ContextError):
    """A run was given more contexts than its limits allow."""

    reason = "ContextLimitExceeded"


class DefinitionNotInContext(TidemillError):
    """An output operation asks for a definition that no input of the context has."""

    reason = "DefinitionNotInContext"


class MultipleAncestorsFoundError(TidemillError):
    """A value has several ancestors of a kind of which one was asked for."""

    reason = "MultipleAncestors"


class MetricError(TidemillError):
    """A metric has a name, label or value that it cannot have, or an estimate is none."""

    reason = "InvalidMetric"


class RemapFailure(TidemillError):
    """A result has nothing at the path from which it was to be remapped."""

    reason = "RemapFailure"


class InvalidCustomRunDataFlowContext(TidemillError):
    """The first input of a customised ``run_dataflow`` is not a string, so it cannot name the child context."""

    reason = "InvalidCustomRunDataFlowContext"


class InvalidCustomRunDataFlowOutputs(TidemillError):
    """The result of a child data flow does not have the keys that the operation declares."""

    reason = "InvalidCustomRunDataFlowOutputs"


class StoreError(TidemillError):
    """The store that processes share cannot do its part; the subclasses say why."""

    reason = "StoreError"


class StoreMisconfigured(StoreError):
    """The store, or the URL that leads to it, is set up so that work would be lost or cannot be done."""

    reason = "StoreMisconfigured"


class StoreReadOnly(StoreError):
    """The store takes no writes: it is a replica, or the user may only read."""

    reason = "StoreReadOnly"


class StoreUnavailable(StoreError):
    """The store cannot be reached, was not found, or does not answer; what was last asked may or may not be done."""

    reason = "StoreUnavailable"


class StoreFull(StoreError):
    """The store has no memory left for more; what it has goes on, and it takes more when that has ended."""

    reason = "StoreFull"


class FunctionLibraryMissing(StoreError):
    """The store has not the functions of the layout that this version speaks."""

    reason = "FunctionLibraryMissing"


class CorruptState(StoreError):
    """What the store holds of a context is not what was written there; the context is left alone."""

    reason = "CorruptState"


class CorruptValue(StoreError):
    """A value that the store holds is missing, cut off, or other than what was written."""

    reason = "CorruptValue"
