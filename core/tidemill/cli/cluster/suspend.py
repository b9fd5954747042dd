"""``tidemill suspend -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, cluster_options, doing
from tidemill.cli.options import examples, paragraphs, verbosity

__all__ = ["command"]


@click.command(
    help=paragraphs("Begin nothing new of a data flow on a cluster: what runs is ended, the rest waits.", CLUSTER_HELP),
    epilog=examples("tidemill suspend -n mill words"),
)
@click.argument("name")
@cluster_options
@verbosity
def command(name: str, asked: Asked) -> int:
    """Begin nothing new of a data flow on a cluster: what runs is ended, the rest waits."""
    return doing(asked, name, (("suspend",), f"{name} suspended"))
