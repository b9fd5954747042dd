"""``tidemill version``."""

from __future__ import annotations

import json
import platform
import sys

import click

from tidemill.cli.options import examples, verbosity

__all__ = ["command"]


@click.command(epilog=examples("tidemill version", "tidemill version --output json"))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How it is printed.")
@verbosity
def command(output: str) -> None:
    """Print the versions of tidemill and of Python."""
    from importlib.metadata import version

    found = {
        "tidemill": version("tidemill"),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": f"{sys.platform} {platform.machine()}",
    }
    if output == "json":
        click.echo(json.dumps(found))
    else:
        click.echo(f"tidemill {found['tidemill']} ({found['implementation']} {found['python']}, {found['platform']})")
