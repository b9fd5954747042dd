"""``tidemill lineage -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options
from tidemill.cli.journals import gathered
from tidemill.cli.lineage import LINEAGE_HELP, lineage_options, tell
from tidemill.cli.options import examples, paragraphs, verbosity
from tidemill.orchestrator.cluster.client import Client

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Show what a result on a cluster was made of, or what came of an input.", LINEAGE_HELP, CLUSTER_HELP
    ),
    epilog=examples(
        "tidemill lineage -n mill words words.first",
        "tidemill lineage -n mill words words.first --forward --of word",
    ),
)
@click.argument("name")
@click.argument("context")
@lineage_options
@cluster_options
@verbosity
def command(name: str, context: str, of: str, forward: bool, kind: str, asked: Asked) -> int:
    """Show what a result on a cluster was made of, or what came of an input."""

    async def shown(client: Client) -> int:
        from tidemill.journal.rebuilt import rebuilt

        found = await gathered(context, client.journal)
        return tell({each: rebuilt(events) for each, events in found.items()}, context, of, forward, kind)

    return asking(asked, name, shown)
