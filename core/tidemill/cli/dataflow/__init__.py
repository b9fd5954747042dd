"""``tidemill dataflow``: the verbs of DFFML's command line that concern data flows, with its options and its output.

Each verb has a module; what they share is in `words` (options as DFFML spells them), `literal` (values as it reads
them) and `asked` (a data flow and inputs to run it with). The verbs of our own are beside this package.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from tidemill.cli.options import examples, paragraphs, verbosity

__all__ = ["command"]

_VERBS = {
    "create": "Print the data flow of the operations that are named.",
    "diagram": "Draw a data flow as DFFML draws it, in Mermaid.",
    "merge": "Print the data flow that several files make together.",
    "run": "Run a data flow: one context, several, or one for each record.",
}
_RUNS = {
    "contexts": "Run a data flow in each of the contexts that are named.",
    "records": "Run a data flow for each record of a source.",
    "single": "Run a data flow in one context.",
}
_RECORDS = {
    "all": "Run a data flow for all records of a source.",
    "set": "Run a data flow for the records whose keys are given.",
}


class _Verbs(click.Group):
    """A group whose verbs are imported when they are called; ``verbs`` are those, ``modules`` where they are."""

    def __init__(self, *arguments: Any, verbs: dict[str, str], modules: dict[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.verbs, self.modules = verbs, modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.verbs:
            return None
        module, _, name = self.modules.get(cmd_name, cmd_name).partition(":")
        if not module:
            return {"run": _run, "records": _records}[name]
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), name or "command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self.verbs.items()))


@click.command(
    cls=_Verbs,
    verbs=_VERBS,
    modules={"run": ":run"},
    help=paragraphs(
        "Create, merge, draw and run data flows with DFFML's commands and options.",
        """Options may be written with one dash, as DFFML has them, or with two. Those that take several values take all
        up to the next option, or to --.""",
    ),
    epilog=examples(
        "tidemill dataflow create -configloader yaml -inputs name,=get_single_spec -- package.flows:greet get_single",
        "tidemill dataflow merge flow.yaml more.yaml",
        "tidemill dataflow diagram flow.yaml",
        "tidemill dataflow run single -dataflow flow.yaml -inputs Ada=name",
        "tidemill dataflow run contexts -dataflow flow.yaml -contexts Ada Grace -context-def name",
        "tidemill dataflow run records set -dataflow flow.yaml -sources m=memory -record-def name -keys Ada Grace",
    ),
)
@verbosity
def command() -> None:
    """Create, merge, draw and run data flows with DFFML's commands and options."""


@click.command(cls=_Verbs, name="run", verbs=_RUNS, modules={"records": ":records"})
@verbosity
def _run() -> None:
    """Run a data flow: one context, several, or one for each record."""


@click.command(cls=_Verbs, name="records", verbs=_RECORDS, modules={"all": "records:every", "set": "records:some"})
@verbosity
def _records() -> None:
    """Run a data flow for each record of a source."""
