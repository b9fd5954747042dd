"""What a run prints on standard output: a table, JSON, or JSON lines, each as contexts end.

Neighbours: `running` hands over the outcomes, `formats.values` makes text of what is in them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.cli.errors import one_line
from tidemill.errors import shown
from tidemill.formats.values import as_json, as_text, jsonable

if TYPE_CHECKING:
    from tidemill.orchestrator.outcome import Outcome

__all__ = ["FAILURES_SHOWN", "Printer", "failure_text", "printer", "record_of"]

FAILURES_SHOWN = 10
"""Failures that are written out; a summary counts them all. With ``-v`` all are."""

TABLE_ROWS = 1000
"""Rows that a table gathers before it is printed; more make several tables, so that memory stays bounded."""

TABLE_COLUMNS = 12
CELL = 60
_STATUS = {"succeeded": "ok"}


class Printer(Protocol):
    """Prints records as `record_of` makes them; `close` prints what is still to come."""

    def put(self, record: dict[str, Any], place: int) -> None:
        """Print a record, or keep it for the next table; ``place`` is that of its context among those given."""
        ...

    def close(self) -> None:
        """Finish the output."""
        ...


def printer(kind: str) -> Printer:
    """Return the printer for ``table``, ``json`` or ``jsonl``."""
    made: dict[str, type[_Table | _Json | _JsonLines]] = {"table": _Table, "json": _Json, "jsonl": _JsonLines}
    return made[kind]()


def record_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data: ``context``, ``status``, ``result``, and what failed or was noted."""
    record: dict[str, Any] = {
        "context": outcome.name,
        "status": "failed" if outcome.failure is not None else "succeeded",
        "result": jsonable(outcome.result),
    }
    if outcome.failure is not None:
        record["failure"] = _failure(outcome.failure)
    elif outcome.failures:
        record["failures"] = [_failure(failure) for failure in outcome.failures]
    if outcome.notes:
        record["notes"] = list(outcome.notes)
    return record


def _failure(failure: Any) -> dict[str, Any]:
    return {
        "reason": failure.reason,
        "path": failure.path,
        "message": failure.message,
        "instance": failure.instance,
        "operation": failure.operation,
        "inputs": jsonable(failure.inputs),
    }


class _JsonLines:
    """One line of JSON for each context, as soon as it has ended."""

    def put(self, record: dict[str, Any], place: int) -> None:
        sys.stdout.write(as_json(record) + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        sys.stdout.flush()


class _Json:
    """One array with an object for each context, written as they end."""

    def __init__(self) -> None:
        self.separator = "["

    def put(self, record: dict[str, Any], place: int) -> None:
        sys.stdout.write(f"{self.separator}\n  {as_json(record)}")
        sys.stdout.flush()
        self.separator = ","

    def close(self) -> None:
        sys.stdout.write("[]\n" if self.separator == "[" else "\n]\n")
        sys.stdout.flush()


class _Table:
    """A table with one row for each context; results that are mappings have a column for each key."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str, Any]] = []

    def put(self, record: dict[str, Any], place: int) -> None:
        status = _STATUS.get(record["status"], record["status"])
        if "failure" in record:
            status += f": {record['failure']['reason']}"
        self.rows.append((place, record["context"], status, record.get("result")))
        if len(self.rows) >= TABLE_ROWS:
            self.close()

    def close(self) -> None:
        if self.rows:
            self.rows.sort(key=lambda row: row[0])
            header, rows = _columns([row[1:] for row in self.rows])
            if sys.stdout.isatty():
                self._rich(header, rows)
            else:
                self._plain(header, rows)
            self.rows = []
        sys.stdout.flush()

    def _plain(self, header: list[str], rows: list[list[str]]) -> None:
        widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
        for row in (header, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write("  ".join(cells).rstrip() + "\n")

    def _rich(self, header: list[str], rows: list[list[str]]) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for name in header:
            table.add_column(Text(name))
        for row in rows:
            style = "red" if row[1].startswith("failed") else None
            table.add_row(*(Text(cell) for cell in row), style=style)
        Console(file=sys.stdout).print(table)


def _columns(rows: list[tuple[str, str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the cells of every row."""
    results = [result for _, _, result in rows if result is not None]
    keys: dict[str, None] = {}
    for result in results:
        keys.update(dict.fromkeys(result if isinstance(result, dict) else ()))
    if len(keys) > TABLE_COLUMNS or not all(isinstance(result, dict) for result in results):
        cells = [[name, status, "" if result is None else as_json(result)] for name, status, result in rows]
        header = ["context", "status", "result"]
    else:
        cells = [
            [name, status, *(as_text(result[key]) if result and key in result else "" for key in keys)]
            for name, status, result in rows
        ]
        header = ["context", "status", *keys]
    return [_cell(name) for name in header], [[_cell(cell) for cell in row] for row in cells]


def _cell(text: str) -> str:
    safe = one_line(text)
    return safe if len(safe) <= CELL else safe[: CELL - 1] + "…"


def failure_text(context: str, failure: Any, level: int) -> str:
    """Return the block that says what failed, with which inputs, and why."""
    lines = [f"failed: {one_line(context)}"]
    if failure.instance:
        named = "" if failure.operation == failure.instance else f" ({failure.operation})"
        lines.append(one_line(f"  operation: {failure.instance}{named}"))
    if failure.inputs:
        lines.append("  inputs: " + ", ".join(f"{name}={shown(value, 60)}" for name, value in failure.inputs.items()))
    where = f" at {failure.path}" if failure.path and not failure.instance else ""
    lines += [f"  {line}" for line in f"{failure.reason}{where}: {failure.message}".splitlines()]
    if failure.traceback and level >= 1:
        lines += [f"  | {line}" for line in failure.traceback.rstrip().splitlines()]
    return "\n".join(lines)
