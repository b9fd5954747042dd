"""``tidemill validate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP, open_source
from tidemill.errors import InvalidFlow, LoadError, Problem, TidemillError

if TYPE_CHECKING:
    from tidemill.cli.source import Source
    from tidemill.plan.plan import Plan

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Check a data flow without running it.",
        FLOW_HELP,
        """Prints every error and warning with its place. Exits with 3 if the data flow cannot run, with 1 if there are
        warnings and --warnings-as-errors is given. No code is imported that a file names, unless --load is given.""",
    ),
    epilog=examples(
        "tidemill validate flow.yaml",
        "tidemill validate flow.yaml --output json --warnings-as-errors",
        "tidemill validate package.flows:greeting",
    ),
)
@click.argument("flow")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How findings are printed.")
@click.option("--warnings-as-errors", is_flag=True, help="Exit with 1 if there are warnings.")
@click.option(
    "--load", is_flag=True, help="Import the code of the operations, too, and exit with 4 where it is missing."
)
@click.option("--allow-remote", is_flag=True, help="Allow FLOW to be an http(s) URL.")
@verbosity
def command(flow: str, output: str, warnings_as_errors: bool, load: bool, allow_remote: bool) -> int:
    """Check a data flow without running it."""
    set_up_logging()
    found, warnings, plan, code = _findings(flow, load=load, allow_remote=allow_remote)
    if output == "json":
        click.echo(json.dumps(_report(found, warnings, plan), indent=2))
    else:
        _print(flow, found, warnings, plan)
    if code == errors.OK and warnings and warnings_as_errors:
        return errors.FAILED
    return code


def _findings(flow: str, *, load: bool, allow_remote: bool) -> tuple[list[Problem], list[Problem], Plan | None, int]:
    """Return (errors, warnings, the plan if there is one, the exit code)."""
    from tidemill.plan.compile import compile_plan

    source: Source | None = None
    try:
        source = open_source(flow, allow_remote=allow_remote)
        plan = compile_plan(source.dataflow)
    except InvalidFlow as error:
        # What reading the file found has its lines already; what the plan found has not.
        problems = list(error.problems) if source is None else source.locate(error.problems)
        return problems, list(source.warnings) if source else [], None, errors.INVALID
    except LoadError:
        raise
    except TidemillError as error:
        return [Problem(error.reason, error.path, error.message)], [], None, errors.code_of(error)
    missing = source.locate(source.missing_code()) if load else []
    warnings = [*source.warnings, *source.locate(plan.warnings)]
    return missing, warnings, plan, errors.LOAD if missing else errors.OK


def _report(found: list[Problem], warnings: list[Problem], plan: Plan | None) -> dict[str, Any]:
    def plain(problems: list[Problem]) -> list[dict[str, str]]:
        return [{"reason": each.reason, "path": each.path, "message": each.message} for each in problems]

    return {
        "valid": not found,
        "errors": plain(found),
        "warnings": plain(warnings),
        "digest": plan.digest if plan is not None else None,
        "operations": [operation.instance for operation in plan.operations] if plan is not None else [],
    }


def _print(flow: str, found: list[Problem], warnings: list[Problem], plan: Plan | None) -> None:
    for line in (*errors.problem_lines(found, "error"), *errors.problem_lines(warnings, "warning")):
        errors.say(line)
    if level() < 0:
        return
    counted = f"{_count(len(found), 'error')}, {_count(len(warnings), 'warning')}"
    if plan is None or found:
        click.echo(errors.one_line(f"{flow}: invalid: {counted}"))
    else:
        click.echo(errors.visible(f"{flow}: valid, {_count(len(plan.operations), 'operation')}, {counted}"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
