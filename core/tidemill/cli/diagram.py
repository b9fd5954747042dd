"""``tidemill diagram``."""

from __future__ import annotations

from pathlib import Path

import click

from tidemill.cli import errors
from tidemill.cli.options import examples, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP, open_source
from tidemill.errors import TidemillError

__all__ = ["command"]

_STAGES = ["processing", "cleanup", "output"]


@click.command(
    help=paragraphs(
        "Draw a data flow as Mermaid, DOT or SVG.",
        FLOW_HELP,
        """Dotted arrows open a condition, solid ones carry a value. SVG is made by graphviz, whose program `dot` has to
        be installed for it.""",
    ),
    epilog=examples(
        "tidemill diagram flow.yaml",
        "tidemill diagram flow.yaml --stages processing --simple",
        "tidemill diagram flow.yaml --format dot -o flow.dot",
    ),
)
@click.argument("flow")
@click.option("--format", "kind", type=click.Choice(["mermaid", "dot", "svg"]), default="mermaid", help="What is made.")
@click.option("--stages", type=click.Choice(_STAGES), multiple=True, help="Draw this stage only; may be repeated.")
@click.option("--simple", is_flag=True, help="Operations only, without labels and what is given from outside.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file, not to standard output.")
@click.option("--allow-remote", is_flag=True, help="Allow FLOW to be an http(s) URL.")
@verbosity
def command(
    flow: str, kind: str, stages: tuple[str, ...], simple: bool, output: str | None, allow_remote: bool
) -> None:
    """Draw a data flow as Mermaid, DOT or SVG."""
    from tidemill.formats.diagram import graph_of, to_dot, to_mermaid
    from tidemill.model.operation import Stage

    set_up_logging()
    source = open_source(flow, allow_remote=allow_remote)
    graph = graph_of(source.dataflow, stages=tuple(Stage(stage) for stage in stages or _STAGES), simple=simple)
    text = to_mermaid(graph) if kind == "mermaid" else to_dot(graph)
    if kind == "svg":
        text = _svg(text)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.FileError(output, error.strerror or str(error)) from error
    errors.say(f"wrote {output}")


def _svg(dot: str) -> str:
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        raise TidemillError(
            "SVG is made by graphviz, whose program dot is not in PATH; install it, or use --format mermaid or dot",
            reason="GraphvizMissing",
        )
    try:
        done = subprocess.run([program, "-Tsvg"], input=dot, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise TidemillError(f"{program} failed: {said}", reason="GraphvizFailed") from error
    return done.stdout
