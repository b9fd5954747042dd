"""``tidemill dataflow run contexts``."""

from __future__ import annotations

from typing import Any

import click

from tidemill.cli.dataflow.asked import asked, execute, named_definition, run_options
from tidemill.cli.dataflow.words import DffmlCommand, option, several
from tidemill.cli.options import examples

__all__ = ["command"]


@click.command(
    cls=DffmlCommand,
    epilog=examples(
        "tidemill dataflow run contexts -dataflow flow.yaml -contexts Ada Grace -context-def name",
    ),
)
@several("contexts", metavar="NAME…", default=["context1"], show_default=True, help="What the contexts are called.")
@option("context-def", metavar="DEFINITION", help="The definition that the name of a context is an input of.")
@run_options
def command(contexts: tuple[str, ...], context_def: str | None, **options: Any) -> int:
    """Run a data flow in each of the contexts that are named, and print their results."""
    from tidemill.cli.dataflow.literal import input_of_text
    from tidemill.formats.inputs import InputSet

    given = asked(**options)
    sets = []
    for name in dict.fromkeys(contexts):
        found = InputSet(name, [], "-contexts")
        if context_def is not None:
            definition = named_definition(given, context_def, "-context-def")
            found.inputs.append(input_of_text(name, definition, f"-contexts {name}"))
            found.places.append(f"-contexts {name}")
        sets.append(found)
    return execute(given, sets, lambda record: {record["context"]: record["result"]})
