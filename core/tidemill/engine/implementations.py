"""Operation implementation network, decided: what the outputs of a call become, and what follows a failed one.

Neighbours: `engine.inputs` (outputs are inputs), `engine.parameters` (the life of a parameter set).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tidemill.engine.inputs import FIRST
from tidemill.engine.operations import Channel
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import did_you_mean, shown
from tidemill.model.definition import convert
from tidemill.model.limits import Limits
from tidemill.model.primitives import type_name
from tidemill.plan.digest import canonical
from tidemill.plan.plan import PlannedOperation, PlannedOutput

__all__ = ["MAX_BACKOFF", "MAX_LOST", "Given", "Refused", "given_by", "result_of_call", "retry_after",
           "too_large"]  # fmt: skip

MAX_LOST = 3
"""Workers that may vanish with a parameter set before it is held to be the cause."""
MAX_BACKOFF = 60.0
"""Seconds that are waited before a further try at most."""

Given = tuple[Channel, Any, tuple[int, int]]
"""An output on its way into the input network: channel, value, (emission, element)."""


class Refused(Exception):
    """What an operation gave cannot be taken: ``reason`` and ``message`` say why. Nothing of it is stored."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def given_by(
    operation: PlannedOperation,
    returned: Any,
    channel_of: Callable[[PlannedOperation, str], Channel],
    limits: Limits,
    emission: int = 0,
) -> list[Given]:
    """Return the inputs that a returned (or yielded) mapping gives, in the order of the outputs.

    None gives nothing, and so does an output that is missing. Raises `Refused` for anything that the operation did not
    declare: OutputShape, TypeMismatch, TooManyItems, OutputTooLarge, TooDeep, NotComparable, InputValidationError. Code
    of the user runs while its values are read; what that raises is an OutputShape too.
    """
    if returned is None:
        return []
    if type(returned) is not dict and not isinstance(returned, Mapping):
        raise Refused("OutputShape", _shape(operation, f"it returned {type_name(returned)} {shown(returned)}"))
    try:
        return _read(operation, returned, channel_of, limits, emission)
    except Refused:
        raise
    except Exception as error:
        said = f'what "{operation.instance}" gave cannot be read: {type(error).__name__}: {error}'
        raise Refused("OutputShape", said) from error


def _read(
    operation: PlannedOperation,
    returned: Mapping[str, Any],
    channel_of: Callable[[PlannedOperation, str], Channel],
    limits: Limits,
    emission: int,
) -> list[Given]:
    outputs = operation.outputs
    given: list[Given] = []
    for name, value in returned.items():
        output = outputs.get(name)
        if output is None:
            raise Refused("OutputShape", _shape(operation, f'it gave "{name}" {did_you_mean(str(name), outputs)}'))
        channel = channel_of(operation, name)
        if not output.expand:
            place = (emission, 0) if emission else FIRST
            given.append((channel, _accepted(operation, output, channel, value, limits), place))
            continue
        for element, item in enumerate(_elements(operation, output, value)):
            if limits.outputs is not None and element >= limits.outputs:
                said = f"{operation.instance}.{name} gives more than {limits.outputs} inputs, the limit outputs"
                raise Refused("TooManyItems", said)
            given.append((channel, _accepted(operation, output, channel, item, limits), (emission, element)))
    return given


def _shape(operation: PlannedOperation, what: str) -> str:
    expected = ", ".join(operation.outputs) or "nothing"
    return f'"{operation.instance}" has to return a mapping with keys out of {{{expected}}}, or None; {what}'


