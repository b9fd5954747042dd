"""``tidemill resume -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, cluster_options, doing
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
    return doing(asked, name, (("resume",), f"{name} resumed"))
