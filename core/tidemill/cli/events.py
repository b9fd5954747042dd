"""``tidemill events``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.backend import BACKEND_HELP, VARIABLE, backend_options, is_memory, shared, store
from tidemill.cli.journals import line_of, read_later, source_options
from tidemill.cli.options import examples, paragraphs, set_up_logging, verbosity

if TYPE_CHECKING:
    from tidemill.journal.event import Event

__all__ = ["command", "shown", "told"]


@click.command(
    help=paragraphs(
        "Show what happened to a context, each event with the one that caused it.",
        """A line has the number of the event, an arrow to the number of the one that caused it, what it is, and what it
        says. --after goes on behind an event that is known; --follow waits for those to come, to the end of the
        context. Contexts need a journal for it: `--journal` of `tidemill run` and `tidemill submit`.""",
        BACKEND_HELP,
    ),
    epilog=examples(
        "tidemill events ada --journal run.jsonl",
        "tidemill events --journal run.jsonl --after 8 --output jsonl",
        "tidemill events ada --follow --backend redis://localhost:6379",
    ),
)
@click.argument("context", required=False)
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="ID", help="Only what comes after this event.")
@click.option("--follow", is_flag=True, help="Wait for what is to come, to the end of the context.")
@click.option("-o", "--output", type=click.Choice(["text", "jsonl"]), default="text", help="How events are printed.")
@source_options
@backend_options(required=False)
@verbosity
def command(
    context: str | None, after: int, follow: bool, output: str, journal: str | None, backend: str, durability: str
) -> int:
    """Show what happened to a context, each event with the one that caused it."""
    from tidemill.cli.attended import attended

    set_up_logging()
    if journal is not None:
        if follow:
            raise click.UsageError("--follow needs a store: a file says nothing of what is still to come.")
        return attended(told(_of(read_later(journal), context, after), output))
    if is_memory(backend):
        raise click.UsageError(f"give the --journal FILE of a run, or a store by --backend or {VARIABLE}.")
    if context is None:
        raise click.UsageError("Missing argument 'CONTEXT'; only a file is read without one.")
    shared(backend)
    return attended(_over(context, after, follow, output, store(backend, durability)))


async def _of(events: AsyncIterator[Event], context: str | None, after: int) -> AsyncIterator[Event]:
    from tidemill.journal.kept import no_journal

    known = False
    async for event in events:
        mine = context is None or event.context == context
        known = known or mine
        if mine and event.id > after:
            yield event
    if not known and context is not None:
        raise no_journal(context)


async def _over(context: str, after: int, follow: bool, output: str, opened: Any) -> int:
    async with opened as backend, contextlib.aclosing(backend.journal(context, after=after, follow=follow)) as events:
        return await told(events, output)


async def told(events: AsyncIterator[Event], output: str) -> int:
    """Print events as they come, and return the exit code."""
    async for event in events:
        click.echo(line_of(event) if output == "jsonl" else shown(event))
    return errors.OK


def shown(event: Event) -> str:
    """Return an event as one line for people."""
    from tidemill.formats.values import as_text

    what = dict(event.what)
    about = ""
    if "operation" in what and "inputs" in what:
        numbers = ", ".join(f"#{number}" for number in what.pop("inputs"))
        about = f"{what.pop('operation')}({numbers})"
    if "number" in what:
        made = f" by {about}" if about else ""
        about = f"#{what.pop('number')} {what.pop('definition', 'default')}{made}"
    for name in ("operations", "position", "parents", "origin", "canonical"):
        what.pop(name, None)
    rest = " ".join(f"{name}={_cut(as_text(value))}" for name, value in what.items() if value not in (None, [], ""))
    arrow = f"<- {event.prev}" if event.prev else ""
    return errors.one_line(
        f"{event.id:>5} {arrow:<8} {event.kind:<11}{about}{' ' if about and rest else ''}{rest}"
    ).rstrip()


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
