"""Lock network, decided: all or none, first come, first served.

A parameter set that needs locks stands in the queue of each of them, in the order in which it was taken, and goes
when it is first in all. The oldest one waiting is first everywhere it stands, so something always moves; nothing is
held while waiting, so nothing can block in a circle. A holder stays first until it leaves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Queues"]

Waiter = TypeVar("Waiter")


class Queues(Generic[Waiter]):
    """The queues of the locks of one context. A waiter is any object that equals only itself."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[int, deque[Waiter]] = {}

    def join(self, waiter: Waiter, locks: Iterable[int]) -> bool:
        """Queue up for all ``locks``; say whether the waiter holds them all at once."""
        first = True
        for lock in locks:
            queue = self._queues.setdefault(lock, deque())
            queue.append(waiter)
            first = first and queue[0] is waiter
        return first

    def holds(self, waiter: Waiter, locks: Iterable[int]) -> bool:
        """Say whether the waiter is first in every queue of ``locks``."""
        queues = self._queues
        return all(lock in queues and queues[lock][0] is waiter for lock in locks)

    def leave(self, waiter: Waiter, locks: Iterable[int]) -> list[Waiter]:
        """Leave all queues, holding or waiting; return who is first somewhere now and was not before."""
        moved: list[Waiter] = []
        for lock in locks:
            queue = self._queues.get(lock)
            if queue is None or waiter not in queue:
                continue  # the context was dropped while this one ran
            was_first = queue[0] is waiter
            queue.remove(waiter)
            if not queue:
                del self._queues[lock]
            elif was_first and not any(other is queue[0] for other in moved):
                moved.append(queue[0])
        return moved

    def of(self, lock: int) -> list[Waiter]:
        """Return who holds a lock and who waits for it, in their order."""
        return list(self._queues.get(lock, ()))

    def waiting(self) -> int:
        """How many are not first in some queue: they wait for a lock that somebody before them is to give back."""
        return len({id(waiter) for queue in self._queues.values() for waiter in islice(queue, 1, None)})

    def __len__(self) -> int:
        """How many locks somebody holds or waits for."""
        return len(self._queues)
