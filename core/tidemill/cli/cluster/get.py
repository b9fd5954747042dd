"""``tidemill get -n NAMESPACE``."""

from __future__ import annotations

import click

from tidemill.cli import errors
from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options
from tidemill.cli.options import examples, paragraphs, verbosity
from tidemill.orchestrator.cluster.client import Client

__all__ = ["command", "table_of"]

STATES = ("open", "succeeded", "failed")


@click.command(
    help=paragraphs("Show how far a data flow on a cluster is.", CLUSTER_HELP),
    epilog=examples("tidemill get -n mill words", "tidemill get -n mill words --output json"),
)
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
@cluster_options
@verbosity
def command(name: str, output: str, asked: Asked) -> int:
    """Show how far a data flow on a cluster is."""

    async def shown(client: Client) -> int:
        said = await client.get()
        if output == "json":
            from tidemill.formats.values import as_json

            click.echo(as_json(said))
        else:
            click.echo(table_of(said))
        return errors.OK

    return asking(asked, name, shown)


def table_of(said: dict[str, object]) -> str:
    """Return how far a data flow is, as lines for people."""
    contexts, operations, failures = said["contexts"], said["operations"], said["failures"]
    assert isinstance(contexts, dict)
    assert isinstance(operations, list)
    assert isinstance(failures, list)
    lines = [f"{said['state']}: " + ", ".join(f"{contexts[state]} {state}" for state in STATES)]
    for one in operations:
        lines.append(f"  {one['instance']}: {one['completed']} of {one['taken']} completed, {one['failed']} failed")
    lines += [f"  {one['context']}: {one['reason']}: {one['message'].splitlines()[0]}" for one in failures]
    return "\n".join(lines)
