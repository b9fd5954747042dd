"""Bounded work: how many combinations are taken at a time, and when there would be too many.

A context whose backlog is long does not expand further until it drains, so memory follows the work in flight and not
the product of the inputs. Neighbour: `engine.matching` (boxes).
"""

from __future__ import annotations

from tidemill.engine.matching import Box

__all__ = ["CHUNK", "LOW_WATER", "room", "too_many"]

CHUNK = 256
"""Parameter sets that a context has taken but not leased at most, before the rest of its boxes waits."""
LOW_WATER = 64
"""Backlog below which a context with waiting boxes expands them further."""


def room(backlog: int) -> int:
    """Return how many more parameter sets a context with this backlog may take now."""
    return max(0, CHUNK - backlog)


def too_many(taken: int, box: Box, limit: int | None) -> str | None:
    """Say what is wrong if the combinations of ``box`` would take a context over its limit, else return None.

    ``taken`` counts what is taken or promised already. It is asked before the first combination is made.
    """
    if limit is None or taken + box.size <= limit:
        return None
    counts = ", ".join(
        f"{parameter.name}: {stop - start}"
        for parameter, (start, stop) in zip(box.operation.parameters, box.ranges, strict=True)
    )
    return (
        f'operation "{box.operation.instance}" would need {taken + box.size} parameter sets '
        f"(new combinations of {counts}); limit {limit}"
    )
