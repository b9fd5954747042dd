"""``tidemill dataflow create``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.dataflow.words import DffmlCommand, log, option, several
from tidemill.cli.options import examples, level, paragraphs, verbosity

if TYPE_CHECKING:
    from tidemill.model.dataflow import DataFlow

__all__ = ["command"]


@click.command(
    cls=DffmlCommand,
    help=paragraphs(
        "Print the data flow of the operations that are named.",
        """An OPERATION is the name of one that a package announces, or module:attribute; INSTANCE=OPERATION gives it a
        name of its own in the data flow.""",
    ),
    epilog=examples(
        "tidemill dataflow create -inputs name,=get_single_spec -- package.flows:greet get_single",
        "tidemill dataflow create -configloader yaml -inputs Ada=name=client -- hello=package.flows:greet",
        "tidemill dataflow create -flow client,=package.flows:greet.inputs.name -- package.flows:greet",
    ),
)
@click.argument("operations", nargs=-1, required=True, metavar="[INSTANCE=]OPERATION…")
@option("configloader", type=click.Choice(["json", "yaml"]), default="json", help="The form that is printed.")
@option("not-linked", is_flag=True, help="Write definitions out wherever they are used.")
@several("inputs", metavar="VALUE=DEFINITION[=ORIGIN]…", help="Inputs that every context begins with.")
@several("flow", metavar="SOURCES=INSTANCE.inputs.PARAMETER…",
    help="Where a parameter, or (INSTANCE.conditions) the gate of an operation, comes from.")  # fmt: skip
@several("config", metavar="VALUE=INSTANCE.FIELD…", help="What operations are configured with.")
@log
@verbosity
def command(
    operations: tuple[str, ...],
    configloader: str,
    not_linked: bool,
    inputs: tuple[str, ...],
    flow: tuple[str, ...],
    config: tuple[str, ...],
) -> None:
    """Print the data flow of the operations that are named."""
    from tidemill.formats.dffml import exported, text_of

    dataflow = _dataflow(operations)
    for text in flow:
        _reroute(dataflow, text)
    for text in config:
        _configure(dataflow, text)
    seeds = [_seed(dataflow, text, linked=not not_linked) for text in inputs]
    data = exported(dataflow, linked=not not_linked)
    if seeds:
        data["seed"] = seeds
    _warn(dataflow)
    click.echo(text_of(data, configloader), nl=False)


def _dataflow(named: tuple[str, ...]) -> DataFlow:
    from tidemill.cli.source import search
    from tidemill.errors import InvalidFlow, Problem, pointer
    from tidemill.model.dataflow import DataFlow
    from tidemill.runtime.find import find_operation

    search(os.getcwd())
    found: dict[str, Any] = {}
    for text in named:
        instance, equals, name = text.partition("=")
        if instance in found:
            said = f'two operations are called "{instance}"; give one another name: NAME={name or instance}'
            raise InvalidFlow([Problem("DuplicateOperation", pointer("operations", instance), said)])
        found[instance] = find_operation(name if equals else instance)
    return DataFlow(operations=found)


def _reroute(dataflow: DataFlow, text: str) -> None:
    from tidemill.cli.dataflow.literal import assigned, steps, value_of
    from tidemill.errors import InvalidInput, did_you_mean, shown

    sources, target = assigned(text, "-flow")
    parts = steps(target)
    instance, what = (".".join(parts[:-2]), parts[-2:]) if len(parts) > 2 else (".".join(parts[:-1]), parts[-1:])
    if instance not in dataflow.operations:
        near = did_you_mean(instance, dataflow.operations)
        raise InvalidInput(f"there is no operation {shown(instance)} {near}", reason="UnknownOperation", path="-flow")
    value = value_of(sources)
    listed = value if isinstance(value, list) else [value]
    operation, entry = dataflow.operations[instance], dataflow.flow[instance]
    if what[0] == "conditions":
        entry.conditions = listed
    elif what[0] == "inputs" and len(what) == 2 and what[1] in operation.inputs:
        entry.inputs[what[1]] = listed
    else:
        known = ", ".join(operation.inputs) or "none"
        said = f"{shown(target)} is nothing of {shown(instance)}; expected conditions, or inputs and one of: {known}"
        raise InvalidInput(said, reason="UnknownParameter", path="-flow")


def _configure(dataflow: DataFlow, text: str) -> None:
    from tidemill.cli.dataflow.literal import assigned, steps, value_of
    from tidemill.errors import InvalidInput, shown

    value, target = assigned(text, "-config")
    names = steps(target)
    path = _of_an_operation(names, dataflow)
    if len(path) < 2:
        said = f"{shown(target)} names no operation and a field of its configuration; expected INSTANCE.FIELD"
        raise InvalidInput(said, reason="UnknownOperation", path="-config")
    current = dataflow.configs
    for name in path[:-1]:
        current = current.setdefault(name, {})
        if not isinstance(current, dict):
            said = f"{shown(target)}: {shown(name)} has a value already, {shown(current)}"
            raise InvalidInput(said, reason="InvalidArgument", path="-config")
    current[path[-1]] = value_of(value)


def _of_an_operation(names: list[str], dataflow: DataFlow) -> list[str]:
    """Return the steps of a path that begins with an operation, whose own name may have dots; else an empty list."""
    for end in range(len(names), 0, -1):
        if (instance := ".".join(names[:end])) in dataflow.operations:
            return [instance, *names[end:]]
    return []


def _seed(dataflow: DataFlow, text: str, *, linked: bool) -> dict[str, Any]:
    from tidemill.cli.dataflow.literal import input_of
    from tidemill.formats.write import plain_data

    item = input_of(text, dataflow.definitions, "-inputs")
    dataflow.seed.append(item)
    definition = item.definition.name if linked else item.definition.export()
    said = {"value": item.value, "definition": definition}
    plain: dict[str, Any] = plain_data(said if item.origin == "seed" else {**said, "origin": item.origin})
    return plain


def _warn(dataflow: DataFlow) -> None:
    """Say what is wrong with what is printed: it may be mended by what it is merged with, so it is printed all the
    same."""
    from tidemill.errors import InvalidFlow
    from tidemill.plan.compile import compile_plan

    try:
        problems = compile_plan(dataflow).warnings
    except InvalidFlow as error:
        problems = error.problems
    if level() >= 0:
        for line in errors.problem_lines(problems, "warning"):
            errors.say(line)
