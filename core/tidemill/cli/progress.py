"""How far a run is: a live picture on a terminal, at most one plain line a second elsewhere; always on standard error.

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

__all__ = ["Display", "display", "summary"]

LIVE_SECONDS = 0.125
PLAIN_SECONDS = 1.0
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


def display(mode: str, *, quiet: bool, total: int | None) -> Display:
    """Return the display for ``auto``, ``on`` or ``off``; ``total`` is the number of contexts, where it is known."""
    if mode == "off" or (mode == "auto" and quiet):
        return _Silent()
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return _Live(total) if terminal else _Plain(total)


def summary(progress: Progress) -> str:
    """Return one line that says what a run has done."""
    contexts = progress.contexts
    done = contexts["succeeded"] + contexts["failed"]
    parts = [f"{contexts['succeeded']} succeeded", f"{contexts['failed']} failed"]
    if contexts["open"]:
        parts.append(f"{contexts['open']} not finished")
    runs = sum(each.completed + each.failed for each in progress.operations.values())
    noun = "context" if done == 1 else "contexts"
    operations = "1 operation" if runs == 1 else f"{runs} operations"
    return f"{done} {noun}: {', '.join(parts)}; {operations} run in {progress.elapsed:.1f} s"


class _Silent:
    async def show(self, progress: Any) -> None:
        await asyncio.Event().wait()

    def write(self, text: str) -> None:
        say(text)


class _Plain:
    def __init__(self, total: int | None) -> None:
        self.total = total

    async def show(self, progress: Any) -> None:
        while True:
            await asyncio.sleep(PLAIN_SECONDS)
            now = progress()
            contexts = now.contexts
            done = contexts["succeeded"] + contexts["failed"]
            of = f" of {self.total}" if self.total is not None else ""
            leased = sum(each.leased - each.completed - each.failed - each.retried for each in now.operations.values())
            say(f"{now.elapsed:.0f} s: {done}{of} contexts done, {contexts['failed']} failed, "
                f"{contexts['open']} open, {max(leased, 0)} operations running")  # fmt: skip

    def write(self, text: str) -> None:
        say(text)


class _Live:
    def __init__(self, total: int | None) -> None:
        from rich.console import Console

        self.total = total
        self.console = Console(stderr=True, highlight=False)

    async def show(self, progress: Any) -> None:
        from rich.live import Live

        # Results that go to the same terminal pass through the console, above the picture; results that go
        # to a file or a pipe stay untouched.
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

    def _picture(self, now: Progress) -> Table:
        from rich.table import Table
        from rich.text import Text

        contexts = now.contexts
        done = contexts["succeeded"] + contexts["failed"]
        of = f" of {self.total}" if self.total is not None else ""
        table = Table.grid(padding=(0, 2))
        said = f"{done}{of} contexts done, {contexts['failed']} failed, {contexts['open']} open"
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
