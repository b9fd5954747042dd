"""The cases: what each one runs, at which sizes in which system, how often, and what is wanted of it.

A full run takes every cell several times, the systems in turn, so that a neighbour on the machine disturbs them alike.
Where a system needs minutes it runs once. `tiny` is the same catalogue with sizes that take no time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

TIDEMILL, DFFML = "tidemill", "dffml"
AWAITS, TASKS = "awaits", "tasks"
SYSTEMS = (DFFML, TIDEMILL, AWAITS, TASKS)
"""Every system there is, in the order of the table. `awaits` and `tasks` are plain asyncio: the floor."""


@dataclass(frozen=True)
class Case:
    """One kind of run."""

    name: str
    title: str
    workload: str
    """The driver's name for it."""
    unit: str
    """What is counted: operations, parameter sets, generations."""
    units: Callable[[int], int]
    """How many units a run of a size has."""
    sizes: Mapping[str, tuple[int, ...]]
    """system → the sizes it is run at."""
    kind: str = "coroutine"
    once: frozenset[tuple[str, int]] = frozenset()
    """(system, size) that take long, and are run once whatever the number of repeats."""


@dataclass(frozen=True)
class Cell:
    """One case in one system at one size."""

    case: Case
    system: str
    n: int

    @property
    def units(self) -> int:
        """How many units a run has."""
        return self.case.units(self.n)

    def repeats(self, wanted: int) -> int:
        """How often it is run when `wanted` runs are wanted."""
        return 1 if (self.system, self.n) in self.case.once else wanted


CASES = (
    Case(
        "chains",
        "n contexts at once, in each a → b → c of coroutine no-ops, then GetSingle",
        "chains",
        "operation",
        lambda n: 3 * n,
        {TIDEMILL: (1000,), DFFML: (1000,), AWAITS: (1000,), TASKS: (1000,)},
    ),
    Case(
        "chains-functions",
        "the same with plain functions on the event loop",
        "chains",
        "operation",
        lambda n: 3 * n,
        {TIDEMILL: (1000,), DFFML: (1000,)},
        kind="function",
    ),
    Case(
        "fan",
        "one context: n values through one operation and on into another one",
        "fan",
        "operation",
        lambda n: 2 * n,
        {TIDEMILL: (100, 300, 1000, 10_000), DFFML: (100, 300, 1000), AWAITS: (1000,), TASKS: (1000,)},
        once=frozenset({(DFFML, 300), (DFFML, 1000)}),
    ),
    Case(
        "product",
        "one context: an operation over all pairs of n values and n values, then GetMulti",
        "product",
        "parameter set",
        lambda n: n * n,
        {TIDEMILL: (50, 100, 200, 300), DFFML: (50, 100), AWAITS: (100,), TASKS: (100,)},
    ),
    Case(
        "ancestry",
        "one context: n generations of an operation that feeds itself, read by an ancestor path and by Associate",
        "ancestry",
        "operation",
        lambda n: 2 * n - 1,
        {TIDEMILL: (100, 400, 1000, 3000, 10_000), DFFML: (100, 400, 1000)},
        once=frozenset({(DFFML, 400), (DFFML, 1000)}),
    ),
    Case(
        "contexts",
        "chains as above, the contexts from a generator, results taken as contexts end",
        "contexts",
        "operation",
        lambda n: 3 * n,
        {TIDEMILL: (1000, 10_000, 100_000), DFFML: (1000, 10_000), AWAITS: (100_000,)},
        once=frozenset({(DFFML, 10_000)}),
    ),
)

_TINY = {"chains": 5, "chains-functions": 5, "fan": 10, "product": 4, "ancestry": 12, "contexts": 6}


def tiny() -> tuple[Case, ...]:
    """The same cases, small enough for a test."""
    return tuple(
        replace(case, sizes=dict.fromkeys(case.sizes, (_TINY[case.name], 2 * _TINY[case.name]))) for case in CASES
    )


def cells(cases: tuple[Case, ...], systems: frozenset[str]) -> list[Cell]:
    """All cells of these systems: case by case, size by size, the systems beside each other."""
    found = []
    for case in cases:
        for n in sorted({n for sizes in case.sizes.values() for n in sizes}):
            found += [Cell(case, each, n) for each in SYSTEMS if each in systems and n in case.sizes.get(each, ())]
    return found
