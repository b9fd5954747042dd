"""``tidemill results -n NAMESPACE``."""

from __future__ import annotations

from typing import Any

import click

from tidemill.cli import errors
from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options
from tidemill.cli.options import examples, paragraphs, verbosity
from tidemill.orchestrator.cluster.client import Client

__all__ = ["command"]

LONGEST = 60
"""Seconds for which the API waits for a context at once."""


@click.command(
    help=paragraphs(
        "Print what became of contexts of a data flow on a cluster.",
        """Without a CONTEXT of all that have ended. Exits with 1 if one has failed, with 6 if one that was named has
        not ended and --wait is not given.
        """,
        CLUSTER_HELP,
    ),
    epilog=examples("tidemill results -n mill words", "tidemill results -n mill words words.first --wait"),
)
@click.argument("name")
@click.argument("contexts", nargs=-1, metavar="[CONTEXT]…")
@click.option("--wait", is_flag=True, help="Wait for the end of those that were named.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "jsonl"]), default="table")
@cluster_options
@verbosity
def command(name: str, contexts: tuple[str, ...], wait: bool, output: str, asked: Asked) -> int:
    """Print what became of contexts of a data flow on a cluster."""
    return asking(asked, name, lambda client: _printed(client, contexts, wait, output))


async def _printed(client: Client, contexts: tuple[str, ...], wait: bool, output: str) -> int:
    from tidemill.cli.output import printer

    out, many, failed, open_ = printer(output), 0, 0, []

    def put(said: Any) -> None:
        nonlocal many, failed
        out.put(said, many)
        many += 1
        failed += said["status"] == "failed"

    try:
        if contexts:
            for context in contexts:
                said = await _ended(client, context, wait)
                put(said) if said["status"] != "open" else open_.append(context)
        else:
            async for said in client.lines("results"):
                put(said)
    finally:
        out.close()
    for context in open_:
        errors.say(f'error: StillOpen\n  the context "{context}" has not ended; --wait waits for it')
    if open_:
        return errors.OPEN
    return errors.FAILED if failed else errors.OK


async def _ended(client: Client, context: str, wait: bool) -> Any:
    while True:
        said = await client.get("contexts", context, **({"wait": str(LONGEST)} if wait else {}))
        if said["status"] != "open" or not wait:
            return said
