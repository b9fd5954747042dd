"""What is to be looked at, and when: one entry for each object, at most one pass over it at a time.

An event only says that an object is to be looked at. Whatever comes while a pass is under way has one more follow. What
is kept of an object is a few words, so a thousand of them cost next to nothing. Neighbours: `handlers` (who wake),
`passes` (what is done).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
from collections.abc import Awaitable, Callable

from tidemill.errors import TidemillError

__all__ = ["ANY", "Item", "Work"]

ANY = "any"
"""In the place of a version: something else than the object itself has changed."""
FIRST, MOST = 1.0, 60.0
"""Seconds before an object is looked at again after a pass has failed: the first time, and at most."""

logger = logging.getLogger("tidemill.operator")


class Item:
    """An object that is looked after. ``memory`` is what passes remember of it, and can do without; ``own`` are the
    versions of it that the last pass has read or made itself: whoever tells of those tells nothing new."""

    __slots__ = ("due", "failures", "kind", "memory", "name", "namespace", "own", "running", "uid", "woken")

    def __init__(self, uid: str, kind: str, namespace: str, name: str) -> None:
        self.uid = uid
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.due = 0.0
        self.running = False
        self.woken: set[str] = set()
        self.own: frozenset[str] = frozenset()
        self.failures = 0
        self.memory: object = None

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Process = Callable[[Item], Awaitable[float | None]]
"""One pass over an object: returns seconds until the next one, None if there is to be none."""


class Work:
    """A queue with delays. ``at_once``: passes that are under way together."""

    def __init__(self, at_once: int = 8) -> None:
        self.items: dict[str, Item] = {}
        self._heap: list[tuple[float, int, Item]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._room = asyncio.Semaphore(at_once)

    def __len__(self) -> int:
        return len(self.items)

    def wake(self, uid: str, kind: str, namespace: str, name: str, after: float = 0.0, *, version: str = ANY) -> None:
        """Have an object looked at ``after`` seconds at the latest, because it is of this ``version`` by now, or
        because of something else."""
        item = self.items.get(uid)
        if item is None:
            item = self.items[uid] = Item(uid, kind, namespace, name)
        elif item.running:
            item.woken |= {version} if not after else set()
            return
        elif version in item.own:
            return
        elif item.due and item.due <= _now() + after:
            return
        self._plan(item, after)

    def wake_all(self, kind: str, namespace: str, chosen: Callable[[Item], bool] = lambda item: True) -> None:
        """Have the objects of a kind in a namespace looked at now."""
        for item in list(self.items.values()):
            if item.kind == kind and item.namespace == namespace and chosen(item):
                self.wake(item.uid, kind, namespace, item.name)

    def forget(self, uid: str) -> None:
        """Look at an object no more."""
        if (item := self.items.pop(uid, None)) is not None:
            item.due = 0.0

    async def run(self, process: Process) -> None:
        """Make passes for ever."""
        async with asyncio.TaskGroup() as passes:
            while True:
                await self._room.acquire()
                item = await self._next()
                item.running, item.woken = True, set()
                passes.create_task(self._pass(process, item))

    def _plan(self, item: Item, after: float) -> None:
        item.due = _now() + after
        heapq.heappush(self._heap, (item.due, next(self._numbers), item))
        self._changed.set()

    async def _next(self) -> Item:
        while True:
            self._changed.clear()
            while self._heap and (self._heap[0][2].due != self._heap[0][0] or self._heap[0][2].running):
                heapq.heappop(self._heap)  # it was planned anew, or forgotten
            left = self._heap[0][0] - _now() if self._heap else None
            if left is not None and left <= 0:
                return heapq.heappop(self._heap)[2]
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _pass(self, process: Process, item: Item) -> None:
        after: float | None
        try:
            after = await process(item)
            item.failures = 0
        except asyncio.CancelledError:
            raise
        except Exception as error:
            item.failures += 1
            after = min(MOST, FIRST * 2 ** min(10, item.failures - 1)) * random.uniform(0.8, 1.0)
            known = isinstance(error, TidemillError)
            what = f"{error.reason}: {error}" if isinstance(error, TidemillError) else "an error of the operator itself"
            logger.warning("a pass over %s failed, %d times by now: %s", item, item.failures, what, exc_info=not known)
        finally:
            item.running = False
            self._room.release()
        if self.items.get(item.uid) is item:
            news = not item.woken <= item.own
            if news or after is not None:
                self._plan(item, 0.0 if news and not item.failures else after or 0.0)
            else:
                item.due = 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()
