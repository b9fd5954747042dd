"""Who can reach whom: the operations that the outputs of an operation can lead to.

Neighbours: `plan.check` looks for cycles and for what can never run, `engine.defaults` asks whether an input can
still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidemill.plan.plan import Accept, PlannedOperation

__all__ = ["accepts_of", "producers", "reachable"]


def accepts_of(operation: PlannedOperation) -> Iterable[Accept]:
    """Yield everything that an operation accepts, for its parameters and for its gate."""
    for parameter in operation.parameters:
        yield from parameter.accepts
    for group in operation.gate:
        yield from group


def producers(accepts: Iterable[Accept]) -> set[str]:
    """Return the instances whose outputs these sources name."""
    return {accept.origin[0] for accept in accepts if not isinstance(accept.origin, str)}


def reachable(operations: Sequence[PlannedOperation]) -> tuple[frozenset[int], ...]:
    """Return, for each operation, the numbers of the operations that its outputs can lead to (itself in a cycle)."""
    following: dict[str, set[int]] = {operation.instance: set() for operation in operations}
    for operation in operations:
        for giver in operation.openers.union(*(parameter.givers for parameter in operation.parameters)):
            following[giver].add(operation.index)
    found = []
    for operation in operations:
        seen: set[int] = set()
        ahead = list(following[operation.instance])
        while ahead:
            index = ahead.pop()
            if index not in seen:
                seen.add(index)
                ahead.extend(following[operations[index].instance])
        found.append(frozenset(seen))
    return tuple(found)
