"""``tidemill cancel -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, cluster_options, doing
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
    if not contexts:
        return doing(asked, name, (("cancel",), f"{name} cancelled"))
    return doing(asked, name, *((("contexts", context, "cancel"), f"{context} cancelled") for context in contexts))
