"""What is measured in one go: which workloads at which sizes, in which systems, and which probes."""

from dataclasses import dataclass, replace

from benchmarks.store.workloads import WORKLOADS

TIDEMILL, DURABLE = "tidemill", "tidemill, AOF always"
OURS = {TIDEMILL: "none", DURABLE: "always"}
"""Our systems, and what their stores write down."""
GROWTH = (1000, 10_000, 100_000)
"""Contexts of the chains in which the rate must not fall."""
PROBES = ("idle", "endings", "inputs", "vast")
PARTS = (*WORKLOADS, "growth", *PROBES)
"""Everything that can be asked for."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    sizes: dict[str, int]
    """workload → n."""
    growth: tuple[int, ...]
    probes: dict[str, int]
    """probe → its size: seconds, contexts, inputs, or values of each side."""
    repeats: int

    def only(self, parts: frozenset[str]) -> "Plan":
        """Return the parts of it that were asked for."""
        return replace(
            self,
            sizes={name: n for name, n in self.sizes.items() if name in parts},
            growth=self.growth if "growth" in parts else (),
            probes={name: n for name, n in self.probes.items() if name in parts},
        )


FULL = Plan(
    {name: each.size for name, each in WORKLOADS.items()},
    GROWTH,
    {"idle": 10, "endings": 20_000, "inputs": 20_000, "vast": 1000},
    3,
)
SMOKE = Plan(
    {**dict.fromkeys(WORKLOADS, 20), "product": 4},
    (20, 40),
    {"idle": 1, "endings": 200, "inputs": 200, "vast": 10},
    1,
)
"""Small enough for a test."""
