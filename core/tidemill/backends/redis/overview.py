"""What a store is at, for whoever looks on: contexts, operations, pools, workers, and what is waited for.

It is put together out of pages, each one look of its own, so its numbers are of moments that lie close together. Of a
store with very many contexts a part is looked at: `Overview.looked` says of how many. Neighbour:
``functions/watching.lua``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgpack

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.patience import patiently
from tidemill.networks.backend import Counts
from tidemill.runtime.pump import SLOTS

__all__ = ["ContextState", "OperationState", "Overview", "RedisOverview", "Wait"]

MOST = 1024
"""Open contexts that are looked at one by one, about."""

Call = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class ContextState:
    """A context that is open: its ``stage``, how many of its parameter sets have been ``taken``, are still ``open``,
    ``leased``, and ``waiting`` for locks. ``child`` says that it belongs to another context."""

    name: str
    plan: str
    stage: str
    taken: int
    open: int
    leased: int
    waiting: int
    child: bool


@dataclass(slots=True)
class OperationState:
    """An operation of a plan, the ``pool`` that it runs in, its counts, and how many are ``parked``: they wait because
    only so many of it may run at once."""

    plan: str
    instance: str
    pool: str
    counts: Counts = field(default_factory=Counts)
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """``many`` parameter sets wait for a ``reason``, one CamelCase word; ``said`` is what to know and do about it."""

    reason: str
    many: int
    said: str


@dataclass(slots=True)
class Overview:
    """What a store is at.

    ``contexts`` are counted by state (open, succeeded, failed) since the store began, children not. ``ready`` has how
    much is ready in each pool, ``serving`` how many processes serve it, ``missing`` what is wrong with operations that
    workers of it should have and cannot load, by name, ``held`` how much is leased to each worker, ``beats`` its count
    as it is spelt, also for one that is dead, ``looked`` how many open contexts ``states`` is about; ``whole`` says
    that those are all that are open. ``slots`` is how many calls all processes run at once, ``left`` the seconds until
    all that is ready and leased is done, None where that cannot be told.
    """

    contexts: dict[str, int] = field(default_factory=lambda: {"open": 0, "succeeded": 0, "failed": 0})
    operations: list[OperationState] = field(default_factory=list)
    ready: dict[str, int] = field(default_factory=dict)
    serving: dict[str, int] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    beats: dict[str, str] = field(default_factory=dict)
    workers: int = 0
    slots: int = 0
    left: float | None = None
    delayed: int = 0
    due: float = 0.0
    states: list[ContextState] = field(default_factory=list)
    whole: bool = True

    @property
    def looked(self) -> int:
        """How many open contexts were looked at one by one."""
        return len(self.states)

    def waits(self) -> list[Wait]:
        """Return what is waited for, and why."""
        found = []
        for pool, ready in sorted(self.ready.items()):
            if ready and not self.serving.get(pool):
                said = f'no worker serves the pool "{pool}"; start one: tidemill worker --pool {pool}'
                found.append(Wait("NoWorkers", ready, said))
        if locked := sum(state.waiting for state in self.states):
            part = "" if self.whole else f"; in the {self.looked:,} open contexts that were looked at"
            found.append(Wait("WaitingForLocks", locked, f"others of their contexts hold what they lock{part}"))
        for operation in self.operations:
            if operation.parked:
                said = f'as many of "{operation.instance}" run as may at once'
                found.append(Wait("ConcurrencyLimit", operation.parked, said))
        if self.delayed:
            found.append(Wait("Delayed", self.delayed, f"they are tried again, the first in {self.due:.1f} s"))
        return found


class RedisOverview:
    """Looks at a store."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look(self, *, names: Sequence[str] = (), plans: Sequence[str] = ()) -> Overview:
        """Return what the store is at; with ``names`` of contexts or digests of ``plans`` only what concerns these."""
        found, some = Overview(), bool(names or plans)
        if names or not some:
            found.states = await self._states(found, names)
        await self._operations(found, {*plans, *(state.plan for state in found.states)} if some else None)
        await self._workers(found)
        pools = {operation.pool for operation in found.operations} | (set() if some else set(found.serving))
        await self._ready(found, sorted(pools))
        return found

    async def states(self, names: Sequence[str]) -> list[ContextState]:
        """Return how far those of these contexts are that are open."""
        return await self._states(Overview(), names) if names else []

    async def pools(self, names: Sequence[str]) -> Overview:
        """Return how much is ready in these pools, who serves which, and what workers lack; nothing of contexts."""
        found = Overview()
        await self._workers(found)
        await self._ready(found, sorted(set(names)))
        return found

    async def _ready(self, found: Overview, pools: Sequence[str]) -> None:
        said = await self._ask(partial(self._client.call, "pools", time.time(), *pools))
        found.delayed, found.due = int(said[0]), float(said[1])
        found.ready = dict(zip(pools, map(int, said[2:]), strict=True))

    async def _states(self, found: Overview, names: Sequence[str]) -> list[ContextState]:
        if names:
            said = []
            for at in range(0, len(names), 64):
                said += await self._ask(partial(self._client.call, "states", *names[at : at + 64]))
        else:
            said, seen = [], set()
            async for one in self._pages(partial(self._client.call, "opened")):
                if one[0] in seen:
                    continue
                if len(said) == MOST:
                    found.whole = False
                    break
                seen.add(one[0])
                said.append(one)
        return [
            ContextState(name.decode(), plan.decode(), stage.decode(), taken, open_, leased, waiting, bool(child))
            for name, plan, stage, taken, open_, leased, waiting, child in said
        ]

    async def _operations(self, found: Overview, wanted: set[str] | None) -> None:
        """Take in the counters, of which a page may come twice."""
        operations: dict[tuple[str, int], OperationState] = {}
        totals: dict[str, int] = {}
        async for raw, op, instance, pool, parked, word, many in self._pages(partial(self._client.call, "operations")):
            digest = raw.decode()
            if not digest:
                totals[word.decode()] = many
            elif wanted is None or digest in wanted:
                one = operations.setdefault((digest, op), OperationState(digest, instance.decode(), pool.decode()))
                one.parked = parked
                setattr(one.counts, word.decode(), many)
        found.operations = [one for _, one in sorted(operations.items())]
        ended = {word: totals.get(word, 0) for word in ("succeeded", "failed")}
        found.contexts = {"open": max(0, totals.get("opened", 0) - sum(ended.values())), **ended}

    async def _workers(self, found: Overview) -> None:
        seen = set()
        async for worker, said, pools, held, beat in self._pages(partial(self._client.call, "workers")):
            if worker in seen:
                continue
            seen.add(worker)
            if worker:
                found.beats[worker.decode()] = beat.decode()
                if not beat.isdigit():  # what it held is being taken back
                    continue
            found.workers += bool(worker)
            served = [pool.decode() for pool in pools if pool]
            if worker:
                found.held[worker.decode()] = int(held)
            itself: dict[str, Any] = msgpack.unpackb(said) if worker and said else {}
            own = str(itself.get("pool", "default"))
            if itself and not served:  # it has said hello, and its runners are about to begin
                served = [own]
            if itself.get("missing"):
                found.missing.setdefault(own, {}).update(itself["missing"])
            # one that says nothing of that is a process that runs what it has submitted
            found.slots += int(itself.get("slots", SLOTS)) * int(itself.get("runners", 1)) if served else 0
            for pool in served:
                found.serving[pool] = found.serving.get(pool, 0) + 1

    async def _pages(self, call: Call) -> AsyncIterator[Any]:
        cursor = "0"
        while True:
            raw, page = await self._ask(partial(call, cursor))
            for one in page:
                yield one
            cursor = raw.decode()
            if cursor == "0":
                return

    async def _ask(self, call: Call) -> Any:
        return await patiently(call, "questions for how things are")
