"""Counts what the random data flows came to, for the summary at the end of a test run."""

from dataclasses import dataclass, fields

__all__ = ["TALLY", "Tally"]


@dataclass
class Tally:
    """How much was tried, over all tests of this process."""

    flows: int = 0
    orders: int = 0
    contexts: int = 0
    parameter_sets: int = 0
    lost_workers: int = 0
    refused_reports: int = 0
    failed_contexts: int = 0

    def __str__(self) -> str:
        said = ", ".join(f"{getattr(self, one.name):,} {one.name.replace('_', ' ')}" for one in fields(self))
        return f"contract: {said}"


TALLY = Tally()
