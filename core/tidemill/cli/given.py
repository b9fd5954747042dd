"""What `run` and `submit` are given: a data flow and the inputs of its contexts, checked before anything is opened.

Neighbours: `source` (the data flow), `formats.inputs` (the inputs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tidemill.cli import errors
from tidemill.cli.options import level
from tidemill.cli.source import open_source

if TYPE_CHECKING:
    from tidemill.cli.source import Source
    from tidemill.formats.inputs import InputSet
    from tidemill.model.dataflow import DataFlow
    from tidemill.model.input import Input
    from tidemill.plan.plan import Plan

__all__ = ["CONTEXT", "INPUTS_HELP", "Given", "compiled", "flow_options", "given"]

CONTEXT = "default"
"""The name of the one context of a run without a file of inputs."""

INPUTS_HELP = (
    """Each context of --inputs is a run of its own: a line of .jsonl or .csv, an entry of .yaml or .json. A line of
    JSON is {definition: value or list of values}, or {"context": name, "inputs": …}; a .csv file names definitions
    in its first row, and the column "context" names contexts. Without --inputs there is one context, and the
    inputs that FLOW itself gives.""",
    """Nothing is converted: a definition of primitive int takes 12 and refuses "12". Text that has no type of its
    own (of --input, of a cell of .csv) is read as the primitive of the definition says; maps and arrays are JSON.
    An empty cell gives no input, or the empty text where the primitive is a string.""",
)

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Given:
    """A data flow and the inputs of its contexts; ``total`` is how many contexts there are, where it is known."""

    dataflow: DataFlow
    sets: Iterable[InputSet]
    total: int | None


def flow_options(function: _Function) -> _Function:
    """Give a command the argument FLOW and the options that say what it is run over."""
    for option in reversed(
        [
            click.argument("flow"),
            click.option("-i", "--input", "arguments", multiple=True, metavar="NAME=VALUE",
                help="An input for every context; NAME@ORIGIN=VALUE says another origin than seed. May be repeated."),
            click.option("--inputs", "file", metavar="FILE",
                help="Contexts and their inputs: .jsonl, .csv, .yaml, .json, or - for JSON lines on standard input."),
            click.option("--name", metavar="NAME",
                help=f"What the context is called where there is one and no file names it.  [default: {CONTEXT}]"),
            click.option("-o", "--output", type=click.Choice(["table", "json", "jsonl"]), default="table",
                help="How results are printed: jsonl each at once, json one array, table when all have ended."),
            click.option("--strict/--no-strict", default=True,
                help="Whether the first failure of an operation ends its context (default), or is passed over."),
            click.option("--allow-remote", is_flag=True, help="Allow FLOW to be an http(s) URL."),
        ]
    ):  # fmt: skip
        function = option(function)
    return function


def given(
    flow: str, arguments: tuple[str, ...], file: str | None, *, name: str | None, allow_remote: bool, here: bool
) -> Given:
    """Return what the options say. ``here``: the operations are run by this process, so their code has to be there.

    Raises the errors of the project for a data flow or an input that is refused, as far as can be known before the
    first context is opened.
    """
    source = open_source(flow, allow_remote=allow_remote)
    plan = compiled(source, here)
    sets, total = _input_sets(source, plan, arguments, file, name)
    _few_enough(source, total, file)
    return Given(source.dataflow, sets, total)


def compiled(source: Source, here: bool) -> Plan:
    """Say what is wrong with the data flow, with the lines of its file, before anything is run; return its plan."""
    from tidemill.errors import InvalidFlow
    from tidemill.plan.compile import compile_plan

    try:
        plan = compile_plan(source.dataflow)
    except InvalidFlow as error:
        raise type(error)(source.locate(error.problems)) from error
    if here and (missing := source.missing_code()):
        for line in errors.problem_lines(source.locate(missing), "error"):
            errors.say(line)
        raise click.exceptions.Exit(errors.LOAD)
    if level() >= 0:
        for line in errors.problem_lines([*source.warnings, *source.locate(plan.warnings)], "warning"):
            errors.say(line)
    return plan


def _few_enough(source: Source, total: int | None, file: str | None) -> None:
    """Refuse more contexts than the data flow allows before the first is run, where their number is known by then."""
    from tidemill.errors import ContextLimitExceeded

    limit = source.dataflow.limits.contexts
    if limit is not None and total is not None and total > limit:
        said = f"there are {total} contexts, the data flow allows {limit} in one run; split them, or raise its limit"
        raise ContextLimitExceeded(said, path=file or "/limits/contexts")


def _input_sets(
    source: Source, plan: Plan, arguments: tuple[str, ...], file: str | None, name: str | None
) -> tuple[Iterable[InputSet], int | None]:
    """Return the input sets, and how many there are if that is known before they are read.

    One that no context could be opened with is refused: before the first is run, but for what comes through a pipe.
    """
    from tidemill.errors import InvalidInput
    from tidemill.formats.fitting import Fitting
    from tidemill.formats.inputs import InputFile, InputSet, document_sets, input_of_argument

    definitions = source.dataflow.definitions
    common = [input_of_argument(argument, definitions) for argument in arguments]
    fits = Fitting(plan, common, [f"--input {argument.partition('=')[0]}" for argument in arguments])
    if name is not None and (file is not None or source.inputs is not None):
        where = "--inputs" if file is not None else "the data flow"
        raise click.UsageError(f"--name is for one context without inputs of its own; those of {where} have names.")
    if file is not None:
        contexts = InputFile(file, definitions, fits)
        total = contexts.check() if contexts.repeatable else None
        return _with(common, contexts), total
    if source.file is not None and source.file.document.elsewhere:
        said = "inputs are in files that a cluster has; give those that it is to be run over here with --inputs"
        raise InvalidInput(said, reason="OnlyInCluster", path=source.file.document.elsewhere)
    if source.inputs is not None:
        root = f"{source.file.document.prefix}/inputs" if source.file is not None else ""
        listed = list(document_sets(source.inputs, definitions, root=root))
        for each in listed:
            fits(each)
        return _with(common, listed), len(listed)
    fits(InputSet(CONTEXT, [], "--input"))
    return [InputSet(name or CONTEXT, common)], 1


def _with(common: list[Input], sets: Iterable[InputSet]) -> Iterator[InputSet]:
    """Yield the input sets, each with copies of the ``common`` inputs before its own."""
    from tidemill.formats.inputs import InputSet
    from tidemill.model.input import Input

    for each in sets:
        copies = [Input(item.value, item.definition, origin=item.origin) for item in common]
        yield InputSet(each.name, [*copies, *each.inputs])
