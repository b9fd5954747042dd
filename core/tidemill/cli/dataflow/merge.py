"""``tidemill dataflow merge``."""

from __future__ import annotations

import click

from tidemill.cli.dataflow.words import DffmlCommand, log, option
from tidemill.cli.options import examples, paragraphs, verbosity

__all__ = ["command"]


@click.command(
    cls=DffmlCommand,
    help=paragraphs(
        "Print the data flow that several files make together.",
        """Mappings are merged, lists appended, and of two other values the last one holds. A file may be a part of a
        data flow only, as one that has nothing but seeds.""",
    ),
    epilog=examples(
        "tidemill dataflow merge flow.yaml more.yaml",
        "tidemill dataflow merge -configloader yaml -not-linked flow.yaml more.yaml",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@option("configloader", type=click.Choice(["json", "yaml"]), default="json", help="The form that is printed.")
@option("not-linked", is_flag=True, help="Write definitions out wherever they are used.")
@log
@verbosity
def command(files: tuple[str, ...], configloader: str, not_linked: bool) -> None:
    """Print the data flow that several files make together."""
    from tidemill.formats.dffml import exported, merged_flow, text_of
    from tidemill.formats.read import read_document

    dataflow = merged_flow([read_document(file) for file in files])
    click.echo(text_of(exported(dataflow, linked=not not_linked), configloader), nl=False)
