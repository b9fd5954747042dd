"""The report as Markdown: one table of all cells, then start-up times, then the goals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.catalogue import DFFML, SYSTEMS, Case
from benchmarks.goals import MIB, verdicts
from benchmarks.processes import Sample
from benchmarks.summary import Row, Summary, died, stopped

HEAD = (
    "case", "n", "system", "runs", "units", "CPU s: median (range)", "CPU µs / unit", "units / CPU s",
    "× DFFML", "unit, × smallest n", "wall s", "first result s", "memory MiB",
)  # fmt: skip
HELP = "tidemill --help"


@dataclass(frozen=True)
class Report:
    """Everything that one run of the benchmark found out."""

    machine: Mapping[str, str]
    load: Mapping[str, str]
    """begin and end → load averages."""
    no_peer: str
    """Why there are no figures of DFFML; empty when there are."""
    samples: Sequence[Sample]
    start_up: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Command → (CPU, wall) seconds of each start."""


def render(report: Report, cases: Iterable[Case]) -> str:
    """The whole report."""
    summary = Summary(report.samples)
    parts = [_heading(report), _cells(report, summary, list(cases)), _starts(report), _goals(report, summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(report: Report) -> str:
    machine = report.machine
    versions = dict.fromkeys(
        f"{each.system} {each.version} on Python {each.python}" for each in report.samples if each.version
    )
    lines = [
        f"{machine['date']}; {machine['processor']}, {machine['memory']}; {machine['system']}; {machine['python']}.",
        f"Load averages at the beginning {report.load['begin']}, at the end {report.load['end']}.",
        f"Measured: {'; '.join(versions) or 'nothing'}.",
    ]
    if report.no_peer:
        lines.append(f"No figures of DFFML: {report.no_peer}.")
    return "\n".join(lines)


def _cells(report: Report, summary: Summary, cases: list[Case]) -> str:
    lines = [line(HEAD), line(["---"] * len(HEAD))]
    for case in cases:
        rows = sorted(summary.rows(case.name), key=lambda row: (row.n, SYSTEMS.index(row.system)))
        lines += [line(_cell(case, row, summary, bool(report.no_peer))) for row in rows]
    titles = [f"- **{case.name}**: {case.title}; one unit is one {case.unit}" for case in cases]
    return "\n".join([*lines, "", *titles])


def _cell(case: Case, row: Row, summary: Summary, no_peer: bool) -> list[str]:
    beginning = [case.name, f"{row.n:,}", row.system, str(row.runs), f"{row.units:,}"]
    if died(row):
        return [*beginning, f"died after {row.cpu:.1f}: {row.problem}", *[""] * (len(HEAD) - len(beginning) - 1)]
    if stopped(row):
        bounds = [f"> {row.cpu:.0f}: {row.problem}", f"> {row.cost * 1e6:,.0f}", f"< {row.rate:,.0f}"]
        return [*beginning, *bounds, *[""] * (len(HEAD) - len(beginning) - len(bounds))]
    ratio, growth = summary.ratio(row), summary.growth(row)
    peer = summary.row(row.case, DFFML, row.n)
    least = "> " if peer and stopped(peer) else ""
    nothing = "no peer" if no_peer else "–"
    return [
        *beginning,
        f"{row.cpu:.4g} ({row.fastest:.4g}–{row.slowest:.4g})",
        f"{row.cost * 1e6:,.1f}",
        f"{row.rate:,.0f}",
        nothing if ratio is None else f"{least}{ratio:,.3g}" if ratio < 100 else f"{least}{ratio:,.0f}",
        "–" if growth is None else f"{growth:.2f}",
        f"{row.wall:.4g}",
        f"{row.first:.3g}",
        f"{row.memory / MIB:.1f}",
    ]


def _starts(report: Report) -> str:
    if not report.start_up:
        return ""
    lines = [line(["start-up", "runs", "CPU s: median", "wall s: median"]), line(["---"] * 4)]
    for command, times in report.start_up.items():
        cpu, wall = (f"{_median([each[at] for each in times]):.3f}" for at in (0, 1))
        lines.append(line([f"`{command}`", str(len(times)), cpu, wall]))
    return "\n".join(lines)


def _goals(report: Report, summary: Summary) -> str:
    times = report.start_up.get(HELP)
    found = verdicts(summary, _median([wall for _, wall in times]) if times else None)
    if not found:
        return ""
    rows = [[each.goal, each.measured, "met" if each.met else "**not met**"] for each in found]
    return "\n".join(line(row) for row in (["goal", "measured", ""], ["---"] * 3, *rows))


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def line(cells: Iterable[str]) -> str:
    """One row of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"
