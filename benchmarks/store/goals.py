"""What is wanted of the figures over a store, and whether this run has it.

A goal is judged only where what it compares was measured in the same run. None of them fails the benchmark: a busy
machine is not a defect.
"""

from collections.abc import Callable, Iterator, Mapping

from benchmarks.goals import MIB, Verdict
from benchmarks.store.peers import FLOOR
from benchmarks.store.plan import DURABLE, OURS, TIDEMILL
from benchmarks.store.summary import Row, Summary

Figures = Mapping[str, Mapping[str, float]]
Goal = Callable[[Summary, Figures], Iterator[Verdict]]


def _peers(summary: Summary, workload: str) -> list[Row]:
    return [row for row in summary.of(workload) if row.system not in (*OURS, FLOOR)]


def faster(workload: str, times: float) -> Goal:
    """At least so many times the rate of the fastest peer."""

    def judge(summary: Summary, figures: Figures) -> Iterator[Verdict]:
        own, peers = summary.row(workload, TIDEMILL), _peers(summary, workload)
        if own and peers:
            ratio = own.rate / peers[0].rate
            goal = (
                f"{workload}: at least {times:g} × the fastest peer"
                if times > 1
                else f"{workload}: ahead of every peer"
            )
            yield Verdict(goal, f"{ratio:.2f} × {peers[0].system}", ratio >= times)

    return judge


def no_dearer(workload: str, other: str, times: float) -> Goal:
    """At most so many times the CPU of another system for an operation."""

    def judge(summary: Summary, figures: Figures) -> Iterator[Verdict]:
        own, base = summary.row(workload, TIDEMILL), summary.row(workload, other)
        if own and base:
            ratio = own.cost / base.cost
            yield Verdict(
                f"{workload}: CPU of an operation at most {times:g} × {other}", f"{ratio:.2f} ×", ratio <= times
            )

    return judge


def durable(workload: str, share: float) -> Goal:
    """With everything on the disk before it is acknowledged, at least this share of the rate."""

    def judge(summary: Summary, figures: Figures) -> Iterator[Verdict]:
        own, safe = summary.row(workload, TIDEMILL), summary.row(workload, DURABLE)
        if own and safe:
            ratio = safe.rate / own.rate
            yield Verdict(f"{workload}, AOF always: at least {share:.0%} of the rate", f"{ratio:.0%}", ratio >= share)

    return judge


def latency(times: float, p99: float) -> Goal:
    """A chain on an idle system: how long it takes, typically and at worst."""

    def judge(summary: Summary, figures: Figures) -> Iterator[Verdict]:
        own, floor = summary.row("latency", TIDEMILL), summary.row("latency", FLOOR)
        if own and own.p50 and floor and floor.p50:
            ratio = own.p50 / floor.p50
            yield Verdict(f"latency: p50 at most {times:g} × {FLOOR}", f"{ratio:.2f} ×", ratio <= times)
        if own and own.p99:
            yield Verdict(f"latency: p99 at most {p99 * 1e3:g} ms", f"{own.p99 * 1e3:.1f} ms", own.p99 <= p99)

    return judge


def level(workload: str, share: float) -> Goal:
    """The same rate at every size."""

    def judge(summary: Summary, figures: Figures) -> Iterator[Verdict]:
        rows = sorted(
            (row for row in summary.rows if row.workload == workload and row.system == TIDEMILL), key=lambda row: row.n
        )
        if len(rows) > 1:
            middle = sum(row.rate for row in rows) / len(rows)
            worst = max(abs(row.rate / middle - 1) for row in rows)
            sizes = ", ".join(f"{row.n:,}" for row in rows)
            yield Verdict(
                f"{workload}: rate within ± {share:.0%} at {sizes} contexts", f"± {worst:.1%}", worst <= share
            )

    return judge


def figure(
    probe: str, name: str, goal: str, limit: float, unit: str = "", scale: float = 1.0, least: bool = False
) -> Goal:
    """A figure of a probe within a limit, which is an upper one unless `least`. `scale` makes its unit."""

    def judge(summary: Summary, figures: Figures) -> Iterator[Verdict]:
        value = figures.get(probe, {}).get(name)
        if value is not None:
            met = value >= limit if least else value <= limit
            yield Verdict(f"{probe}: {goal}", f"{value / scale:,.4g}{unit}", met)

    return judge


GOALS: tuple[Goal, ...] = (
    faster("chains", 8),
    no_dearer("chains", FLOOR, 3),
    durable("chains", 0.6),
    latency(3, 0.010),
    faster("fan", 1),
    faster("io", 1),
    faster("cpu", 1),
    no_dearer("payload", "dask_distributed", 1),
    level("chains", 0.15),
    figure("vast", "bytes more", "at most 64 MiB more in the store", 64 * MIB, " MiB", MIB),
    figure("vast", "slow calls", "no call of the server above 5 ms", 0, " of them"),
    figure("vast", "kept", "other contexts keep at least 80% of their rate", 0.8, " %", 0.01, least=True),
    figure("endings", "bytes each", "at most 1 KiB for a context that has ended", 1024, " bytes"),
    figure("inputs", "bytes an input", "at most 400 bytes for a small input", 400, " bytes"),
    figure("idle", "largest bytes", "at most 60 MiB for a process of a worker", 60 * MIB, " MiB", MIB),
    figure("idle", "cpu share", "less than 1% of a core for a worker", 0.01, " %", 0.01),
)


def verdicts(summary: Summary, figures: Figures) -> list[Verdict]:
    """Every goal that can be judged."""
    return [verdict for goal in GOALS for verdict in goal(summary, figures)]