def _elements(operation: PlannedOperation, output: PlannedOutput, value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    if isinstance(value, (str, bytes, bytearray, Mapping)) or not hasattr(value, "__iter__"):
        said = (
            f"{operation.instance}.{output.name} is expanded, so it has to be a list of inputs; "
            f"it is {type_name(value)} {shown(value)}"
        )
        raise Refused("OutputShape", said)
    return value  # type: ignore[no-any-return]


def _accepted(operation: PlannedOperation, output: PlannedOutput, channel: Channel, value: Any, limits: Limits) -> Any:
    """Return the value as it is stored: checked against its definition, converted to its spec, within the limits."""
    definition = output.definition
    check = channel.check
    # The elements of an expanded list are of the type that the consumers name; the definition may mean the list.
    if check is not None and type(value) is not check[0] and not check[1](value):
        if not _may_stand(output, value):
            said = (
                f"{operation.instance}.{output.name}: expected {definition.primitive}, "
                f"got {type_name(value)} {shown(value)}"
            )
            raise Refused("TypeMismatch", said)
    if definition.spec is not None:
        try:
            value = convert(definition, value)
        except Exception as error:
            said = f"{operation.instance}.{output.name}: {shown(value)} is no {definition.spec.__name__}: {error}"
            raise Refused("TypeMismatch", said) from error
    if definition.validate is not None and callable(definition.validate):
        try:
            value = definition.validate(value)
        except Exception as error:
            said = f"{operation.instance}.{output.name}: {shown(value)} is refused: {type(error).__name__}: {error}"
            raise Refused("InputValidationError", said) from error
    if definition.dedupe is not None:
        _refuse_incomparable(f"{operation.instance}.{output.name}", value)
    if limits.value_bytes is not None or limits.value_depth is not None:
        problem = too_large(value, limits)
        if problem is not None:
            raise Refused(problem[0], f"{operation.instance}.{output.name}: {problem[1]}")
    return value


def _may_stand(output: PlannedOutput, value: Any) -> bool:
    """Say whether a value that is not of the output's primitive may be given all the same."""
    definition = output.definition
    if value is None:
        return definition.nullable
    return output.expand and definition.primitive.lower() in ("array", "list")


def _refuse_incomparable(where: str, value: Any) -> None:
    """Refuse a value of which equal ones are to be one, if it cannot be compared: before any of its batch is stored."""
    try:
        canonical(value)
    except Exception as error:
        said = f"{where} wants equal values once, and {shown(value)} cannot be compared: {error}"
        raise Refused("NotComparable", said) from error


def result_of_call(operation: PlannedOperation, returned: Any) -> Mapping[str, Any] | None:
    """Return what an operation of the output stage has returned. Raises `Refused` (OutputShape) for no mapping."""
    if returned is None or isinstance(returned, Mapping):
        return returned
    said = f'the output operation "{operation.instance}" has to return a mapping; it returned '
    raise Refused("OutputShape", f"{said}{type_name(returned)} {shown(returned)}")


def too_large(value: Any, limits: Limits) -> tuple[str, str] | None:
    """Return (reason, message) if a value is larger or deeper than the limits allow, else None.

    The size is that of its strings and bytes, plus 8 for anything else: what it needs at least, on any wire. The depth
    is that of lists and mappings within each other. A value that contains itself is too large and too deep for any
    limit.
    """
    size = depth = 0
    level: list[Any] = [value]
    while level:
        following: list[Any] = []
        nests = False
        for item in level:
            size += len(item) if isinstance(item, (str, bytes, bytearray)) else 8
            if limits.value_bytes is not None and size > limits.value_bytes:
                return "OutputTooLarge", f"the value has more than {limits.value_bytes} bytes, the limit value_bytes"
            if isinstance(item, Mapping):
                following.extend(item.keys())
                following.extend(item.values())
                nests = True
            elif isinstance(item, (list, tuple, set, frozenset)):
                following.extend(item)
                nests = True
        depth += nests
        if limits.value_depth is not None and depth > limits.value_depth:
            return "TooDeep", f"the value nests deeper than {limits.value_depth} levels, the limit value_depth"
        # Where sizes do not count, one look at each thing of a level is enough, however often it is shared.
        level = following if limits.value_bytes is not None else list({id(item): item for item in following}.values())
    return None


def retry_after(parameter_set: ParameterSet) -> float | None:
    """Return the seconds after which a parameter set that has just failed is tried again, or None if that was its last
    try. ``tries`` already counts the failed one; the wait doubles with each."""
    operation = parameter_set.operation.operation
    if parameter_set.tries >= operation.tries:
        return None
    doublings = min(parameter_set.tries - 1, 64)  # more make no difference, and would leave the range of a float
    return min(MAX_BACKOFF, operation.backoff * 2.0**doublings)
