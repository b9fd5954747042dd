"""The report as Markdown: a table for each workload, the figures of the probes, the goals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.goals import MIB
from benchmarks.store.goals import verdicts
from benchmarks.store.meter import ROLES
from benchmarks.store.sessions import Sample
from benchmarks.store.summary import Row, Summary
from benchmarks.store.workloads import WORKLOADS
from benchmarks.table import line

HEAD = (
    "system", "n", "runs", "operations/s (range)", "CPU µs / operation = client + server + workers", "wall s",
    "p50 ms", "p99 ms", "memory MiB", "others",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """Everything that one run of the benchmark found out."""

    machine: Mapping[str, str]
    load: Mapping[str, str]
    """begin and end → load averages."""
    server: str
    """What the store was."""
    peers: str
    """Why there are no figures of some other engines; empty when there are of all."""
    samples: Sequence[Sample]
    figures: Mapping[str, Mapping[str, float]]
    failures: Sequence[str]


def render(report: Report) -> str:
    """The whole report."""
    summary = Summary(report.samples)
    parts = [_heading(report), *_workloads(summary), _figures(report), _goals(report, summary), *_failures(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(report: Report) -> str:
    machine = report.machine
    lines = [
        f"{machine['date']}; {machine['processor']}, {machine['memory']}; {machine['system']}; {machine['python']}.",
        f"Store: {report.server}.",
        f"Load averages at the beginning {report.load['begin']}, at the end {report.load['end']}.",
    ]
    if report.peers:
        lines.append(f"Other engines: {report.peers}.")
    return "\n".join(lines)


def _workloads(summary: Summary) -> Iterable[str]:
    for name, workload in WORKLOADS.items():
        rows = [
            row for n in sorted({row.n for row in summary.rows if row.workload == name}) for row in summary.of(name, n)
        ]
        if rows:
            lines = [line(HEAD), line(["---"] * len(HEAD)), *(line(_cells(row)) for row in rows)]
            yield "\n".join([f"**{name}**: {workload.title}", "", *lines])


def _cells(row: Row) -> list[str]:
    costs = " + ".join(f"{row.roles[role] * 1e6:,.0f}" for role in ROLES)
    trips = ["" if value is None else f"{value * 1e3:.2f}" for value in (row.p50, row.p99)]
    return [
        row.system, f"{row.n:,}", str(row.runs), f"{row.rate:,.0f} ({row.slowest:,.0f}–{row.fastest:,.0f})",
        f"{row.cost * 1e6:,.0f} = {costs}", f"{row.wall:.3g}", *trips,
        f"{sum(row.resident.values()) / MIB:,.0f}", f"{row.others:.0%}",
    ]  # fmt: skip


def _figures(report: Report) -> str:
    if not report.figures:
        return ""
    rows = [(probe, name, f"{value:,.4g}") for probe, found in report.figures.items() for name, value in found.items()]
    return "\n".join(line(row) for row in (("probe", "figure", "measured"), ["---"] * 3, *rows))


def _goals(report: Report, summary: Summary) -> str:
    found = verdicts(summary, report.figures)
    if not found:
        return ""
    rows = [[each.goal, each.measured, "met" if each.met else "**not met**"] for each in found]
    return "\n".join(line(row) for row in (["goal", "measured", ""], ["---"] * 3, *rows))


def _failures(report: Report) -> Iterable[str]:
    if report.failures:
        yield "\n".join(f"- Failed: {each}" for each in report.failures)
