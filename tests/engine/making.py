"""Short ways to plans, channels and items, for tests that call the engine's functions directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill import DataFlow, Definition, Input, InputFlow, Operation, compile_plan
from tidemill.engine.inputs import FIRST, NO_LOCKS, Item
from tidemill.engine.operations import Channel
from tidemill.engine.parameters import ParameterSet
from tidemill.model.input import Origin
from tidemill.plan.plan import Plan, PlannedOperation

NUMBER = Definition("number", "int")
TEXT = Definition("text", "str")
ANYTHING = Definition("anything", "generic")


def plan_of(*operations: Operation, flow: Mapping[str, InputFlow] | None = None, seed: Sequence[Input] = ()) -> Plan:
    """Compile these operations; their instances are numbered in the order of their names."""
    return compile_plan(DataFlow(*operations, flow=flow, seed=seed))


def operation(name: str, takes: str = "", *, of: Definition = NUMBER, gives: str = "", **more: Any) -> Operation:
    """Make an operation with these one-letter parameters and outputs, all of one definition."""
    inputs = {**dict.fromkeys(takes, of), **more.pop("inputs", {})}
    outputs = {**dict.fromkeys(gives, of), **more.pop("outputs", {})}
    return Operation(name, inputs=inputs, outputs=outputs, **more)


def planned(name: str = "op", takes: str = "", **more: Any) -> PlannedOperation:
    """Make one planned operation on its own."""
    return plan_of(operation(name, takes, **more)).instances[name]


def seed_channel(origin: Origin = "seed", definition: Definition = NUMBER) -> Channel:
    """Make a channel of given inputs that concerns nobody."""
    return Channel(origin, definition, None)


def output_channel(planned_operation: PlannedOperation, name: str) -> Channel:
    """Make the channel of an output that concerns nobody."""
    output = planned_operation.outputs[name]
    return Channel((planned_operation.instance, name), output.definition, planned_operation, output.index)


def item(
    number: int,
    value: Any = None,
    *,
    channel: Channel | None = None,
    origin: Origin = "seed",
    parents: tuple[Item, ...] = (),
    position: tuple[int, int] = FIRST,
    locks: frozenset[int] = NO_LOCKS,
) -> Item:
    """Make an item; without a channel it is given as a number, under ``origin``."""
    return Item(number, value, channel or seed_channel(origin), parents, position, locks)


def default_item(number: int, value: Any = None) -> Item:
    """Make a default that a parameter took."""
    return Item(number, value, None)


def parameter_set(planned_operation: PlannedOperation, *items: Item) -> ParameterSet:
    """Make a parameter set that belongs to no context."""
    return ParameterSet(None, planned_operation, items)
