"""``tidemill lineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.backend import BACKEND_HELP, VARIABLE, backend_options, is_memory, shared, store
from tidemill.cli.journals import gathered, read_events, source_options
from tidemill.cli.lineages import FORMATS, drawn
from tidemill.cli.options import examples, paragraphs, set_up_logging, verbosity

if TYPE_CHECKING:
    from tidemill.journal.rebuilt import Rebuilt

__all__ = ["LINEAGE_HELP", "command", "lineage_options", "only_one", "tell"]

LINEAGE_HELP = """The result of a context is walked back to what was given: a parameter set below what it gave, its
inputs below it. --of begins at an input: by its number (#3), its definition, or operation.output. With --forward it is
what came of that input, or of all that was given. Contexts need a journal for it: `--journal` of `tidemill run` and
`tidemill submit`."""


def lineage_options(function: Any) -> Any:
    """Give a command the options of lineage."""
    for option in (
        click.option("--of", default="", metavar="INPUT", help="Begin there: #NUMBER, DEFINITION, OPERATION.OUTPUT."),
        click.option("--forward", is_flag=True, help="What came of it, not what it was made of."),
        click.option("--format", "kind", type=click.Choice(FORMATS), default="tree", show_default=True,
            help="How it is drawn."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command(
    help=paragraphs("Show what a result was made of, or what came of an input.", LINEAGE_HELP, BACKEND_HELP),
    epilog=examples(
        "tidemill lineage ada --journal run.jsonl",
        "tidemill lineage ada --journal run.jsonl --forward --of name",
        "tidemill lineage ada --format mermaid --backend redis://localhost:6379",
    ),
)
@click.argument("context", required=False)
@lineage_options
@source_options
@backend_options(required=False)
@verbosity
def command(
    context: str | None, of: str, forward: bool, kind: str, journal: str | None, backend: str, durability: str
) -> int:
    """Show what a result was made of, or what came of an input."""
    from tidemill.journal.lineage import states_of

    set_up_logging()
    if journal is not None:
        return tell(states_of(read_events(journal)), context, of, forward, kind)
    if is_memory(backend):
        raise click.UsageError(f"give the --journal FILE of a run, or a store by --backend or {VARIABLE}.")
    if context is None:
        raise click.UsageError("Missing argument 'CONTEXT'; only the journal of a file with one context needs none.")
    from tidemill.cli.attended import attended

    shared(backend)
    return attended(_over(context, of, forward, kind, store(backend, durability)))


async def _over(context: str, of: str, forward: bool, kind: str, opened: Any) -> int:
    from tidemill.journal.rebuilt import rebuilt

    async with opened as backend:
        found = await gathered(context, backend.journal)
    return tell({name: rebuilt(events) for name, events in found.items()}, context, of, forward, kind)


def only_one(states: dict[str, Rebuilt]) -> str:
    """Return the only context that is nobody's child. Raises `click.UsageError` if there are several, or none."""
    children = {name for state in states.values() for names in state.children.values() for name in names}
    found = [name for name in states if name not in children]
    if len(found) == 1:
        return found[0]
    some = ", ".join(errors.one_line(name) for name in found[:5]) + (" …" if len(found) > 5 else "")
    raise click.UsageError(f"Missing argument 'CONTEXT': the journal has {len(found)} contexts: {some}")


def tell(states: dict[str, Rebuilt], context: str | None, of: str, forward: bool, kind: str) -> int:
    """Print lineage, and return the exit code."""
    from tidemill.journal.lineage import lineage

    name = context if context is not None else only_one(states)
    graph = lineage(states, name, of, forward=forward)
    for line in drawn(graph, kind):
        click.echo(line)
    if states[name].cut:
        errors.say(f"{states[name].cut} events of the context are gone: there were more than the journal keeps")
    return errors.OK
