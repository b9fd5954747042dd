"""``tidemill convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.options import examples, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP, open_source

if TYPE_CHECKING:
    from tidemill.cli.source import Source

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Write a data flow in another form: an object for Kubernetes, or DFFML's.",
        FLOW_HELP,
        """An object is what `kubectl apply` takes: a DataFlow, with the inputs of FLOW, and with pools and the like
        where FLOW is an object itself. DFFML's form is the data flow alone. Nothing is written of a data flow that
        `validate` refuses.""",
    ),
    epilog=examples(
        "tidemill convert flow.yaml --name words",
        "tidemill convert package.flows:greeting --name greeting -o greeting.yaml",
        "tidemill convert flow.yaml --to dffml --format json",
    ),
)
@click.argument("flow")
@click.option("--to", type=click.Choice(["object", "dffml"]), default="object", help="The form that is written.")
@click.option("--name", metavar="NAME", help="What the object is called.  [default: as before, or as the file]")
@click.option("--format", "kind", type=click.Choice(["yaml", "json"]), default="yaml", help="How it is written.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file, not to standard output.")
@click.option("--allow-remote", is_flag=True, help="Allow FLOW to be an http(s) URL.")
@verbosity
def command(flow: str, to: str, name: str | None, kind: str, output: str | None, allow_remote: bool) -> None:
    """Write a data flow in another form: an object for Kubernetes, or DFFML's."""
    set_up_logging()
    source = open_source(flow, allow_remote=allow_remote)
    _check(source)
    text = _object(source, flow, name, kind) if to == "object" else _dffml(source, name, kind)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(output, error.strerror or str(error)) from error
    errors.say(f"wrote {output}")


def _check(source: Source) -> None:
    from tidemill.errors import InvalidFlow
    from tidemill.plan.compile import compile_plan

    try:
        compile_plan(source.dataflow)
    except InvalidFlow as error:
        raise type(error)(source.locate(error.problems)) from error


def _object(source: Source, flow: str, name: str | None, kind: str) -> str:
    from tidemill.formats.manifest import manifest_of, object_name

    before = source.file.document.name if source.file is not None else ""
    chosen = name or before or object_name(Path(flow).stem if source.folder is not None else "")
    if not chosen:
        raise click.UsageError("an object needs a name; give one with --name.")
    return _text(manifest_of(source.dataflow, chosen, source.file), kind)


def _dffml(source: Source, name: str | None, kind: str) -> str:
    from tidemill.formats.dffml import exported, text_of

    if name is not None:
        raise click.UsageError("--name is for an object; DFFML's form has no name.")
    return text_of(exported(source.dataflow), kind)


def _text(data: dict[str, Any], kind: str) -> str:
    import json

    from tidemill.formats.write import yaml_text

    if kind == "json":
        return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return yaml_text(data)
