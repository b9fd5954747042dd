"""``tidemill resume -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli import errors
from tidemill.cli.cluster.client import Client
from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options, done
from tidemill.cli.options import examples, paragraphs, verbosity

__all__ = ["command"]


@click.command(
    help=paragraphs("Have a data flow on a cluster go on that was suspended.", CLUSTER_HELP),
    epilog=examples("tidemill resume -n mill words"),
)
@click.argument("name")
@cluster_options
@verbosity
def command(name: str, asked: Asked) -> int:
    """Have a data flow on a cluster go on that was suspended."""

    async def changed(client: Client) -> int:
        await client.post("resume")
        done(f"{name} resumed")
        return errors.OK

    return asking(asked, name, changed)
