"""A clock that tests wind: nothing waits for real time, and what is due happens when a test says so."""

import heapq
from collections.abc import Callable
from itertools import count

__all__ = ["Clock"]


class Clock:
    """Virtual time in seconds. `later` is what a backend is given, `advance` is what a test calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call ``call`` when the clock has been wound on by ``seconds``."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), call))

    def advance(self) -> bool:
        """Wind the clock on to what is due next and let it happen; say whether there was anything."""
        if not self._due:
            return False
        self.now, _, call = heapq.heappop(self._due)
        call()
        return True

    def next_in(self) -> float | None:
        """Return the seconds until something is due, or None when nothing is."""
        return self._due[0][0] - self.now if self._due else None
