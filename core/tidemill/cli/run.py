"""``tidemill run``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tidemill.cli import errors
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidemill.cli.source import Source
    from tidemill.formats.inputs import InputSet
    from tidemill.model.input import Input
    from tidemill.plan.plan import Plan

__all__ = ["command"]

CONTEXT = "default"
"""The name of the one context of a run without a file of inputs."""


@click.command(
    help=paragraphs(
        "Run a data flow on this machine and print its results.",
        FLOW_HELP,
        """Each context of --inputs is a run of its own: a line of .jsonl or .csv, an entry of .yaml or .json. A line of
        JSON is {definition: value or list of values}, or {"context": name, "inputs": …}; a .csv file names definitions
        in its first row, and the column "context" names contexts. Without --inputs there is one context, and the
        inputs that FLOW itself gives.""",
        """Nothing is converted: a definition of primitive int takes 12 and refuses "12". Text that has no type of its
        own (of --input, of a cell of .csv) is read as the primitive of the definition says; maps and arrays are JSON.
        An empty cell gives no input, or the empty text where the primitive is a string.""",
    ),
    epilog=examples(
        "tidemill run flow.yaml --input name=Ada",
        "tidemill run flow.yaml --input name=Ada --input name=Grace --output json",
        "tidemill run flow.yaml --inputs people.jsonl --output jsonl --progress off",
        "tidemill run flow.yaml --inputs people.csv --no-strict --workers 4",
        "tidemill run package.flows:greeting --input name=Ada",
    ),
)
@click.argument("flow")
@click.option("-i", "--input", "arguments", multiple=True, metavar="NAME=VALUE",
    help="An input for every context; NAME@ORIGIN=VALUE says another origin than seed. May be repeated.")  # fmt: skip
@click.option("--inputs", "file", metavar="FILE",
    help="Contexts and their inputs: .jsonl, .csv, .yaml, .json, or - for JSON lines on standard input.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["table", "json", "jsonl"]), default="table",
    help="How results are printed: jsonl each at once, json one array, table when all have ended.")  # fmt: skip
@click.option("--strict/--no-strict", default=True,
    help="Whether the first failure of an operation ends its context (default), or is passed over.")  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Make choices of the scheduler repeatable.")
@click.option("--max-contexts", type=click.IntRange(min=1), metavar="N", help="Contexts that are open at a time.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Operations that run at a time.")
@click.option("--allow-remote", is_flag=True, help="Allow FLOW to be an http(s) URL.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S",
    help="Cancel the run after S seconds; it has 10 more to clean up.")  # fmt: skip
@click.option("--progress", type=click.Choice(["auto", "on", "off"]), default="auto",
    help="Live on a terminal, lines elsewhere; auto is off with -q.")  # fmt: skip
@verbosity
def command(
    flow: str,
    arguments: tuple[str, ...],
    file: str | None,
    output: str,
    strict: bool,
    seed: int | None,
    max_contexts: int | None,
    workers: int | None,
    allow_remote: bool,
    timeout: float | None,
    progress: str,
) -> int:
    """Run a data flow on this machine and print its results."""
    from tidemill.cli.running import Settings, execute

    set_up_logging()
    source = open_source(flow, allow_remote=allow_remote)
    plan = _compiled(source)
    settings = Settings(output, strict, seed, max_contexts, workers, timeout, progress, level())
    sets, total = _input_sets(source, plan, arguments, file)
    _few_enough(source, total, file)
    return execute(source.dataflow, sets, replace(settings, total=total, slow_inputs=total is None))


def _compiled(source: Source) -> Plan:
    """Say what is wrong with the data flow, with the lines of its file, before anything is run; return its plan."""
    from tidemill.errors import InvalidFlow
    from tidemill.plan.compile import compile_plan

    try:
        plan = compile_plan(source.dataflow)
    except InvalidFlow as error:
        raise type(error)(source.locate(error.problems)) from error
    if missing := source.missing_code():
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
    source: Source, plan: Plan, arguments: tuple[str, ...], file: str | None
) -> tuple[Iterable[InputSet], int | None]:
    """Return the input sets, and how many there are if that is known before they are read.

    One that no context could be opened with is refused: before the first is run, but for what comes through a pipe.
    """
    from tidemill.formats.fitting import Fitting
    from tidemill.formats.inputs import InputFile, InputSet, document_sets, input_of_argument

    definitions = source.dataflow.definitions
    given = [input_of_argument(argument, definitions) for argument in arguments]
    fits = Fitting(plan, given, [f"--input {argument.partition('=')[0]}" for argument in arguments])
    if file is not None:
        contexts = InputFile(file, definitions, fits)
        total = contexts.check() if contexts.repeatable else None
        return _with(given, contexts), total
    if source.inputs is not None:
        root = f"{source.file.document.prefix}/inputs" if source.file is not None else ""
        listed = list(document_sets(source.inputs, definitions, root=root))
        for each in listed:
            fits(each)
        return _with(given, listed), len(listed)
    fits(InputSet(CONTEXT, [], "--input"))
    return [InputSet(CONTEXT, given)], 1


def _with(given: list[Input], sets: Iterable[InputSet]) -> Iterator[InputSet]:
    """Yield the input sets, each with copies of the ``given`` inputs before its own."""
    from tidemill.formats.inputs import InputSet
    from tidemill.model.input import Input

    for each in sets:
        common = [Input(item.value, item.definition, origin=item.origin) for item in given]
        yield InputSet(each.name, [*common, *each.inputs])
