"""Lineage: the identity of every input and parameter set, and what it was made from.

Identities are digests of length-prefixed parts (so no part can run into the next), the same in every process and for
every order of events: a seed is named by its uid, or by its definition and place; a parameter set by its operation
and the identities of its inputs; an output by its parameter set, its name and its place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.engine.inputs import Item
from tidemill.model.input import Origin
from tidemill.plan.digest import canonical
from tidemill.plan.plan import PlannedOperation

__all__ = ["LineageRecord", "identity", "lineage_of", "parameter_set_id", "set_identity"]


@dataclass(frozen=True, slots=True)
class LineageRecord:
    """One input of a context: its identity, what it is, and the parameter set and inputs that it was made from."""

    id: str
    definition: str
    origin: Origin
    value: Any
    parents: tuple[str, ...] = ()
    parameter_set: str | None = None


def identity(*parts: str) -> str:
    """Return the digest of ``parts``: SHA-256 over each with its length before it, 20 bytes of it, in base32."""
    hashed = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8, "big"))
        hashed.update(encoded)
    return base64.b32encode(hashed.digest()[:20]).decode().lower()


def parameter_set_id(context: str, operation: PlannedOperation, inputs: Iterable[str]) -> str:
    """Return the identity of a parameter set: its context, its operation, and the identity of each named input."""
    return set_identity(context, operation.instance, operation.names, inputs)


def set_identity(context: str, instance: str, names: Sequence[str], inputs: Iterable[str]) -> str:
    """Return the same of an operation that is known by its instance and the names of its parameters."""
    named = [part for name, given in zip(names, inputs, strict=True) for part in (name, given)]
    return identity("task", context, instance, str(len(names)), *named)


def _output_id(item: Item, made_by: str) -> str:
    channel = item.channel
    assert channel is not None
    return identity("out", made_by, channel.origin[1], str(item.position[0]), str(item.position[1]))


def _value_id(context: str, item: Item) -> str:
    """Return the identity of an input that stands for all equal values: who gave it first is a matter of timing."""
    channel = item.channel
    assert channel is not None
    origins = (str(channel.origin), str(channel.stands_for or ""))
    return identity("value", context, *origins, channel.definition.name, canonical(item.value).decode())


def lineage_of(context: str, items: Iterable[Item], uids: dict[int, str]) -> list[LineageRecord]:
    """Return the record of every input. ``items`` are in the order of their numbers; ``uids`` names the seeds, by
    number, that were given an identity."""
    known: dict[int, str] = {}
    sets: dict[tuple[int, ...], str] = {}
    records = []
    for item in items:
        channel = item.channel
        if channel is None:
            known[item.number] = "default"
            continue
        parents = tuple([known[parent.number] for parent in item.parents])
        made_by = None
        if channel.definition.dedupe:
            known[item.number] = _value_id(context, item)
        elif channel.operation is not None:
            key = (channel.operation.index, *[parent.number for parent in item.parents])
            made_by = sets.get(key)
            if made_by is None:
                made_by = sets[key] = parameter_set_id(context, channel.operation, parents)
            known[item.number] = _output_id(item, made_by)
        else:
            uid = uids.get(item.number)
            place = (uid,) if uid else (channel.definition.name, str(item.position[1]))
            known[item.number] = identity("seed", context, str(channel.origin), *place)
        records.append(
            LineageRecord(known[item.number], channel.definition.name, channel.origin, item.value, parents, made_by)
        )
    return records
