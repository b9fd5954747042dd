"""The command ``tidemill`` and its verbs, each imported only when it is called.

Neighbours: `errors` calls it; every verb has a module of its name with a click command called ``command``.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator
from typing import Any

import click

from tidemill.cli.errors import ReaderGone
from tidemill.cli.options import verbosity

__all__ = ["ONLY_ON_A_CLUSTER", "ON_A_CLUSTER", "VERBS", "command_of", "tidemill"]

_CLUSTER = "tidemill.cli.cluster"

VERBS = {
    "cancel": "Cancel contexts that are open in a store.",
    "completion": "Print the script that completes tidemill's commands in a shell.",
    "convert": "Write a data flow in another form: an object for Kubernetes, or DFFML's.",
    "dataflow": "Create, merge, draw and run data flows with DFFML's commands and options.",
    "dev": "Start a store and workers on this machine, until Ctrl-C.",
    "diagram": "Draw a data flow as Mermaid, DOT or SVG.",
    "doctor": "Check this machine and installation, and say what to do about findings.",
    "estimate": "Say how long a data flow will take, without running it.",
    "events": "Show what happened to a context, each event with the one that caused it.",
    "get": "Show how far a data flow on a cluster is.",
    "lineage": "Show what a result was made of, or what came of an input.",
    "results": "Print what became of contexts in a store.",
    "resume": "Have a data flow on a cluster go on that was suspended.",
    "run": "Run a data flow and print its results.",
    "serve": "Serve data flows over HTTP, until SIGTERM.",
    "submit": "Open contexts in a store, for its workers to run.",
    "suspend": "Begin nothing new of a data flow on a cluster: what runs is ended, the rest waits.",
    "validate": "Check a data flow without running it.",
    "version": "Print the versions of tidemill and of Python.",
    "watch": "Show what a store is at.",
    "worker": "Run what is ready in a store, until SIGTERM.",
}
"""The verbs and what each does. It is said here too, so that ``--help`` has to import none of them."""

ON_A_CLUSTER = ("cancel", "events", "get", "lineage", "results", "resume", "submit", "suspend", "watch")
"""Verbs that speak to a cluster: with ``-n NAMESPACE`` those that there are for a store as well."""
ONLY_ON_A_CLUSTER = ("get", "resume", "suspend")


def command_of(verb: str, *, cluster: bool = False) -> click.Command:
    """Return the command of a verb, the one that speaks to a ``cluster`` if there is such a one."""
    folder = "cluster." if verb in ONLY_ON_A_CLUSTER or (cluster and verb in ON_A_CLUSTER) else ""
    command: click.Command = importlib.import_module(f"tidemill.cli.{folder}{verb}").command
    return command


@contextlib.contextmanager
def _reader_watched() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone from error


class _Verbs(click.Group):
    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        with _reader_watched():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_watched():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        plugin = ctx.find_root().info_name != "tidemill"  # of kubectl
        ctx.meta[_CLUSTER] = plugin or any(re.match(r"-n|--namespace\b", arg) for arg in args[1:])
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        return command_of(cmd_name, cluster=bool(ctx.meta.get(_CLUSTER)))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(VERBS.items()))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Exit codes:
  0    everything succeeded
  1    a context or an operation failed, or a check found something
  2    the command line is wrong
  3    the data flow, the document or an input is invalid
  4    code could not be loaded
  5    an error inside tidemill
  6    a context that was asked for has not ended
  130  interrupted (Ctrl-C)
  141  the reader of the output went away
  143  terminated (SIGTERM)

\b
Examples:
  tidemill run flow.yaml --input name=Ada
  tidemill validate flow.yaml
  tidemill run --help
""",
)
@verbosity
def tidemill() -> None:
    """Run data flows: operations that run as soon as a new combination of their inputs exists."""
