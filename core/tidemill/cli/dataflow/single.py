"""``tidemill dataflow run single``."""

from __future__ import annotations

from typing import Any

import click

from tidemill.cli.dataflow.asked import asked, execute, run_options
from tidemill.cli.dataflow.words import DffmlCommand
from tidemill.cli.options import examples

__all__ = ["command"]


@click.command(
    cls=DffmlCommand,
    epilog=examples("tidemill dataflow run single -dataflow flow.yaml -inputs Ada=name"),
)
@run_options
def command(**options: Any) -> int:
    """Run a data flow in one context, and print its result."""
    from tidemill.cli.given import CONTEXT
    from tidemill.formats.inputs import InputSet

    given = asked(**options)
    return execute(given, [InputSet(CONTEXT, [], "-inputs")], lambda record: record["result"])
