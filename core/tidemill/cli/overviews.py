"""How `watch` shows what a store is at: a picture on a terminal, lines where something changed, or JSON lines.

Neighbours: `watch`, which looks; `backends.redis.overview`, what is seen.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.cli.errors import one_line, visible
from tidemill.formats.values import as_json
from tidemill.metrics.remaining import shown_seconds

if TYPE_CHECKING:
    from rich.table import Table

    from tidemill.backends.redis.overview import Overview

__all__ = ["Shown", "report", "shown"]

ROWS = 20
"""Operations and contexts that a picture shows at most, each."""


class Shown(Protocol):
    """Shows overviews and ends; ``kind`` says how."""

    kind: str

    def show(self, overview: Overview) -> None:
        """Show what a store is at."""
        ...

    def ended(self, name: str, failure: str | None) -> None:
        """Show that a context has ended; ``failure`` is the reason if it has failed."""
        ...


@contextlib.contextmanager
def shown(output: str, *, once: bool) -> Iterator[Shown]:
    """Give what shows overviews; ``output`` is auto, lines or jsonl."""
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    if output == "jsonl":
        yield _JsonLines()
    elif output == "auto" and terminal and not once:
        with _live() as live:
            yield live
    else:
        yield _Lines()


def report(overview: Overview) -> dict[str, Any]:
    """Return an overview as plain data; operations of one name in several plans are told apart by ``plan``."""
    return {
        "contexts": overview.contexts,
        "workers": overview.workers,
        "slots": overview.slots,
        "seconds_left": overview.left,
        "pools": {
            pool: {"ready": overview.ready.get(pool, 0), "processes": overview.serving.get(pool, 0)}
            for pool in sorted({*overview.ready, *overview.serving})
        },
        "operations": [
            {"operation": one.instance, "plan": one.plan, "pool": one.pool, **asdict(one.counts)}
            for one in overview.operations
        ],
        "waits": [asdict(wait) for wait in overview.waits()],
        "open": [asdict(state) for state in overview.states],
        "all_open_looked_at": overview.whole,
    }


def _summary(overview: Overview) -> list[str]:
    contexts = overview.contexts
    ready = ", ".join(f"{count} ready in {one_line(pool)}" for pool, count in overview.ready.items() if count)
    first = f"contexts: {contexts['open']} open, {contexts['succeeded']} succeeded, {contexts['failed']} failed; "
    first += f"{overview.workers} worker{'' if overview.workers == 1 else 's'}" + (f"; {ready}" if ready else "")
    if overview.left is not None:
        first += f"; about {shown_seconds(overview.left)} left"
    waits = [f"  waiting: {wait.reason}: {wait.many}: {one_line(wait.said)}" for wait in overview.waits()]
    if not overview.whole:
        waits.append(f"  {overview.looked:,} of the open contexts, children too, were looked at one by one, not all")
    return [first, *waits]


def _operations(overview: Overview) -> list[tuple[str, ...]]:
    """Return the cells of the operations with the most work left."""
    busy = sorted(overview.operations, key=lambda one: one.counts.completed + one.counts.failed - one.counts.dispatched)
    rows = []
    for one in busy[:ROWS]:
        counts = one.counts
        numbers = (counts.taken, counts.dispatched, counts.leased, counts.completed, counts.failed, counts.retried)
        rows.append((one_line(one.instance), *map(str, numbers)))
    return rows


HEADER = ("operation", "taken", "dispatched", "leased", "completed", "failed", "retried")


class _JsonLines:
    kind = "jsonl"

    def show(self, overview: Overview) -> None:
        sys.stdout.write(as_json(report(overview)) + "\n")
        sys.stdout.flush()

    def ended(self, name: str, failure: str | None) -> None:
        status = {"status": "succeeded"} if failure is None else {"status": "failed", "failure": failure}
        sys.stdout.write(as_json({"context": name, **status}) + "\n")
        sys.stdout.flush()


class _Lines:
    kind = "lines"

    def __init__(self) -> None:
        self.before: list[str] = []

    def show(self, overview: Overview) -> None:
        lines = _summary(overview)
        for name, *numbers in _operations(overview):
            said = ", ".join(f"{n} {word}" for n, word in zip(numbers, HEADER[1:], strict=True) if n != "0")
            lines.append(f"  {name}: {said}")
        if lines != self.before:
            self.before = lines
            sys.stdout.write(visible("\n".join(lines)) + "\n")
            sys.stdout.flush()

    def ended(self, name: str, failure: str | None) -> None:
        sys.stdout.write(f"{one_line(name)}: {'ok' if failure is None else f'failed: {failure}'}\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _live() -> Iterator[_Live]:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        yield _Live(live)


class _Live:
    kind = "live"

    def __init__(self, live: Any) -> None:
        self.live = live

    def show(self, overview: Overview) -> None:
        from rich.console import Group
        from rich.text import Text

        parts: list[Any] = [Text(line, style="yellow" if at else "bold") for at, line in enumerate(_summary(overview))]
        if overview.operations:
            parts.append(self._table(HEADER, _operations(overview), len(overview.operations)))
        states = [state for state in overview.states if not state.child]
        cells = [
            (
                one_line(state.name),
                state.stage,
                str(state.taken),
                str(state.open),
                str(state.leased),
                str(state.waiting),
            )
            for state in states[:ROWS]
        ]
        if cells:
            header = ("context", "stage", "taken", "not ended", "leased", "waiting for locks")
            parts.append(self._table(header, cells, len(states)))
        self.live.update(Group(*parts), refresh=True)

    def _table(self, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], of: int) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(caption=f"… and {of - len(rows)} more" if of > len(rows) else None)
        for at, word in enumerate(header):
            table.add_column(word, justify="left" if at == 0 else "right")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        return table

    def ended(self, name: str, failure: str | None) -> None:
        from rich.text import Text

        said = "ok" if failure is None else f"failed: {failure}"
        self.live.console.print(Text(f"{one_line(name)}: {said}"), soft_wrap=True)
