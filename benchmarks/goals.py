"""What is wanted of the figures, and whether this run has it.

A goal is judged only where its cells were run. None of them fails the benchmark: a busy machine is not a defect; the
tests hold what must always hold by counting steps (`tests/benchmarks`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.catalogue import TIDEMILL
from benchmarks.summary import Summary

MIB = 1 << 20


@dataclass(frozen=True)
class Verdict:
    """One goal, what was measured for it, and whether that is enough."""

    goal: str
    measured: str
    met: bool


Goal = Callable[[Summary], Iterator[Verdict]]


def faster(case: str, n: int, times: float) -> Goal:
    """At least so many times DFFML's units per CPU second."""

    def judge(summary: Summary) -> Iterator[Verdict]:
        row = summary.row(case, TIDEMILL, n)
        ratio = summary.ratio(row) if row else None
        if ratio is not None:
            yield Verdict(f"{case}, n = {n:,}: at least {times:,g} × DFFML", f"{ratio:,.1f} ×", ratio >= times)

    return judge


def linear(case: str, small: int, large: int, times: float = 1.3) -> Goal:
    """One unit costs nearly the same at both sizes."""

    def judge(summary: Summary) -> Iterator[Verdict]:
        less, more = summary.row(case, TIDEMILL, small), summary.row(case, TIDEMILL, large)
        if less and more and not less.problem and not more.problem and less.cpu:
            grown = more.cost / less.cost
            text = f"{case}: one {large:,} costs at most {times:g} × one of {small:,}"
            yield Verdict(text, f"{grown:.2f} ×", grown <= times)

    return judge


def early(case: str, n: int, share: float) -> Goal:
    """The first result comes within this share of the whole time."""

    def judge(summary: Summary) -> Iterator[Verdict]:
        row = summary.row(case, TIDEMILL, n)
        if row and not row.problem:
            part = row.first / row.wall
            yield Verdict(
                f"{case}, n = {n:,}: first result within {share:.0%} of the run", f"{part:.2%}", part <= share
            )

    return judge


def flat(case: str, small: int, large: int, mebibytes: int) -> Goal:
    """The larger size needs hardly more memory."""

    def judge(summary: Summary) -> Iterator[Verdict]:
        less, more = summary.row(case, TIDEMILL, small), summary.row(case, TIDEMILL, large)
        if less and more and not less.problem and not more.problem:
            added = (more.memory - less.memory) / MIB
            text = f"{case}: {large:,} need at most {mebibytes} MiB more than {small:,}"
            yield Verdict(text, f"{added:+.1f} MiB", added <= mebibytes)

    return judge


GOALS = (
    faster("chains", 1000, 10),
    faster("chains-functions", 1000, 10),
    faster("fan", 1000, 1000),
    linear("fan", 100, 10_000),
    linear("product", 50, 300),
    linear("ancestry", 1000, 10_000),
    linear("contexts", 1000, 100_000),
    early("contexts", 100_000, 0.01),
    flat("contexts", 1000, 100_000, 16),
)
HELP_SECONDS = 0.3
"""`tidemill --help` takes no longer than this."""


def verdicts(summary: Summary, help_seconds: float | None) -> list[Verdict]:
    """Every goal whose cells were run; `help_seconds` is the wall time of `tidemill --help`, if it was taken."""
    found = [verdict for goal in GOALS for verdict in goal(summary)]
    if help_seconds is not None:
        text = f"`tidemill --help` within {HELP_SECONDS:g} s"
        found.append(Verdict(text, f"{help_seconds:.2f} s", help_seconds <= HELP_SECONDS))
    return found
