"""``tidemill cancel``."""

from __future__ import annotations

import click

from tidemill.cli import errors
from tidemill.cli.backend import BACKEND_HELP, backend_options, shared, store
from tidemill.cli.options import examples, paragraphs, set_up_logging, verbosity

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Cancel contexts that are open in a store.",
        """What is ready is dropped, what runs is let end, cleanup runs, and the context ends as failed with the reason
        Cancelled. One that has ended stays as it is. Exits with 3 if one is not known.""",
        BACKEND_HELP,
    ),
    epilog=examples("tidemill cancel ada grace --backend redis://localhost:6379"),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("-o", "--output", type=click.Choice(["table", "json", "jsonl"]), default="table",
    help="How it is printed what was done: one line of JSON for each, one array, or a table.")  # fmt: skip
@backend_options(required=True)
@verbosity
def command(names: tuple[str, ...], output: str, backend: str, durability: str) -> int:
    """Cancel contexts that are open in a store."""
    from tidemill.cli.attended import attended

    set_up_logging()
    shared(backend)
    return attended(_cancelled(list(dict.fromkeys(names)), output, backend, durability))


async def _cancelled(names: list[str], output: str, backend: str, durability: str) -> int:
    from tidemill.cli.output import printer
    from tidemill.errors import ContextClosed

    out, gone = printer(output), []
    async with store(backend, durability) as entered:
        for place, name in enumerate(names):
            try:
                await entered.cancel(name)
                status = "cancelled"
            except ContextClosed as error:
                if error.reason == "RunGone":
                    gone.append(name)
                    continue
                status = "ended before"
            out.put({"context": name, "status": status}, place)
    out.close()
    for name in gone:
        errors.say(f'error: RunGone\n  there is no context "{name}": it was never opened, or has been forgotten')
    return errors.INVALID if gone else errors.OK
