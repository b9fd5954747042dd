"""What the library is told of a plan: plain lists and numbers, with everything worked out that can be.

The library knows channels by number. `Wired` keeps both sides: the packed plan for the store, and the channels for
those who read what it answers. Neighbours: `engine.operations` (channels), the header of each function file (how it
is read).
"""

from __future__ import annotations

from typing import Any

import msgpack

from tidemill.backends.redis.codec import Unencodable, encode
from tidemill.engine.defaults import leads_to
from tidemill.engine.intake import Offer, checked
from tidemill.engine.operations import Channel, Channels
from tidemill.errors import InvalidInput, pointer
from tidemill.model.definition import Definition
from tidemill.model.input import SEED
from tidemill.model.operation import Stage
from tidemill.plan.digest import canonical
from tidemill.plan.graph import accepts_of
from tidemill.plan.plan import Plan, PlannedOperation

__all__ = ["Wired", "truth_of"]


def truth_of(value: Any) -> str:
    """Return 'T' or 'F' for a value that is true or false, else why it is neither."""
    try:
        return "T" if value else "F"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class Wired:
    """A plan with its channels numbered from 1."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.channels = Channels(plan)
        self.listed: list[Channel] = []
        self._number: dict[int, int] = {}
        self._twins: dict[tuple[Any, str], int] = {}
        self.given = self._given()
        self.outputs = [{name: self.channels.output(op, name) for name in op.outputs} for op in plan.operations]
        for outputs in self.outputs:
            for channel in outputs.values():
                self._add(channel)
        self.aliases = self._validated()
        for validator in [channel.validator for channel in self.listed if channel.validator is not None]:
            self._add(validator)

    # -- numbers --------------------------------------------------------------------------------------------------

    def _add(self, channel: Channel) -> int:
        number = self._number.get(id(channel))
        if number is None:
            self.listed.append(channel)
            number = self._number[id(channel)] = len(self.listed)
            self._twins.setdefault((channel.origin, channel.definition.name), number)
        return number

    def number(self, channel: Channel) -> Any:
        """Return the number of a channel, or (origin, definition) for one that the plan does not know, and if that
        definition has to be validated the number of the channel that leads to its validator."""
        if channel.operation is None:  # what is given has a channel for its words, whichever object stands for it
            channel = self.given.get((channel.origin, channel.definition.name), channel)
        number = self._number.get(id(channel))
        if number is not None:
            return number
        said: list[Any] = [str(channel.origin), channel.definition.name]
        if channel.validator is not None:
            seeds = self.given[SEED, channel.definition.name].validator
            said.append(self._number[id(seeds)])
        return said

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
        """Return, for the outputs of validators, the channel that stands for each channel before."""
        found: dict[int, dict[str, int]] = {}
        for operation in self.plan.operations:
            if operation.operation.validator:
                for channel in self.outputs[operation.index].values():
                    found[self._number[id(channel)]] = {
                        str(self._number[id(before)]): self._add(self.channels.validated(channel, before))
                        for before in list(self.listed)
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
            "has_defaults": any(p.has_default for op in plan.operations for p in op.parameters),
            "has_locks": any(definition.lock for definition in plan.definitions.values()),
            "by_origin": self._by_origin(),
            "seeds": [self.offer(offer) for offer in self.check(plan.seed, {}, 0)],
            "limits": {
                "inputs": -1 if limits.inputs is None else limits.inputs,
                "parameter_sets": -1 if limits.parameter_sets is None else limits.parameter_sets,
                "outputs": -1 if limits.outputs is None else limits.outputs,
                "subflow_depth": limits.subflow_depth,
            },
        }
        return bytes(msgpack.packb(said, use_bin_type=False))

    def check(self, inputs: Any, uids: dict[str, Any], have: int) -> list[Offer]:
        """Return what is new among inputs; see `engine.intake`. ``parents`` of an offer are the uids themselves."""
        batch = {item.given_uid for item in inputs if getattr(item, "given_uid", "")}
        known = {*uids, *batch}
        return checked(
            inputs,
            channels=self.channels,
            have=have,
            uids=uids,
            parent_of=lambda uid: uid if uid in known else None,
        )

    def offer(self, offer: Offer) -> list[Any]:
        """Return an offer as the library takes it. Raises `InvalidInput` (NotEncodable)."""
        channel, value, parents, uid = offer
        name = channel.definition.name
        try:
            encoded = encode(value)
        except Unencodable as error:
            said = f'"{name}": the value cannot be sent to a store: {error}'
            raise InvalidInput(said, reason="NotEncodable", path=pointer("inputs", name)) from error
        spelt = canonical(value) if channel.definition.dedupe else b""
        return [self.number(channel), encoded, list(parents), uid, truth_of(value), spelt]

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

    def _channel(self, channel: Channel) -> dict[str, Any]:
        number = self._number[id(channel)]
        return {
            "origin": str(channel.origin),
            "spelt": str(channel.origin),
            "definition": channel.definition.name,
            "op": -1 if channel.operation is None else channel.operation.index,
            "index": channel.index,
            "lock": channel.definition.lock,
            "twin": self._twins[channel.origin, channel.definition.name],
            "validator": 0 if channel.validator is None else self._number[id(channel.validator)],
            "alias": self.aliases.get(number, False),
            "awaited": [list(place) for place in channel.awaited],
            "targets": [
                [target.index, target.plain, [[index, _paths(paths)] for index, paths in target.parameters]]
                for target in channel.targets
            ],
            "doors": [[door.operation.index, door.group, _paths(door.paths)] for door in channel.doors],
        }

    def _by_origin(self) -> dict[str, int]:
        return {
            f"{origin} {name}": self._number[id(channel)]
            for (origin, name), channel in self.given.items()
            if origin == SEED or channel.targets or channel.doors or channel.validator is not None
        }


def _paths(paths: Any) -> list[list[str]]:
    return [[str(origin) for origin in path] for path in paths]
