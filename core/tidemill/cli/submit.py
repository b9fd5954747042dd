"""``tidemill submit``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import click

from tidemill.cli import errors
from tidemill.cli.backend import BACKEND_HELP, backend_options, shared, store
from tidemill.cli.given import INPUTS_HELP, Given, flow_options, given
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP

__all__ = ["command", "seconds"]

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Return the seconds of a time: a number, or one with s, m, h or d behind it."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhd]?)", value)
    if found is None:
        said = f"{value!r} is no time; expected a number with s, m, h or d, as in 12h or 7d."
        raise click.BadParameter(said, ctx, param)
    return float(found[1]) * _UNITS[found[2]]


@click.command(
    help=paragraphs(
        "Open contexts in a store, for its workers to run.",
        """Prints the name of each context as soon as the store has it, and ends. `tidemill results` prints what became
        of them, `tidemill watch` shows how far they are.""",
        FLOW_HELP,
        *INPUTS_HELP,
        BACKEND_HELP,
    ),
    epilog=examples(
        "tidemill submit flow.yaml --input name=Ada --backend redis://localhost:6379",
        "tidemill submit flow.yaml --inputs people.jsonl --retention 12h --backend redis://localhost:6379",
        "tidemill submit flow.yaml --input name=Ada --name ada --wait --backend redis://localhost:6379",
        "tidemill submit flow.yaml --input name=Ada --name ada --journal --backend redis://localhost:6379",
    ),
)
@flow_options
@click.option("--wait", is_flag=True, help="Wait for their ends and print results, as `tidemill run --workers 0` does.")
@click.option("--journal", is_flag=True, help="Keep every change of state with the context: see `tidemill events`.")
@click.option("--retention", callback=seconds, default="7d", show_default=True, metavar="TIME",
    help="How long an ending is kept which nobody has asked to forget: a number with s, m, h or d.")  # fmt: skip
@backend_options(required=True)
@verbosity
def command(
    flow: str,
    arguments: tuple[str, ...],
    file: str | None,
    name: str | None,
    output: str,
    strict: bool,
    allow_remote: bool,
    wait: bool,
    journal: bool,
    retention: float,
    backend: str,
    durability: str,
) -> int:
    """Open contexts in a store, for its workers to run."""
    from tidemill.cli.attended import attended
    from tidemill.journal.event import LIMIT

    set_up_logging()
    shared(backend)
    found = given(flow, arguments, file, name=name, allow_remote=allow_remote, here=False)
    if wait:
        return _waited(found, output, strict, journal, backend, durability)
    more: dict[str, Any] = {"journal": LIMIT} if journal else {}
    opened = store(backend, durability, silent=True, retention=retention, **more)
    return attended(_submitted(found, output, strict, opened))


def _waited(found: Given, output: str, strict: bool, journal: bool, backend: str, durability: str) -> int:
    from tidemill.cli.running import Settings, execute

    settings = Settings(
        output=output,
        strict=strict,
        workers=0,
        level=level(),
        total=found.total,
        slow_inputs=found.total is None,
        backend=backend,
        durability=durability,
        journalled=journal,
    )
    return execute(found.dataflow, found.sets, settings)


async def _submitted(found: Given, output: str, strict: bool, opened: Any) -> int:
    from tidemill.cli.output import printer
    from tidemill.orchestrator.submitting import submit

    out, many = printer(output), 0
    async with opened as backend:
        try:
            async with contextlib.aclosing(submit(backend, found.dataflow, _pairs(found), strict=strict)) as names:
                async for name in names:
                    out.put({"context": name, "status": "open"}, many)
                    many += 1
        finally:
            with contextlib.suppress(BrokenPipeError):
                out.close()
            if many and level() >= 0:
                counted = f"{many} context{'' if many == 1 else 's'} opened"
                errors.say(f"{counted}; tidemill results --wait prints what becomes of them")
    return errors.OK


async def _pairs(found: Given) -> AsyncIterator[tuple[str, list[Any]]]:
    from tidemill.cli.feeding import at_once, in_thread

    async for each in in_thread(found.sets) if found.total is None else at_once(found.sets):
        yield each.name, each.inputs
