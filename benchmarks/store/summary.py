"""The runs of each workload in each system taken together: medians."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.store.meter import ROLES
from benchmarks.store.sessions import Sample


@dataclass(frozen=True)
class Row:
    """All runs of one workload in one system at one size; medians."""

    system: str
    workload: str
    n: int
    runs: int
    rate: float
    """Operations per second that two quiet cores could do at most, as the CPU time goes."""
    slowest: float
    fastest: float
    cost: float
    """CPU seconds of an operation."""
    roles: dict[str, float]
    """Those of client, server and workers."""
    wall: float
    p50: float | None
    p99: float | None
    resident: dict[str, int]
    others: float


class Summary:
    """The rows of one run of the benchmark. Runs that gave no result are left out."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        groups: dict[tuple[str, str, int], list[Sample]] = {}
        for sample in samples:
            if not sample.problem:
                groups.setdefault((sample.workload, sample.system, sample.n), []).append(sample)
        self.rows = [_row(group) for group in groups.values()]

    def of(self, workload: str, n: int | None = None) -> list[Row]:
        """The rows of a workload, the fastest first. Without a size: of the size that most systems have run."""
        rows = [row for row in self.rows if row.workload == workload]
        sizes = [row.n for row in rows]
        wanted = n if n is not None else max(sizes, key=sizes.count, default=0)
        return sorted((row for row in rows if row.n == wanted), key=lambda row: -row.rate)

    def row(self, workload: str, system: str, n: int | None = None) -> Row | None:
        """One row, if that has run."""
        return next((row for row in self.of(workload, n) if row.system == system), None)


def _row(samples: list[Sample]) -> Row:
    first, median = samples[0], statistics.median
    rates = [each.operations / each.bound for each in samples]
    roles = {role: median(each.roles[role] for each in samples) / first.operations for role in ROLES}
    return Row(
        system=first.system,
        workload=first.workload,
        n=first.n,
        runs=len(samples),
        rate=median(rates),
        slowest=min(rates),
        fastest=max(rates),
        cost=median(sum(each.roles.values()) for each in samples) / first.operations,
        roles=roles,
        wall=median(each.wall for each in samples),
        p50=_median(each.p50 for each in samples),
        p99=_median(each.p99 for each in samples),
        resident={role: max(each.resident[role] for each in samples) for role in ROLES},
        others=median(each.others for each in samples),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
