"""``tidemill watch -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli import errors
from tidemill.cli.cluster.get import table_of
from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options
from tidemill.cli.options import examples, paragraphs, verbosity
from tidemill.orchestrator.cluster.client import Client

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Show how far a data flow on a cluster is, whenever that has changed.",
        "Until all of its contexts have ended; then the exit code is 1 if one has failed.",
        CLUSTER_HELP,
    ),
    epilog=examples("tidemill watch -n mill words"),
)
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["lines", "jsonl"]), default="lines")
@cluster_options
@verbosity
def command(name: str, output: str, asked: Asked) -> int:
    """Show how far a data flow on a cluster is, whenever that has changed."""

    async def watched(client: Client) -> int:
        from tidemill.formats.values import as_json

        async for said in client.progress():
            click.echo(as_json(said) if output == "jsonl" else table_of(said))
            contexts = said["contexts"]
            if not contexts["open"] and contexts["succeeded"] + contexts["failed"]:
                return errors.FAILED if contexts["failed"] else errors.OK
        return errors.OK

    return asking(asked, name, watched)
