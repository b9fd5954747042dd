"""The runs of each cell taken together: medians, and the ratios between cells."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.catalogue import DFFML
from benchmarks.processes import Sample


@dataclass(frozen=True)
class Row:
    """All runs of one case in one system at one size. Seconds are medians, memory is the most of any run."""

    case: str
    system: str
    n: int
    runs: int
    units: int
    cpu: float
    fastest: float
    slowest: float
    wall: float
    first: float
    memory: int
    problem: str

    @property
    def cost(self) -> float:
        """CPU seconds of one unit."""
        return self.cpu / self.units

    @property
    def rate(self) -> float:
        """Units per CPU second."""
        return self.units / self.cpu if self.cpu else 0.0


class Summary:
    """The rows of one run of the benchmark."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        groups: dict[tuple[str, str, int], list[Sample]] = {}
        for sample in samples:
            groups.setdefault((sample.case, sample.system, sample.n), []).append(sample)
        self._rows = {key: _row(group) for key, group in groups.items()}

    def rows(self, case: str) -> list[Row]:
        """The rows of a case, in the order in which they were first run."""
        return [row for (name, _, _), row in self._rows.items() if name == case]

    def row(self, case: str, system: str, n: int) -> Row | None:
        """One row, if that cell has run."""
        return self._rows.get((case, system, n))

    def ratio(self, row: Row) -> float | None:
        """How many times DFFML's units per CPU second, at the same size.

        None when DFFML was not run at this size or died; where it was stopped the ratio is what it is at least, since
        the time until there counts as if everything had been done.
        """
        peer = self.row(row.case, DFFML, row.n)
        if peer is None or row.problem or died(peer) or not row.cpu:
            return None
        return peer.cpu / row.cpu

    def growth(self, row: Row) -> float | None:
        """The cost of one unit here, as a multiple of what it is at the system's smallest size of this case."""
        sizes = [each for each in self.rows(row.case) if each.system == row.system and not each.problem]
        smallest = min(sizes, key=lambda each: each.n, default=None)
        if smallest is None or row.problem or smallest.n == row.n or not smallest.cpu:
            return None
        return row.cost / smallest.cost


def stopped(row: Row) -> bool:
    """Whether it was ended because it took too long."""
    return row.problem.startswith("not done")


def died(row: Row) -> bool:
    """Whether it ended with an error."""
    return bool(row.problem) and not stopped(row)


def _row(samples: list[Sample]) -> Row:
    good = [sample for sample in samples if not sample.problem] or samples
    first = good[0]
    cpu = [sample.cpu for sample in good]
    return Row(
        case=first.case,
        system=first.system,
        n=first.n,
        runs=len(good),
        units=first.units,
        cpu=statistics.median(cpu),
        fastest=min(cpu),
        slowest=max(cpu),
        wall=statistics.median(sample.wall for sample in good),
        first=statistics.median(sample.first for sample in good),
        memory=max(sample.memory for sample in good),
        problem=next((sample.problem for sample in samples if sample.problem), ""),
    )
