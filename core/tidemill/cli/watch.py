"""``tidemill watch``."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import click

from tidemill.cli.backend import BACKEND_HELP, backend_options, shared, store
from tidemill.cli.options import examples, paragraphs, set_up_logging, verbosity

if TYPE_CHECKING:
    from tidemill.backends.redis.backend import RedisBackend
    from tidemill.cli.overviews import Shown
    from tidemill.cli.results import Endings

__all__ = ["command"]

SECONDS = {"live": 0.5, "lines": 2.0, "jsonl": 1.0}
"""Seconds between two looks, by how they are shown; lines are only written where something has changed."""


@click.command(
    help=paragraphs(
        "Show what a store is at.",
        """Contexts, operations, workers, what is ready in each pool, and why something waits: a picture on a terminal,
        lines elsewhere, JSON lines with --output jsonl. With a NAME only what concerns these contexts, until they have
        ended: then the exit code is 1 if one has failed, 3 if one is not known. Without, until Ctrl-C.""",
        BACKEND_HELP,
    ),
    epilog=examples(
        "tidemill watch --backend redis://localhost:6379",
        "tidemill watch ada grace --backend redis://localhost:6379",
        "tidemill watch --once --output jsonl --backend redis://localhost:6379",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.option("-o", "--output", type=click.Choice(["auto", "lines", "jsonl"]), default="auto",
    help="auto: a picture on a terminal, lines elsewhere.")  # fmt: skip
@backend_options(required=True)
@verbosity
def command(names: tuple[str, ...], once: bool, output: str, backend: str, durability: str) -> int:
    """Show what a store is at."""
    from tidemill.cli.attended import attended

    set_up_logging()
    shared(backend)
    return attended(_watch(list(dict.fromkeys(names)), once, output, backend, durability))


async def _watch(names: list[str], once: bool, output: str, backend: str, durability: str) -> int:
    from tidemill.cli.overviews import shown
    from tidemill.cli.results import Endings

    async with store(backend, durability) as entered:
        found = Endings(entered)
        with shown(output, once=once) as picture:
            if names and not once:
                looking = asyncio.create_task(_look(entered, names, found, picture, once=False))
                await _first(asyncio.create_task(_ends(found, names, picture, wait=True)), looking)
            elif names:
                await _ends(found, names, picture, wait=False)
            # what it came to is shown, too
            await _look(entered, names, found, picture, once=once or bool(names))
    if once:
        found.open = []
    return found.code()


async def _first(task: asyncio.Task[None], beside: asyncio.Task[None]) -> None:
    """Wait for a task; what is done beside it ends with it, and ends it when it fails."""
    try:
        await asyncio.wait({task, beside}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [one for one in (task, beside) if one.done()]
        for one in (task, beside):
            one.cancel()
        await asyncio.gather(task, beside, return_exceptions=True)
    for one in ended:
        one.result()


async def _ends(found: Endings, names: list[str], picture: Shown, *, wait: bool) -> None:
    """Take in how the contexts end that were named, until all have."""
    async with contextlib.aclosing(found.of(names, wait=wait)) as outcomes:
        async for name, outcome in outcomes:
            found.failed += outcome.failure is not None
            picture.ended(name, None if outcome.failure is None else outcome.failure.reason)


async def _look(backend: RedisBackend, names: list[str], found: Endings, picture: Shown, once: bool) -> None:
    """Show what the store is at, again and again."""
    from tidemill.backends.redis.overview import RedisOverview
    from tidemill.backends.redis.remaining import Remaining

    looking, remaining = RedisOverview(backend.client), Remaining(backend.client)
    while True:
        overview = await looking.look(names=names, plans=sorted(found.plans) if names else [])
        await remaining.tell(overview)
        picture.show(overview)
        if once:
            return
        await asyncio.sleep(SECONDS[picture.kind])
