"""``tidemill events -n NAMESPACE``."""

from __future__ import annotations

import contextlib

import click

from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options
from tidemill.cli.events import told
from tidemill.cli.options import examples, paragraphs, verbosity
from tidemill.orchestrator.cluster.client import Client

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Show what happened to a context on a cluster, each event with the one that caused it.",
        """A line has the number of the event, an arrow to the number of the one that caused it, what it is, and what it
        says. --after goes on behind an event that is known; --follow waits for those to come, to the end of the
        context, also over connections that are lost. Contexts need a journal for it: `tidemill submit --journal`.""",
        CLUSTER_HELP,
    ),
    epilog=examples(
        "tidemill events -n mill words words.first",
        "tidemill events -n mill words words.first --after 8 --follow --output jsonl",
    ),
)
@click.argument("name")
@click.argument("context")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="ID", help="Only what comes after this event.")
@click.option("--follow", is_flag=True, help="Wait for what is to come, to the end of the context.")
@click.option("-o", "--output", type=click.Choice(["text", "jsonl"]), default="text", help="How events are printed.")
@cluster_options
@verbosity
def command(name: str, context: str, after: int, follow: bool, output: str, asked: Asked) -> int:
    """Show what happened to a context on a cluster, each event with the one that caused it."""

    async def shown(client: Client) -> int:
        found = client.followed(context, after) if follow else client.journal(context, after)
        async with contextlib.aclosing(found) as events:
            return await told(events, output)

    return asking(asked, name, shown)
