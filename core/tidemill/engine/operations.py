"""Operation network, decided: which operations, gates and validators an input concerns.

All inputs of one origin and one definition concern the same ones, so that is worked out once, as a *channel*.
Neighbours: `plan` (sources), `engine.matching` (what comes of it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidemill.errors import InvalidInput, did_you_mean, pointer
from tidemill.model.definition import Definition
from tidemill.model.input import SEED, Origin
from tidemill.model.primitives import checker_of
from tidemill.plan.graph import accepts_of
from tidemill.plan.plan import Accept, Plan, PlannedOperation

__all__ = ["Channel", "Channels", "Check", "Door", "Target", "exact"]

Path = tuple[Origin, ...]
Check = tuple[type, Callable[[Any], bool]]
"""The exact type of values that pass at once, and the full check of others."""


def exact(definition: Definition) -> Check | None:
    """Return what holds values of a definition to its primitive; None if it takes anything."""
    return checker_of(definition.primitive)


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

    __slots__ = ("awaited", "check", "definition", "doors", "index", "operation", "origin", "stands_for", "targets",
                 "validator")  # fmt: skip

    def __init__(
        self,
        origin: Origin,
        definition: Definition,
        operation: PlannedOperation | None,
        index: int = 0,
        stands_for: Origin | None = None,
    ) -> None:
        self.origin = origin
        self.definition = definition
        self.operation = operation  # that gives it; None for what is given from outside
        self.index = index  # of the output among the outputs of that operation
        self.stands_for = stands_for  # the origin of what was validated, for what a validator gave
        self.check = exact(definition)
        self.targets: tuple[Target, ...] = ()
        self.doors: tuple[Door, ...] = ()
        self.validator: Channel | None = None  # whom an input concerns that has to be validated first
        self.awaited: tuple[tuple[int, int], ...] = ()  # (operation, parameter) that it is for, once it has been

    def __repr__(self) -> str:
        return f"Channel({self.origin}, {self.definition.name})"


class Channels:
    """The channels of one plan, each made when it is first asked for; ``check_of`` says what their values are held
    to."""

    def __init__(self, plan: Plan, check_of: Callable[[Definition], Check | None] = exact) -> None:
        self.plan = plan
        self._check_of = check_of
        self._origins = {SEED, *(accept.origin for op in plan.operations for accept in accepts_of(op))}
        self._given: dict[tuple[Origin, str], Channel] = {}
        self._outputs: dict[tuple[int, str, Origin | None], Channel] = {}

    def given(self, origin: Origin, definition: Definition) -> Channel:
        """Return the channel of inputs given from outside, under a word or in the name of an output.

        The plan's own definition of that name counts: it says what the value is to the operations. Raises
        `InvalidInput` (ValidatorMissing) if the plan has no operation that could validate it.
        """
        key = (origin, definition.name)
        channel = self._given.get(key)
        if channel is None:
            meaning = self.plan.definitions.get(definition.name, definition)
            made = Channel(origin, meaning, None)
            made.check = self._check_of(meaning)
            channel = self._concerning(made, (origin,))
            # Names that users make up must not pile up here.
            if origin in self._origins and definition.name in self.plan.definitions:
                self._given[key] = channel
        return channel

    def output(self, operation: PlannedOperation, name: str) -> Channel:
        """Return the channel of an output of an operation."""
        return self._output(operation, name, None)

    def validated(self, channel: Channel, before: Channel) -> Channel:
        """Return the channel of what a validator gave, its output ``channel``, for an input of the channel ``before``:
        whoever accepts either origin gets it."""
        assert channel.operation is not None
        return self._output(channel.operation, channel.origin[1], before.origin)

    def _output(self, operation: PlannedOperation, name: str, stands_for: Origin | None) -> Channel:
        key = (operation.index, name, stands_for)
        channel = self._outputs.get(key)
        if channel is None:
            output = operation.outputs[name]
            origin = (operation.instance, name)
            made = Channel(origin, output.definition, operation, output.index, stands_for)
            made.check = self._check_of(output.definition)
            origins = (origin,) if stands_for is None else (origin, stands_for)
            channel = self._concerning(made, origins)
            if stands_for is None or stands_for in self._origins:
                self._outputs[key] = channel
        return channel

    def _concerning(self, channel: Channel, origins: tuple[Origin, ...]) -> Channel:
        """Note whom a new channel concerns, which whoever accepts one of ``origins`` may read."""
        definition = channel.definition
        validator = definition.validate
        if isinstance(validator, str) and (isinstance(channel.origin, str) or channel.origin[0] != validator):
            channel.validator = waiting = Channel(channel.origin, definition, channel.operation, channel.index)
            waiting.check = channel.check
            waiting.targets = (self._checker(definition, validator),)
            takers = [_target(other, origins, definition.name) for other in self.plan.operations]
            channel.awaited = tuple(
                (target.index, index) for target in takers if target is not None for index, _ in target.parameters
            )
            return channel
        # A validator takes what has to be validated, never what it has validated itself.
        giver = channel.operation
        checker = giver if giver is not None and giver.operation.validator else None
        found = [_target(other, origins, definition.name) for other in self.plan.operations if other is not checker]
        channel.targets = tuple(target for target in found if target is not None)
        channel.doors = tuple(
            door for other in self.plan.operations for door in _doors(other, origins, definition.name)
        )
        return channel

    def _checker(self, definition: Definition, validator: str) -> Target:
        checker = self.plan.instances.get(validator)
        takes = [] if checker is None else [parameter.definition.name for parameter in checker.parameters]
        if checker is None or not checker.operation.validator or takes != [definition.name]:
            known = [op.instance for op in self.plan.operations if op.operation.validator]
            raise InvalidInput(
                f'"{definition.name}" is validated by "{validator}", which is no validator of it in this data flow '
                f"{did_you_mean(validator, known)}",
                reason="ValidatorMissing",
                path=pointer("definitions", definition.name, "validate"),
            )
        return Target(checker, checker.index, ((0, ()),), plain=True)  # a validator takes no default


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
