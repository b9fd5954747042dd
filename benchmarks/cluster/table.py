"""The report as Markdown: what was measured, and whether that is what is wanted."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.goals import Verdict
from benchmarks.table import line as cells


@dataclass
class Report:
    """Everything that one run has found out; what was not measured is empty."""

    machine: Mapping[str, str]
    load: dict[str, str] = field(default_factory=dict)
    """begin and end → load averages."""
    rate: Mapping[str, Any] = field(default_factory=dict)
    latency: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, float] = field(default_factory=dict)


def render(report: Report) -> str:
    """The whole report."""
    machine = report.machine
    heading = (
        f"{machine['date']}; {machine['processor']}, {machine['memory']}; {machine['system']}; {machine['python']}.\n"
        f"Load averages at the beginning {report.load['begin']}, at the end {report.load['end']}."
    )
    rows = [line("what", "n", "median (range)"), line("---", "---", "---"), *_rows(report)]
    goals = [line(one.goal, one.measured, "met" if one.met else "**not met**") for one in verdicts(report)]
    wanted = [line("goal", "measured", ""), line("---", "---", "---"), *goals]
    return "\n\n".join([heading, "\n".join(rows), "\n".join(wanted)]) + "\n"


def line(*texts: str) -> str:
    """One row of a table."""
    return cells(texts)


def _rows(report: Report) -> Iterator[str]:
    said = report.rate
    if said:
        sizes = f"{said['workers']} workers of one runner and {said['slots']} slots, {said['contexts']:,} contexts"
        for where in ("outside", "inside"):
            yield line(f"parameter sets / s, {where}: {sizes}", str(len(said[where])), _range(said[where], ",.0f"))
    for name, title in (
        ("warm", "`kubectl apply` to `Succeeded`, a worker waits: s"),
        ("cold", "the same without a worker: s"),
        ("pod", "of these from the pod's creation until it is ready: s"),
    ):
        if report.latency:
            yield line(title, str(len(report.latency[name])), _range(report.latency[name], ".2f"))
    if report.objects:
        many = f"{report.objects['objects']:,.0f}"
        yield line("memory of the operator: MiB", many, f"{report.objects['memory_mib']:.0f}")
        yield line("processor time of the operator while nothing happens", many, f"{report.objects['idle_cpu']:.2%}")


def _range(values: Sequence[float], form: str) -> str:
    low, middle, high = (format(one, form) for one in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}–{high})"


def verdicts(report: Report) -> Iterator[Verdict]:
    """What is wanted of the figures that there are."""
    if report.rate:
        ratio = report.rate["ratio"]
        yield Verdict("inside at least 70 % of the rate outside, same run", f"{ratio:.0%}", ratio >= 0.7)
    if report.latency:
        warm = statistics.median(report.latency["warm"])
        yield Verdict("with a worker that waits p50 at most 1.5 s", f"{warm:.2f} s", warm <= 1.5)
        pairs = zip(report.latency["cold"], report.latency["pod"], strict=True)
        more = statistics.median(all_ - pod for all_, pod in pairs)
        yield Verdict("without one at most 2 s more than its pod needs", f"{more:.2f} s", more <= 2)
    if report.objects:
        said = report.objects
        yield Verdict("operator: at most 150 MiB", f"{said['memory_mib']:.0f} MiB", said["memory_mib"] <= 150)
        yield Verdict("operator: at most 1 % of a processor", f"{said['idle_cpu']:.2%}", said["idle_cpu"] <= 0.01)
