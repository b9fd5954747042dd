"""What each workload means, how many operations it counts, and the checksum of a right run; the peers' are the same."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """One kind of run."""

    title: str
    operations: Callable[[int], int]
    """How many a run of a size counts. What only reads results counts for nothing."""
    size: int
    """The size of a run, unless told otherwise."""
    expected: Callable[[int], int]
    """The checksum over the results."""


def _sum(n: int) -> int:
    return n * (n - 1) // 2


WORKLOADS = {
    "queue": Workload("n independent no-ops", lambda n: n, 3000, lambda n: _sum(n) + n),
    "chains": Workload("n contexts, each a → b → c of no-ops", lambda n: 3 * n, 1000, lambda n: _sum(n) + 3 * n),
    "direct": Workload("chains in which c is an output operation", lambda n: 3 * n, 1000, lambda n: _sum(n) + 3 * n),
    "fan": Workload(
        "one operation gives n items, one maps each, one reduces", lambda n: n + 2, 1000, lambda n: 2 * _sum(n)
    ),
    "latency": Workload(
        "n chains, one after another, on an idle system", lambda n: 3 * n, 200, lambda n: _sum(n) + 3 * n
    ),
    "io": Workload("n waits of 10 ms, 100 at once in each worker", lambda n: n, 2000, _sum),
    "cpu": Workload("n operations of about 5 ms of CPU", lambda n: n, 400, _sum),
    "payload": Workload("n contexts: 1 MiB from operation to operation", lambda n: 2 * n, 200, _sum),
    "product": Workload("one operation over all pairs of n and n values", lambda n: n * n, 60, lambda n: _sum(n) ** 2),
}
"""name → what it is. Each result is collected by the submitter."""
