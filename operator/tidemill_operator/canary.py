"""Whether the operator lives: its event loop turns, and what it writes comes back through kopf's watches.

A watch may die in silence, and an operator without it looks well and does nothing. So whatever is written, an object's
status or the Lease, is expected to be seen again; what was not in time has the process started anew.
Neighbours: `health`, `handlers` (who see), `leader` and `apply` (who write).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Canary"]

TICK = 0.5
"""Seconds between two looks at whether the event loop turns."""


class Canary:
    """``patience``: seconds after which something written has to have been seen, ``lag``: those that the event loop may
    be late. ``clock`` gives seconds."""

    def __init__(self, *, patience: float, lag: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._most = lag
        self._clock = clock
        self._expected: dict[str, float] = {}
        self._ticked = clock()

    def wrote(self, watch: str) -> None:
        """Expect something to be seen in a watch, by its name."""
        self._expected.setdefault(watch, self._clock())

    def saw(self, watch: str) -> None:
        """Take note that a watch has shown something."""
        self._expected.pop(watch, None)

    @property
    def age(self) -> float:
        """Seconds since the oldest thing was written that was not seen yet."""
        return max((self._clock() - at for at in self._expected.values()), default=0.0)

    @property
    def lag(self) -> float:
        """Seconds that the event loop is late."""
        return max(0.0, self._clock() - self._ticked - TICK)

    def late(self) -> list[str]:
        """Return why the process should be started anew."""
        now = self._clock()
        found = [
            f"what was written {now - at:.0f} s ago has not come back through the watch of {watch}"
            for watch, at in self._expected.items()
            if now - at > self._patience
        ]
        if self.lag > self._most:
            found.append(f"the event loop is {self.lag:.1f} s late")
        return found

    async def tick(self) -> None:
        """Look for ever whether the event loop turns."""
        while True:
            self._ticked = self._clock()
            await asyncio.sleep(TICK)
