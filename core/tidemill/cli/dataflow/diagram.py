"""``tidemill dataflow diagram``."""

from __future__ import annotations

import click

from tidemill.cli.dataflow.words import DffmlCommand, loader, log, option, several
from tidemill.cli.options import examples, paragraphs, verbosity
from tidemill.cli.source import FLOW_HELP

__all__ = ["command"]

_STAGES = ["processing", "cleanup", "output"]
_DIRECTIONS = ["TD", "TB", "BT", "LR", "RL"]


@click.command(
    cls=DffmlCommand,
    help=paragraphs(
        "Draw a data flow as DFFML draws it, in Mermaid.",
        """`tidemill diagram` draws a smaller picture, with gates and origins, and makes SVG.""",
        FLOW_HELP,
    ),
    epilog=examples(
        "tidemill dataflow diagram flow.yaml",
        "tidemill dataflow diagram -simple -display LR -stages processing output -- flow.yaml",
    ),
)
@click.argument("dataflow", metavar="FLOW")
@loader
@several("stages", type=click.Choice(_STAGES), help="Draw these stages only.")
@option("simple", is_flag=True, help="Leave out the names of inputs and outputs.")
@option("shortname", is_flag=True, help="Leave out the modules of the names of operations.")
@option("display", type=click.Choice(_DIRECTIONS), default="TD", show_default=True, help="Where the graph runs to.")
@log
@verbosity
def command(
    dataflow: str, configloader: str | None, stages: tuple[str, ...], simple: bool, shortname: bool, display: str
) -> None:
    """Draw a data flow as DFFML draws it, in Mermaid."""
    from tidemill.cli.source import open_source
    from tidemill.formats.mermaid import draw
    from tidemill.model.operation import Stage

    source = open_source(dataflow, format=configloader)
    wanted = [Stage(stage) for stage in stages]
    text = draw(source.dataflow, stages=wanted, simple=simple, short=shortname, direction=display)
    click.echo(text, nl=False)
