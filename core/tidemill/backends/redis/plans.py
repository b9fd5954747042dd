"""What the library is told of a plan: plain lists and numbers, with everything worked out that can be.

The library knows channels by number. `Wired` keeps both sides: the packed plan for the store, and the channels for
those who read what it answers. Neighbours: `engine.operations` (channels), the header of each function file (how it
is read).
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgpack

from tidemill.backends.redis.ahead import closes, ends, is_inert, leads_on
from tidemill.backends.redis.codec import Unencodable, encode
from tidemill.engine.defaults import leads_to
from tidemill.engine.intake import Offer, checked
from tidemill.engine.operations import Channel, Channels
from tidemill.errors import InvalidInput, pointer
from tidemill.model.definition import Definition
from tidemill.model.input import SEED, Input, Origin
from tidemill.model.operation import Stage
from tidemill.plan.digest import canonical
from tidemill.plan.graph import accepts_of
from tidemill.plan.plan import Plan, PlannedOperation

__all__ = ["Wired", "truth_of"]


def truth_of(value: Any) -> str:
    """Return 'T' or 'F' for a value that is true or false, else '!' and why it is neither."""
    try:
        return "T" if value else "F"
    except Exception as error:
        return f"!{error}"


def _origin(origin: Origin | None) -> str:
    """Return how the library spells an origin: 'w' and a word, or 'o' and an output."""
    if origin is None:
        return ""
    return f"{'w' if isinstance(origin, str) else 'o'}{origin}"


def _read_origin(spelt: str) -> Origin:
    if spelt[0] == "w":
        return spelt[1:]
    instance, output = ast.literal_eval(spelt[1:])
    return instance, output


Pack = Callable[[bytes], Any]
"""What makes of an encoded value what is sent of it; see `blobs`."""

SPELT = 1024
"""Bytes of a canonical spelling above which its digest stands for it."""


def _short(spelt: bytes) -> bytes:
    return spelt if len(spelt) <= SPELT else b"sha256:" + hashlib.sha256(spelt).digest()


class Wired:
    """A plan with its channels numbered from 1."""

    def __init__(self, plan: Plan, pack: Pack = bytes) -> None:
        self.plan = plan
        self.pack = pack
        self.channels = Channels(plan)
        self.listed: list[Channel] = []
        self._number: dict[int, int] = {}
        self._forwarded = frozenset[str]().union(*(operation.forwards for operation in plan.operations))
        self.given = self._given()
        self.outputs = [{name: self.channels.output(op, name) for name in op.outputs} for op in plan.operations]
        for outputs in self.outputs:
            for channel in outputs.values():
                self._add(channel)
        self.aliases = self._validated()
        for validator in [channel.validator for channel in self.listed if channel.validator is not None]:
            self._add(validator)
        self.follows = self._follows()
        self.closes = None if self._has_locks else closes(plan)
        self.inert = frozenset([number for number, channel in enumerate(self.listed, 1) if is_inert(channel)])
        self.read_last = self._read_last()

    # -- numbers --------------------------------------------------------------------------------------------------

    def _add(self, channel: Channel) -> int:
        number = self._number.get(id(channel))
        if number is None:
            self.listed.append(channel)
            number = self._number[id(channel)] = len(self.listed)
        return number

    def number(self, said: Channel) -> Any:
        """Return the number of a channel; of one that the plan does not know, what the library has to know of it
        (see ``functions/inputs.lua``)."""
        channel = said
        if said.operation is None:  # what is given has a channel for its words, whichever object stands for it
            channel = self.given.get((said.origin, said.definition.name), said)
        number, definition, validator = self._number.get(id(channel)), said.definition, 0
        if number is not None:
            # What only a source names means what whoever gives it says.
            loose = definition.name not in self.plan.definitions and (definition.lock or definition.dedupe)
            return [number, "", definition.lock, definition.dedupe is not None] if loose else number
        if channel.validator is not None:
            validator = self._number[id(self.given[SEED, definition.name].validator)]
        return [_origin(channel.origin), definition.name, validator, definition.lock, definition.dedupe is not None]

    def channel(self, said: Any) -> Channel | None:
        """Return the channel that the library speaks of; None for a default that was taken."""
        if said == 0:
            return None
        if isinstance(said, int):
            return self.listed[said - 1]
        first, second = said[0], said[1].decode()
        if isinstance(first, int) and second:  # what a validator made of an input whose origin the plan does not know
            before = self.channels.given(_read_origin(second), Definition(second))
            return self.channels.validated(self.listed[first - 1], before)
        known = self.listed[first - 1] if isinstance(first, int) else None
        origin, name = (known.origin, known.definition.name) if known else (_read_origin(first.decode()), second)
        return self.channels.given(origin, Definition(name, lock=said[-2], dedupe="value" if said[-1] else None))

    def _given(self) -> dict[tuple[Any, str], Channel]:
        accepts = [accept for operation in self.plan.operations for accept in accepts_of(operation)]
        origins = {SEED, *(accept.origin for accept in accepts)}
        named = {accept.definition for accept in accepts if accept.definition is not None}
        found = {}
        for origin in sorted(origins, key=str):
            for name in sorted({*self.plan.definitions, *named}):
                channel = self.channels.given(origin, self.plan.definitions.get(name, Definition(name)))
                found[origin, name] = channel
                self._add(channel)
        return found

    def _validated(self) -> dict[int, dict[str, int]]:
        """Return, for the outputs of validators, the channel that stands for each origin before."""
        found: dict[int, dict[str, int]] = {}
        befores = {_origin(channel.origin): channel for channel in self.listed}
        for operation in self.plan.operations:
            if operation.operation.validator:
                for channel in self.outputs[operation.index].values():
                    found[self._number[id(channel)]] = {
                        spelt: self._add(self.channels.validated(channel, before)) for spelt, before in befores.items()
                    }
        return found

    # -- what is packed -------------------------------------------------------------------------------------------

    def packed(self) -> bytes:
        """Return the plan as the library reads it."""
        plan = self.plan
        limits = plan.limits
        said = {
            "ops": [self._operation(operation) for operation in plan.operations],
            "channels": [self._channel(channel) for channel in self.listed],
            "autostart": [
                op.index for op in plan.operations if op.stage is Stage.PROCESSING and not op.gate and not op.parameters
            ],
            "closes": False if self.closes is None else self.closes.index,
            "has_defaults": any(p.has_default for op in plan.operations for p in op.parameters),
            "has_locks": self._has_locks,
            "by_origin": self._by_origin(),
            "seeds": [self.offer(offer, bytes) for offer in self.check(plan.seed, {}, 0)],
            "limits": {
                "inputs": -1 if limits.inputs is None else limits.inputs,
                "parameter_sets": -1 if limits.parameter_sets is None else limits.parameter_sets,
                "outputs": -1 if limits.outputs is None else limits.outputs,
                "subflow_depth": limits.subflow_depth,
            },
        }
        return bytes(msgpack.packb(said, use_bin_type=False))

    def check(self, inputs: Sequence[Input], uids: Mapping[str, Any], have: int) -> list[Offer]:
        """Return what is new among inputs; see `engine.intake`. ``parents`` of an offer are the uids themselves."""
        parent_of = {uid: uid for uid in uids}.get
        return checked(inputs, channels=self.channels, have=have, uids=uids, parent_of=parent_of)

    def first(self, inputs: Sequence[Input]) -> list[list[Any]]:
        """Return the offers of what a new context is given. What the data flow brings is there before: it counts, and
        its identities are known."""
        uids, many = self._brought
        return [self.offer(offer) for offer in self.check(inputs, uids, many)]

    @cached_property
    def _brought(self) -> tuple[dict[str, Any], int]:
        offers = self.check(self.plan.seed, {}, 0)
        uids = {uid: value for _, value, _, uid in offers if uid}
        single = {
            (channel.origin, channel.definition.name, canonical(value)) if channel.definition.dedupe else at
            for at, (channel, value, _, _) in enumerate(offers)
        }
        return uids, len(single)

    def offer(self, offer: Offer, pack: Pack | None = None) -> list[Any]:
        """Return an offer as the library takes it. Raises `InvalidInput` (NotEncodable)."""
        channel, value, parents, uid = offer
        name = channel.definition.name
        try:
            encoded = (pack or self.pack)(encode(value))
        except Unencodable as error:
            said = f'"{name}": the value cannot be sent to a store: {error}'
            raise InvalidInput(said, reason="NotEncodable", path=pointer("inputs", name)) from error
        return [self.number(channel), encoded, list(parents), uid, truth_of(value), self.spelt(channel, value)]

    def spelt(self, channel: Channel, value: Any) -> bytes:
        """Return the canonical spelling of a value where equal ones may be one, also in a child context that it is
        forwarded to; else nothing."""
        if channel.definition.dedupe:
            return _short(canonical(value))
        if channel.definition.name in self._forwarded:
            with contextlib.suppress(Exception):
                return _short(canonical(value))
        return b""

    def _operation(self, operation: PlannedOperation) -> dict[str, Any]:
        declared = operation.operation
        return {
            "instance": operation.instance,
            "name": operation.name,
            "names": list(operation.names),
            "stage": operation.stage.value,
            "n": len(operation.parameters),
            "groups": len(operation.gate),
            "retry": declared.tries,
            "backoff": declared.backoff,
            "concurrency": declared.concurrency or 0,
            "pool": declared.pool,
            "ends": self._ends(operation),
            "forwards": {name: True for name in operation.forwards} or False,
            "defaults": [encode(p.definition.default) if p.has_default else False for p in operation.parameters],
            "only_given": [p.has_default and p.only_given for p in operation.parameters],
            "leads": {
                f"{other.index}:{parameter.index}": True
                for other in self.plan.operations
                for parameter in other.parameters
                if parameter.has_default and leads_to(self.plan, operation, parameter)
            },
        }

    @cached_property
    def _has_locks(self) -> bool:
        names = {*self.plan.definitions, *(name for _, name in self.given)}
        known = [self.plan.definitions.get(name) for name in names]
        return any(one is None or one.lock for one in known)

    def _follows(self) -> dict[int, PlannedOperation]:
        """Return the operation that an input of a channel is certain to make one parameter set of, and of no other, so
        that a runner may run it ahead: whether anything else has a say is known before."""
        found = {self._number[id(channel)]: leads_on(channel) for channel in self.listed if not self._has_locks}
        return {number: operation for number, operation in found.items() if operation is not None}

    def _read_last(self) -> frozenset[int]:
        """Return the channels whose inputs the output stage takes, where it is run ahead."""
        found = set()
        for number, channel in enumerate(self.listed, 1):
            for target in [target for target in channel.targets if target.operation is self.closes]:
                found.add(number)
                if not target.plain:  # which of them it takes is looked up when the context comes to it
                    self.closes = None
        return frozenset(found)

    def _ends(self, operation: PlannedOperation) -> bool:
        """Say whether whoever runs on from an operation may come to the output stage."""
        outputs = [[*channels.values()] for channels in self.outputs]
        follows = {id(self.listed[number - 1]): following for number, following in self.follows.items()}
        return self.closes is not None and ends(operation, outputs, follows)

    def _channel(self, channel: Channel) -> dict[str, Any]:
        number = self._number[id(channel)]
        return {
            "origin": _origin(channel.origin),
            "stands_for": _origin(channel.stands_for),
            "definition": channel.definition.name,
            "op": -1 if channel.operation is None else channel.operation.index,
            "index": channel.index,
            "loose": channel.definition.name not in self.plan.definitions,
            "lock": channel.definition.lock,
            "dedupe": channel.definition.dedupe is not None,
            "validator": 0 if channel.validator is None else self._number[id(channel.validator)],
            "alias": self.aliases.get(number, False),
            "ahead": self.follows[number].index if number in self.follows else False,
            "awaited": [list(place) for place in channel.awaited],
            "targets": [
                [target.index, target.plain, [[index, _paths(paths)] for index, paths in target.parameters]]
                for target in channel.targets
            ],
            "doors": [[door.operation.index, door.group, _paths(door.paths)] for door in channel.doors],
        }

    def _by_origin(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (origin, name), channel in self.given.items():
            if origin == SEED or channel.targets or channel.doors or channel.validator is not None:
                found.setdefault(_origin(origin), {})[name] = self._number[id(channel)]
        return found


def _paths(paths: Any) -> list[list[str]]:
    return [[_origin(origin) for origin in path] for path in paths]
