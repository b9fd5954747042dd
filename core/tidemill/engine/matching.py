"""Matching: which combinations a new input makes. A combination is found by its youngest input.

The inputs of a context are numbered. Each parameter of an operation has a list of candidates, in the order of their
numbers. An arrival ``x`` that stands at parameter ``i`` is combined, at the parameters before ``i``, with what is
*older* than ``x``, and at those after ``i`` with what is not *younger*. So every combination comes out exactly once,
whoever arrives first, also when one input can stand at several parameters; and the cost is that of the new
combinations.

As the lists only ever grow at their ends, "older than x" is a prefix of a list. The combinations of one arrival are
therefore a *box*: a range in each list. A box takes a few words of memory however many combinations it holds, and can
be walked in pieces, later (`engine.expansion`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.engine.inputs import Item
from tidemill.plan.plan import PlannedOperation

__all__ = ["Box", "Candidates", "arrive", "everything"]

Candidates = list[list[Item]]
"""For each parameter of an operation, the inputs that may stand there, in the order of their numbers."""


class Box:
    """Combinations that are still to be taken: one range of candidates for each parameter."""

    __slots__ = ("next", "operation", "ranges", "size")

    def __init__(self, operation: PlannedOperation, ranges: Sequence[tuple[int, int]]) -> None:
        self.operation = operation
        self.ranges = ranges
        self.next = 0
        size = 1
        for start, stop in ranges:
            size *= stop - start
        self.size = size

    @property
    def left(self) -> int:
        """How many combinations have not been taken out yet."""
        return self.size - self.next

    def take(self, candidates: Candidates) -> tuple[Item, ...]:
        """Return the next combination; the last parameter varies fastest."""
        place, chosen = self.next, []
        for (start, stop), listed in zip(reversed(self.ranges), reversed(candidates), strict=True):
            place, digit = divmod(place, stop - start)
            chosen.append(listed[start + digit])
        self.next += 1
        chosen.reverse()
        return tuple(chosen)


def arrive(
    operation: PlannedOperation, candidates: Candidates, places: Sequence[int], item: Item, active: bool = True
) -> list[Box]:
    """Add ``item`` to the candidates at ``places`` (ascending) and return the boxes of the combinations in which it is
    the youngest. Nothing comes of it while the operation is not ``active``: `everything` will find it then."""
    before = [len(listed) for listed in candidates]
    for place in places:
        candidates[place].append(item)
    if not active:
        return []
    boxes = []
    for place in places:
        ranges = []
        for at, listed in enumerate(candidates):
            if at == place:
                ranges.append((before[at], before[at] + 1))
            else:
                ranges.append((0, before[at] if at < place else len(listed)))
        box = Box(operation, ranges)
        if box.size:
            boxes.append(box)
    return boxes


def everything(operation: PlannedOperation, candidates: Candidates) -> Box | None:
    """Return the box of all combinations there are: what an operation starts with when its gate opens or its stage
    begins. An operation without parameters has one, the empty one."""
    box = Box(operation, [(0, len(listed)) for listed in candidates])
    return box if box.size else None
