"""Operation network, decided: which operations, gates and validators an input concerns.

All inputs of one origin and one definition concern the same ones, so that is worked out once, as a *channel*.
Neighbours: `plan` (sources), `engine.matching` (what comes of it).
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.model.definition import Definition
from tidemill.model.input import Origin
from tidemill.model.primitives import checker_of
from tidemill.plan.plan import Accept, Plan, PlannedOperation

__all__ = ["Channel", "Channels", "Door", "Target"]

Path = tuple[Origin, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """An operation that a channel concerns: the parameters (by number), each with the ancestor paths that it asks for.

    ``plain`` is set where the operation has this one parameter, no default and asks for no path: nothing of it has
    to be remembered while it is active.
    """

    operation: PlannedOperation
    index: int
    parameters: tuple[tuple[int, tuple[Path, ...]], ...]
    plain: bool


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """A group of conditions, of an operation, that a truthy input of a channel satisfies."""

    operation: PlannedOperation
    group: int
    paths: tuple[Path, ...]


class Channel:
    """All inputs of one origin and one definition, and whom they concern."""

    __slots__ = ("check", "definition", "doors", "index", "operation", "origin", "targets", "validator")

    def __init__(
        self, origin: Origin, definition: Definition, operation: PlannedOperation | None, index: int = 0
    ) -> None:
        self.origin = origin
        self.definition = definition
        self.operation = operation  # that gives it; None for what is given from outside
        self.index = index  # of the output among the outputs of that operation
        self.check = checker_of(definition.primitive)
        self.targets: tuple[Target, ...] = ()
        self.doors: tuple[Door, ...] = ()
        self.validator: Channel | None = None

    def __repr__(self) -> str:
        return f"Channel({self.origin}, {self.definition.name})"


class Channels:
    """The channels of one plan, each made when it is first asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._made: dict[tuple[Origin, str, Origin | None], Channel] = {}

    def given(self, origin: str, definition: Definition) -> Channel:
        """Return the channel of inputs given from outside, under a word.

        The plan's own definition of that name counts: it says what the value is to the operations.
        """
        return self._channel(origin, self.plan.definitions.get(definition.name, definition), None)

    def output(self, operation: PlannedOperation, name: str) -> Channel:
        """Return the channel of an output of an operation."""
        return self._channel((operation.instance, name), operation.outputs[name].definition, None)

    def validated(self, channel: Channel, before: Channel) -> Channel:
        """Return the channel of what a validator gave for an input of the channel ``before``: whoever accepts either
        origin gets it."""
        return self._channel(channel.origin, channel.definition, before.origin)

    def _channel(self, origin: Origin, definition: Definition, stands_for: Origin | None) -> Channel:
        key = (origin, definition.name, stands_for)
        channel = self._made.get(key)
        if channel is None:
            channel = self._made[key] = self._make(origin, definition, stands_for)
        return channel

    def _make(self, origin: Origin, definition: Definition, stands_for: Origin | None) -> Channel:
        operation = None if isinstance(origin, str) else self.plan.instances.get(origin[0])
        known = operation is not None and origin[1] in operation.outputs
        index = operation.outputs[origin[1]].index if operation is not None and known else 0
        channel = Channel(origin, definition, operation if known else None, index)
        validator = definition.validate
        if isinstance(validator, str) and not (operation is not None and operation.instance == validator):
            channel.validator = waiting = Channel(origin, definition, channel.operation, index)
            checker = self.plan.instances[validator]
            waiting.targets = (Target(checker, checker.index, ((0, ()),), plain=not checker.parameters[0].has_default),)
            return channel
        origins = (origin,) if stands_for is None else (origin, stands_for)
        found = [_target(other, origins, definition.name) for other in self.plan.operations]
        channel.targets = tuple(target for target in found if target is not None)
        channel.doors = tuple(
            door for other in self.plan.operations for door in _doors(other, origins, definition.name)
        )
        return channel


def _paths(accepts: tuple[Accept, ...], origins: tuple[Origin, ...], definition: str) -> tuple[Path, ...] | None:
    """Return the ancestor paths under which these sources take such an input: () for unconditionally, None for not."""
    found = [
        accept.path
        for accept in accepts
        if accept.origin in origins and (accept.definition is None or accept.definition == definition)
    ]
    if not found:
        return None
    return () if () in found else tuple(found)


def _target(operation: PlannedOperation, origins: tuple[Origin, ...], definition: str) -> Target | None:
    parameters = []
    for parameter in operation.parameters:
        paths = _paths(parameter.accepts, origins, definition)
        if paths is not None:
            parameters.append((parameter.index, paths))
    if not parameters:
        return None
    only = operation.parameters[0]
    plain = len(operation.parameters) == 1 and not parameters[0][1] and not only.has_default
    return Target(operation, operation.index, tuple(parameters), plain)


def _doors(operation: PlannedOperation, origins: tuple[Origin, ...], definition: str) -> list[Door]:
    doors = []
    for group, accepts in enumerate(operation.gate):
        paths = _paths(accepts, origins, definition)
        if paths is not None:
            doors.append(Door(operation, group, paths))
    return doors
