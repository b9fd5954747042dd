"""``tidemill submit -n NAMESPACE``."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click

from tidemill.cli import errors
from tidemill.cli.cluster.options import CLUSTER_HELP, Asked, asking, cluster_options
from tidemill.cli.options import examples, level, paragraphs, verbosity
from tidemill.orchestrator.cluster.client import Client

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Open contexts of a data flow on a cluster.",
        """Each line of --inputs is a context: {definition: value or list of values}, or {"context": name, "inputs":
        …}; - reads standard input. --input gives the inputs of one context; VALUE is JSON, or text where it is none.
        What is submitted again under the same name is opened once.
        """,
        CLUSTER_HELP,
    ),
    epilog=examples(
        "tidemill submit -n mill words --input word=tide",
        "tidemill submit -n mill words --inputs words.jsonl --output jsonl",
        "tidemill submit -n mill words --input word=tide --context first --journal",
    ),
)
@click.argument("name")
@click.option(
    "--input", "values", multiple=True, metavar="DEFINITION=VALUE", help="An input; may be given several times."
)
@click.option("--inputs", "file", metavar="FILE", help="A file of input sets, one JSON on each line.")
@click.option("--context", "context", metavar="NAME", help="The name of the context of --input.")
@click.option("--strict/--no-strict", default=None, help="Whether the first failure of an operation fails a context.")
@click.option("--hold", is_flag=True, help="Keep them open for more inputs, until they are closed.")
@click.option("--journal/--no-journal", default=None,
    help="Whether every change of state is kept with them: see `tidemill events`.")  # fmt: skip
@click.option("--key", metavar="KEY", help="Names what is submitted, so that it can be submitted again.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "jsonl"]), default="table")
@cluster_options
@verbosity
def command(
    name: str,
    values: tuple[str, ...],
    file: str | None,
    context: str | None,
    strict: bool | None,
    hold: bool,
    journal: bool | None,
    key: str | None,
    output: str,
    asked: Asked,
) -> int:
    """Open contexts of a data flow on a cluster."""
    if bool(values) == bool(file):
        raise click.UsageError("give --input or --inputs")
    flags = {"hold": hold, "journal": journal, "strict": strict}
    query = {flag: str(said).lower() for flag, said in flags.items() if said is not None}
    lines = [_line(values, context)] if values else _file(str(file))
    return asking(asked, name, lambda client: _submitted(client, _chunks(lines), output, query, key))


def _line(values: tuple[str, ...], context: str | None) -> bytes:
    inputs: dict[str, list[Any]] = {}
    for each in values:
        definition, equals, text = each.partition("=")
        if not equals:
            raise click.BadParameter(f"{each!r} has no =; expected DEFINITION=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        inputs.setdefault(definition, []).append(value)
    record = {"inputs": [{"definition": name, "value": value} for name, all_ in inputs.items() for value in all_]}
    return json.dumps({**record, **({"context": context} if context else {})}).encode() + b"\n"


def _file(path: str) -> Iterator[bytes]:
    if path == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(path).open("rb") as file:
            yield from file
    except OSError as error:
        raise click.BadParameter(f"{path!r} cannot be read: {error.strerror}") from None


async def _chunks(lines: Iterator[bytes] | list[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


async def _submitted(
    client: Client, lines: AsyncIterator[bytes], output: str, query: dict[str, str], key: str | None
) -> int:
    from tidemill.cli.output import printer

    out, many = printer(output), 0
    try:
        async for said in client.open(lines, key=key, **query):
            out.put(said, many)
            many += 1
    finally:
        out.close()
        if many and level() >= 0:
            errors.say(f"{many} context{'' if many == 1 else 's'} open")
    return errors.OK
