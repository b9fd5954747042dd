"""How far a run is: a live picture on a terminal, a plain line now and then elsewhere; always on standard error.

Neighbours: `running` starts it beside the run and tells it about failures, so that the two do not overwrite each other.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.cli.errors import say, visible

if TYPE_CHECKING:
    from rich.table import Table

    from tidemill.orchestrator.outcome import Progress

__all__ = ["Display", "display", "left", "running", "summary"]

LIVE_SECONDS = 0.125
PLAIN_SECONDS = (1.0, 30.0)
"""Seconds before the first plain line, and between two of them in a long run; on the way the time doubles."""
OPERATIONS = 15
"""Operations that the live picture shows at most; of more, those with the most work left."""


class Display(Protocol):
    """Shows progress until it is cancelled; `write` puts lines where they do not disturb it."""

    async def show(self, progress: Any) -> None:
        """Show what ``progress()`` returns, again and again."""
        ...

    def write(self, text: str) -> None:
        """Write lines to standard error."""
        ...

    def leave(self) -> None:
        """Leave the terminal as it was found, because the process is about to end."""
        ...


def display(mode: str, *, quiet: bool, total: int | None, streams: bool) -> Display:
    """Return the display for ``auto``, ``on`` or ``off``.

    ``total`` is the number of contexts, where it is known; ``streams`` says that results are printed one by one: on one
    terminal with the display they show how far the run is, and a picture would be written into them.
    """
    shared = streams and sys.stdout.isatty() and sys.stderr.isatty()
    if mode == "off" or (mode == "auto" and (quiet or shared)):
        return _Silent()
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return _Live(total) if terminal and not shared else _Plain(total)


def running(progress: Progress) -> dict[str, int]:
    """Return how many parameter sets of each operation have been started and have not ended."""
    left = {
        instance: each.leased - each.completed - each.failed - each.retried
        for instance, each in progress.operations.items()
    }
    return {instance: number for instance, number in left.items() if number > 0}


def left(progress: Progress, total: int | None) -> str:
    """Return how long it will take until the end, in words; nothing while that cannot be told. ``total``: the contexts
    that there will be, if that is known."""
    from tidemill.metrics.remaining import at_once, by_contexts, seconds_left, shown_seconds

    contexts = progress.contexts
    done = contexts["succeeded"] + contexts["failed"]
    seconds = by_contexts(progress.elapsed, done, total)
    if seconds is None:
        open_ = {
            name: each.dispatched - each.completed - each.failed - each.retried
            for name, each in progress.operations.items()
        }
        seconds = seconds_left(open_, progress.seconds, at_once(progress.seconds, progress.elapsed))
    return f"about {shown_seconds(seconds)} left" if seconds else ""


def summary(progress: Progress, *, succeeded: int, failed: int, unfinished: int) -> str:
    """Return one line that says what a run has done."""
    done = succeeded + failed
    parts = [f"{succeeded} succeeded", f"{failed} failed"]
    if unfinished:
        parts.append(f"{unfinished} not finished")
    runs = sum(each.completed + each.failed for each in progress.operations.values())
    return f"{_count(done, 'context')}: {', '.join(parts)}; {_count(runs, 'operation')} run in {progress.elapsed:.1f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class _Lines:
    """What displays without a picture have in common."""

    def write(self, text: str) -> None:
        say(text)

    def leave(self) -> None:
        pass


class _Silent(_Lines):
    async def show(self, progress: Any) -> None:
        await asyncio.Event().wait()


class _Plain(_Lines):
    def __init__(self, total: int | None) -> None:
        self.total = total

    async def show(self, progress: Any) -> None:
        wait, longest = PLAIN_SECONDS
        while True:
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest)
            now = progress()
            contexts = now.contexts
            done = contexts["succeeded"] + contexts["failed"]
            of = f" of {self.total}" if self.total is not None else ""
            busy, said = sum(running(now).values()), left(now, self.total)
            say(f"{now.elapsed:.0f} s: {done}{of} contexts done, {contexts['failed']} failed, "
                f"{contexts['open']} open, {_count(busy, 'operation')} running{said and f', {said}'}")  # fmt: skip


class _Live:
    def __init__(self, total: int | None) -> None:
        from rich.console import Console

        self.total = total
        self.console = Console(stderr=True, highlight=False)

    async def show(self, progress: Any) -> None:
        from rich.live import Live

        # A table on the same terminal passes through the console, above the picture; one that goes to a file or a
        # pipe stays untouched.
        shared = sys.stdout.isatty()
        with Live(
            self._picture(progress()), console=self.console, auto_refresh=False, transient=True,
            redirect_stdout=shared, redirect_stderr=True,
        ) as live:  # fmt: skip
            while True:
                await asyncio.sleep(LIVE_SECONDS)
                live.update(self._picture(progress()), refresh=True)

    def write(self, text: str) -> None:
        from rich.text import Text

        self.console.print(Text(visible(text)), soft_wrap=True)

    def leave(self) -> None:
        self.console.show_cursor(True)

    def _picture(self, now: Progress) -> Table:
        from rich.table import Table
        from rich.text import Text

        contexts = now.contexts
        done = contexts["succeeded"] + contexts["failed"]
        of = f" of {self.total}" if self.total is not None else ""
        table = Table.grid(padding=(0, 2))
        said = f"{done}{of} contexts done, {contexts['failed']} failed, {contexts['open']} open"
        expected = left(now, self.total)
        said += f", {expected}" if expected else ""
        table.add_row(Text(f"{now.elapsed:.1f} s", style="bold"), Text(said))
        busy = sorted(now.operations.items(), key=lambda pair: pair[1].completed - pair[1].dispatched)
        for instance, counts in busy[:OPERATIONS]:
            said = f"{counts.completed} done of {counts.dispatched}"
            said += f", {counts.failed} failed" if counts.failed else ""
            said += f", {counts.retried} retried" if counts.retried else ""
            table.add_row(Text(""), Text(visible(instance)), Text(said))
        if len(busy) > OPERATIONS:
            table.add_row(Text(""), Text(f"… and {len(busy) - OPERATIONS} operations more"))
        return table
