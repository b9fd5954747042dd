"""Intake: which inputs that are given from outside may enter a context. All of a batch or none.

Neighbours: `engine.operations` (channels); each backend stores what comes out of here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidemill.engine.implementations import too_large
from tidemill.engine.operations import Channel, Channels
from tidemill.errors import InvalidInput, pointer, shown
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.primitives import type_name
from tidemill.plan.digest import canonical

__all__ = ["Offer", "checked"]

Offer = tuple[Channel, Any, tuple[Any, ...], str]
"""A checked input on its way in: channel, value, parents (the uid of one that comes before it in its batch, else what
``parent_of`` names it), uid ("" if it was given none)."""


def checked(
    inputs: Sequence[Input],
    *,
    channels: Channels,
    have: int,
    uids: Mapping[str, Any],
    parent_of: Callable[[str], Any],
) -> list[Offer]:
    """Return what is new among ``inputs``, in order.

    ``have`` is how many inputs the context has, ``uids`` maps the identities that it knows to their values,
    ``parent_of`` returns what a backend knows the input with an identity as (None: it has none). Raises
    `InvalidInput` for the first input that cannot enter.
    """
    limits = channels.plan.limits
    if limits.inputs is not None and have + len(inputs) > limits.inputs:
        said = f"{have + len(inputs)} inputs in one context; limit {limits.inputs}"
        raise InvalidInput(said, reason="InputLimitExceeded", path="/inputs")
    offers: list[Offer] = []
    batch: dict[str, Any] = {}
    for at, item in enumerate(inputs):
        channel = _channel(channels, item, at)
        uid = item.given_uid
        if uid:
            if uid in batch or uid in uids:
                _refuse_conflict(item, batch[uid] if uid in batch else uids[uid], at)
                continue
            batch[uid] = item.value
        _refuse_wrong_value(channel, item, limits, at)
        offers.append((channel, item.value, _parents(item, batch, parent_of, at) if item.parents else (), uid))
    return offers


def _channel(channels: Channels, item: Input, at: int) -> Channel:
    if not isinstance(item, Input):
        raise InvalidInput(f"{shown(item)} is no Input", path=pointer("inputs", at))
    if isinstance(item.origin, str):
        return channels.given(item.origin, item.definition)
    instance, output = item.origin
    operation = channels.plan.instances.get(instance)
    if operation is None or output not in operation.outputs:
        said = f'the input says that "{instance}" gave it as "{output}", but the data flow has no such output'
        raise InvalidInput(said, reason="UnknownOrigin", path=pointer("inputs", at, "origin"))
    return channels.given(item.origin, operation.outputs[output].definition)


def _refuse_conflict(item: Input, value: Any, at: int) -> None:
    if not _is_same(value, item.value):
        said = f'the uid "{item.given_uid}" stands for {shown(value)} already; {shown(item.value)} needs one of its own'
        raise InvalidInput(said, reason="InputConflict", path=pointer("inputs", at, "uid"))


def _is_same(one: Any, other: Any) -> bool:
    try:
        return one is other or not one != other
    except Exception:  # arrays, for one, have no single answer: what cannot be told equal is not
        return False


def _parents(item: Input, batch: Mapping[str, Any], parent_of: Callable[[str], Any], at: int) -> tuple[Any, ...]:
    found = []
    for parent in item.parents:
        uid = parent.given_uid
        known = uid if uid and uid in batch else parent_of(uid)
        if known is None:
            said = f"the parent {parent!r} of {item!r} is not an input of this context; add it first, with a uid"
            raise InvalidInput(said, reason="ForeignParent", path=pointer("inputs", at, "parents"))
        found.append(known)
    return tuple(found)


def _refuse_wrong_value(channel: Channel, item: Input, limits: Limits, at: int) -> None:
    problem = _problem(channel, item.value, limits)
    if problem is not None:
        reason, said = problem
        raise InvalidInput(said, reason=reason, path=pointer("inputs", at, channel.definition.name))


def _problem(channel: Channel, value: Any, limits: Limits) -> tuple[str, str] | None:
    definition, check = channel.definition, channel.check
    if value is None:
        if definition.nullable:
            return None
        return "NullValue", f'"{definition.name}" is {definition.primitive} and cannot be null'
    if check is not None and type(value) is not check[0] and not check[1](value):
        said = f'"{definition.name}": expected {definition.primitive}, got {type_name(value)} {shown(value)}'
        return "TypeMismatch", said
    if definition.dedupe is not None:
        try:
            canonical(value)
        except Exception as error:
            said = f'"{definition.name}" wants equal values once, and {shown(value)} cannot be compared: {error}'
            return "NotComparable", said
    if limits.value_bytes is not None or limits.value_depth is not None:
        problem = too_large(value, limits)
        if problem is not None:
            reason = "ValueTooLarge" if problem[0] == "OutputTooLarge" else problem[0]
            return reason, f'"{definition.name}": {problem[1]}'
    return None
