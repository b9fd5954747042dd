"""Short words for the data flows of the contract suite: definitions, operations that have no code, seeds."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.contract.driver import Reading
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Operation, Stage

__all__ = ["LOCKED", "A", "B", "C", "D", "E", "flow", "multi", "operation", "output", "seeds", "single"]

A, B, C, D, E = (Definition(name, "int") for name in "ABCDE")
LOCKED = Definition("locked", "int", lock=True)


def operation(
    instance: str, inputs: Mapping[str, Definition] | None = None, outputs: Mapping[str, Definition] | None = None,
    **keywords: Any,
) -> Operation:  # fmt: skip
    """Return an operation that is called like its instance."""
    return Operation(instance, dict(inputs or {}), dict(outputs or {}), **keywords)


def output(instance: str, inputs: Mapping[str, Definition] | None = None, **keywords: Any) -> Operation:
    """Return an operation of the output stage."""
    return operation(instance, inputs, stage=Stage.OUTPUT, **keywords)


def flow(*operations: Operation, **keywords: Any) -> DataFlow:
    """Return the data flow of these operations; where no ``flow`` is given, every parameter takes seeds and every
    output of its definition."""
    if "flow" not in keywords:
        keywords["flow"] = {one.instance: InputFlow(*_sources(one, operations)) for one in operations}
    return DataFlow(*operations, **keywords)


def _sources(one: Operation, operations: Iterable[Operation]) -> tuple[dict[str, list[Any]], list[Any]]:
    def sources(definition: Definition) -> list[Any]:
        made = [{o.instance: out} for o in operations for out, d in o.outputs.items() if d.name == definition.name]
        return ["seed", *made]

    conditions = [source for definition in one.conditions for source in sources(definition)]
    return {name: sources(definition) for name, definition in one.inputs.items()}, conditions


def seeds(definition: Definition, *values: Any) -> list[Input]:
    """Return one seed for each value."""
    return [Input(value, definition) for value in values]


def multi(*definitions: str) -> Reading:
    """Script of an output operation: all values of each definition."""

    async def read(get: Any, **_: Any) -> dict[str, Any]:
        return {name: await get(name) for name in definitions}

    return Reading(read)


def single(*definitions: str) -> Reading:
    """Script of an output operation: the last value of each definition."""

    async def read(get: Any, **_: Any) -> dict[str, Any]:
        return {name: (await get(name))[-1] for name in definitions}

    return Reading(read)
