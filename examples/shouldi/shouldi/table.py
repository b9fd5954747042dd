"""The results of a run for people: a table on a terminal, plain lines elsewhere, from the same rows.

A row is what `run.py` keeps of one context: the request, the verdict (of `conclude` or `give_up`), and the reasons.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from shouldi import security, verdict
from shouldi.verdict import Reason

COLUMNS = ("package", "verdict", "licence", "bandit H/M/L", "complexity", "vulnerabilities", "from")
FAILED = "failed"
_STYLES = {verdict.YES: "green", verdict.MAYBE: "yellow", verdict.NO: "bold red"}


@dataclass(frozen=True)
class Row:
    """One package's outcome: `verdict` is the word, `said` all that was concluded, `reasons` the gravest first."""

    package: str
    verdict: str
    said: dict[str, Any] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The row as plain data, for `--json`."""
        plain = {"package": self.package, "verdict": self.verdict, "reasons": self.reasons}
        return {**self.said, **plain, "seconds": round(self.seconds, 3)}


def row_of(package: str, result: dict[str, Any], seconds: float) -> Row:
    """The row of a context that succeeded with `result`, after `seconds`."""
    said = dict(result["verdict"][-1])
    return Row(package, said["verdict"], said, list(result.get("reasons") or ()), seconds)


def failed_row(package: str, why: str, seconds: float) -> Row:
    """The row of a context that failed: some operation did, and `why` says which."""
    return Row(package, FAILED, {}, [verdict.reason(verdict.UNKNOWN, "run", why)], seconds)


def cells(row: Row) -> tuple[str, ...]:
    """What stands in each of `COLUMNS`."""
    said = row.said
    if "metadata" not in said:
        return (row.package, row.verdict, "-", "-", "-", "-", "-")
    worst = said["complexity"]["worst"]
    average = said["complexity"]["average"]
    return (
        f"{said['name']} {said['version']}",
        row.verdict,
        said["metadata"]["licence"],
        "/".join(str(sum(said["security"]["counts"][level].values())) for level in security.LEVELS),
        "-" if average is None else f"{said['complexity']['rank']} {average:.1f}, worst {_block(worst)}",
        _known(said["vulnerabilities"]),
        said["source"],
    )


def _block(worst: Sequence[dict[str, Any]]) -> str:
    return f"{worst[0]['rank']} {worst[0]['complexity']}" if worst else "-"


def _known(said: dict[str, Any]) -> str:
    return (str(len(said["found"])) if said["found"] else "none") if said["known"] else "unknown"


def as_table(rows: Iterable[Row]) -> Table:
    """The rows as a table for a terminal, the reasons below each package."""
    table = Table(title="Should I install it?", show_lines=False, expand=False)
    for name in COLUMNS:
        table.add_column(name, no_wrap=name == "package", overflow="fold")
    for row in rows:
        style = _STYLES.get(row.verdict, "magenta")
        texts = [Text(cell) for cell in cells(row)]
        texts[1].stylize(style)
        table.add_row(*texts)
    return table


def as_lines(rows: Sequence[Row]) -> list[str]:
    """The rows as plain text, in columns, without colour."""
    lines = [COLUMNS, *(cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def reason_lines(rows: Iterable[Row], *, notes: bool = False) -> list[str]:
    """Every reason of every row, one a line; those that change nothing only with `notes`."""
    lines = []
    for row in rows:
        kept = [said for said in row.reasons if notes or said["level"] != verdict.NOTE]
        if kept:
            lines.append(f"{cells(row)[0]}: {row.verdict}")
            lines += [f"  {said['level']:<8}{said['check']}: {printable(said['text'])}" for said in kept]
    return lines


def printable(text: str) -> str:
    """`text` without control characters: it comes out of packages, and may end on a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
