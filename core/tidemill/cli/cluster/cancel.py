"""``tidemill cancel -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli import errors
from tidemill.cli.cluster.client import Client
from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options, done
from tidemill.cli.options import examples, paragraphs, verbosity

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Cancel contexts of a data flow on a cluster; without a CONTEXT a whole DataFlowRun.", CLUSTER_HELP
    ),
    epilog=examples("tidemill cancel -n mill words words.first", "tidemill cancel -n mill --run again"),
)
@click.argument("name")
@click.argument("contexts", nargs=-1, metavar="[CONTEXT]…")
@cluster_options
@verbosity
def command(name: str, contexts: tuple[str, ...], asked: Asked) -> int:
    """Cancel contexts of a data flow on a cluster."""

    async def cancelled(client: Client) -> int:
        for context in contexts:
            await client.post("contexts", context, "cancel")
            done(f"{context} cancelled")
        if not contexts:
            await client.post("cancel")
            done(f"{name} cancelled")
        return errors.OK

    return asking(asked, name, cancelled)
