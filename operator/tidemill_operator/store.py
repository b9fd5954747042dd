"""What the operator wants from a store: one prefix of keys for each namespace, one group for each object.

Nothing here waits for ever: what is not answered in time is an error, and the pass is made again. Connections are
those of a namespace, shared by its objects, and closed when nobody uses them. Neighbours: `observe` (asks), `apply`
(tells).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.checks import require
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.endings import GONE, OPEN, RedisEndings
from tidemill.backends.redis.groups import GroupCounts, RedisGroups
from tidemill.backends.redis.openings import RedisOpenings
from tidemill.backends.redis.overview import Overview, RedisOverview
from tidemill.backends.redis.recovery import RedisRecovery, ServerRun
from tidemill.backends.redis.refusals import answered
from tidemill.backends.redis.watching import Watching, taken_back
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.errors import ContextClosed, StoreError, TidemillError
from tidemill.formats.write import plain_data
from tidemill.journal.event import LIMIT
from tidemill.plan.plan import Plan
from tidemill_operator.decide.resources import prefix_of
from tidemill_operator.kinds.accept import GivenSet
from tidemill_operator.kinds.status import MOST_INLINE
from tidemill_operator.leader import Leader
from tidemill_operator.metrics import Metrics
from tidemill_operator.names import label
from tidemill_operator.observed import Load, Stored
from tidemill_operator.opening import Opening
from tidemill_operator.settings import Settings

__all__ = ["Store", "Stores"]

AT_ONCE = 128
"""Input sets that are opened at once."""
FEW = 32
"""Contexts whose results are looked at, at most."""
CHECKED = 60.0
"""Seconds after which a store is looked over again."""
FRESH = 0.3
"""Seconds for which what pools are at may be told again."""

EPOCH, RUN, HISTORY = label("epoch"), label("store-run"), label("store-history")

logger = logging.getLogger("tidemill.operator")


class Store:
    """The part of a store that a namespace has."""

    def __init__(self, namespace: str, settings: Settings, leader: Leader, metrics: Metrics) -> None:
        self.used = time.monotonic()
        self.pools: set[str] = set()
        self._settings = settings
        self._leader = leader
        self._metrics = metrics
        self.client = Client(
            settings.store.get_secret_value(),
            prefix=prefix_of(namespace),
            timeout=settings.timeout,
            name=f"{settings.name}-{namespace}"[:200],
            elsewhere=settings.elsewhere,
            file=settings.store_file,
        )
        self.groups = RedisGroups(self.client)
        self._openings = RedisOpenings(self.client)
        self._overview = RedisOverview(self.client)
        self._checked = -CHECKED
        self._checking = asyncio.Lock()
        self._incarnation = ""
        self._seen: Overview | None = None
        self._seen_at = 0.0
        self._watching = Watching(settings.worker_lease, self._expired)

    @contextlib.asynccontextmanager
    async def asked(self, times: float = 1.0) -> AsyncIterator[None]:
        """Have what is asked meanwhile be answered in time, or raise `StoreError`."""
        self.used = time.monotonic()
        hint = "nothing is lost, and goes on when it does"
        try:
            async with answered(self.client.url.shown, self._settings.timeout * times, hint):
                yield
        except StoreError as error:
            self._failed(error.reason)
            raise

    async def _expired(self, worker: str, count: str) -> None:
        """Have what a dead worker held be done by others: where each runs one parameter set, nobody else may be there
        to see that it is dead."""
        await taken_back(RedisWorkers(self.client), worker, count, logger)
        self._seen = None

    def _failed(self, reason: str) -> None:
        self._checked = -CHECKED
        self._metrics.store_errors.labels(reason).inc()

    # -- what it is ---------------------------------------------------------------------------------------------------

    async def ready(self) -> str:
        """Look whether the store is one that can be used, and still the same; return its incarnation.

        One that may have lost leases is recovered under a new epoch first. Raises `StoreError`.
        """
        async with self._checking:
            if time.monotonic() - self._checked < CHECKED:
                return self._incarnation
            async with self.asked(3):
                where = self.client.url.shown
                await require(self.client.redis, where, tag=self.client.tag, durability=self._settings.durability)
                await self.client.load()
                recovery = RedisRecovery(self.client)
                self._incarnation = await recovery.incarnation()
                await self._recovered(recovery)
            self._checked = time.monotonic()
            return self._incarnation

    async def _recovered(self, recovery: RedisRecovery) -> None:
        notes, server = self._leader.notes, await recovery.server()
        before = ServerRun(notes.get(RUN, ""), notes.get(HISTORY, ""))
        noted, own = _number(notes.get(EPOCH)), await recovery.epoch()
        epoch = max(noted, own)
        if not server.follows(before, durable=self._settings.durability == "always"):
            epoch += 1
            logger.warning("the store may have lost what it had acknowledged; all leases begin anew in epoch %d", epoch)
        await self._leader.note(**{EPOCH: str(epoch), RUN: server.run, HISTORY: server.history})
        if own < epoch:
            self._metrics.recoveries.inc()
        if epoch:
            await RedisWorkers(self.client).recover(epoch)

    # -- plans and contexts -------------------------------------------------------------------------------------------

    async def published(self, digest: str) -> bool:
        """Say whether the store knows a plan, and the data flow that it was made of."""
        async with self.asked():
            keys = [self.client.key("plan", digest), self.client.key("flow", digest)]
            return int(await self.client.redis.exists(*keys)) == len(keys)

    async def publish(self, plan: Plan) -> None:
        """Have the store know a plan. Raises `StoreError`, and `LoadError` for one that nobody else could run."""
        async with self.asked(2):
            backend = RedisBackend(self.client, silent=True)
            await backend.publish(plan)
            await backend.flows.get(plan.digest)

    async def plan(self, digest: str) -> Plan:
        """Return a plan that was published. Raises `StoreError`, `LoadError`."""
        async with self.asked(2):
            return (await RedisBackend(self.client).resolve(digest)).plan

    async def open(
        self,
        group: str,
        plan: Plan,
        sets: Iterator[GivenSet],
        *,
        strict: bool,
        retention: float,
        most: int,
        journal: bool = False,
    ) -> bool:
        """Open contexts for those input sets that have none, ``most`` of them about, and say whether all have one; else
        those that are left are still in the iterator ``sets``. With a ``journal`` they keep what happens to them.

        Raises `StoreError`, and `InvalidInput` for one that the plan cannot take.
        """
        keep = LIMIT if journal else None
        backend = RedisBackend(self.client, silent=True, retention=retention, journal=keep)
        async with self.asked(2):
            await backend.publish(plan)
        opened = 0
        try:
            while opened < most:
                if not (some := list(islice(sets, AT_ONCE))):
                    return True
                opened += await self._some(backend, group, plan, some, strict)
            return False
        except ContextClosed:  # the group was cancelled meanwhile, and takes no more
            return True
        finally:
            await backend.mail.close()
            self._metrics.opened.inc(opened)
            self._seen = None  # there is more to do now

    async def _some(self, backend: RedisBackend, group: str, plan: Plan, sets: list[GivenSet], strict: bool) -> int:
        opening = Opening(backend, self._openings, group)
        async with self.asked():
            claimed = await opening.claimed(sets)
        async with self.asked(4):
            await opening.open(plan, sets, claimed, strict=strict)
        return sum(one.new for one in claimed)

    async def drop(self, group: str) -> None:
        """Delete all that the store holds of a group. Raises `StoreError`."""
        async with self.asked(6):
            await self.groups.drop(group)
            await self._openings.forget(group)

    # -- how it is ----------------------------------------------------------------------------------------------------

    async def look(self, pools: Iterable[str]) -> Overview:
        """Return what pools are at, as of a moment ago; one call for all that a namespace asks for."""
        wanted = set(pools)
        seen = self._seen
        if seen is None or not wanted <= self.pools or time.monotonic() - self._seen_at > FRESH:
            self.pools |= wanted
            asked = time.monotonic()
            async with self.asked():
                seen = self._seen = await self._overview.pools(sorted(self.pools))
            self._seen_at = seen_at = time.monotonic()
            await self._watching.look(seen.beats, asked, seen_at)  # others may forget what was seen meanwhile
        return seen

    def keep(self, flows: Collection[str]) -> None:
        """Ask only for the pools of these data flows from now on: those of others are gone with them."""
        self.pools = {pool for pool in self.pools if pool.rpartition(".")[0] in flows}

    async def group(self, group: str, incarnation: str) -> Stored:
        """Return what the store says of a group. Raises `StoreError`."""
        async with self.asked(2):
            counts = await self.groups.counts(group)
            locked = 0
            if counts.contexts["open"]:
                names = [name async for name in _first(self.groups.names(group, "open"), FEW)]
                locked = sum(state.waiting for state in await self._overview.states(names))
            results = await self._results(group, counts)
        return Stored(
            incarnation=incarnation,
            state=counts.state,
            contexts=dict(counts.contexts),
            sets=_sets(counts),
            failures=tuple((name, one.reason, one.message, one.instance) for name, one in counts.samples),
            locked=locked,
            parked=sum(one.parked for one in counts.operations),
            aside=counts.aside,
            results=results,
            loads=_loads(counts),
        )

    async def _results(self, group: str, counts: GroupCounts) -> tuple[tuple[str, Any], ...] | None:
        """Return the results, where all contexts have ended, and these are few and small."""
        contexts = counts.contexts
        if contexts["open"] or not 0 < contexts["succeeded"] <= FEW:
            return None
        backend, found, left = RedisBackend(self.client), [], MOST_INLINE
        names = [name async for name in _first(self.groups.names(group, "succeeded"), FEW)]
        async for name, raw in RedisEndings(self.client).look(sorted(names)):
            left -= len(raw)
            if raw in (OPEN, GONE) or left < 0:
                return None
            try:
                result = plain_data((await backend.ending_read(raw))[1].result)
                left -= len(json.dumps(result))
            except (TidemillError, TypeError, ValueError):
                return None  # a value that JSON has no words for
            found.append((name, result))
        return tuple(found)


def _sets(counts: GroupCounts) -> dict[str, int]:
    """Return how many parameter sets are how far. Leases are counted by tries in the store, so what is with workers is
    what was dispatched and has not ended."""
    total = {name: sum(getattr(one.counts, name) for one in counts.operations) for name in _COUNTED}
    total["leased"] = min(total["leased"], max(0, total["dispatched"] - total["completed"] - total["failed"]))
    return total if counts.operations else {}


def _loads(counts: GroupCounts) -> dict[str, Load]:
    found: dict[str, Load] = {}
    for one in counts.operations:
        had, ended = found.get(one.pool, Load()), one.counts.completed + one.counts.failed
        found[one.pool] = Load(had.dispatched + one.counts.dispatched, had.ended + ended)
    return found


_COUNTED = ("taken", "dispatched", "leased", "completed", "failed")


async def _first(names: AsyncIterator[str], most: int) -> AsyncIterator[str]:
    left = most
    async for name in names:
        yield name
        left -= 1
        if not left:
            return


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


class Stores:
    """The stores of all namespaces, opened as they are asked for."""

    def __init__(self, settings: Settings, leader: Leader, metrics: Metrics) -> None:
        self._settings, self._leader, self._metrics = settings, leader, metrics
        self._open: dict[str, Store] = {}
        metrics.stores.set_function(lambda: len(self._open))

    def of(self, namespace: str) -> Store:
        """Return the store of a namespace."""
        if namespace not in self._open:
            self._open[namespace] = Store(namespace, self._settings, self._leader, self._metrics)
        return self._open[namespace]

    @property
    def open(self) -> dict[str, Store]:
        """The stores to which connections may be open, by namespace."""
        return dict(self._open)

    async def close_idle(self, used: Collection[str]) -> None:
        """Close the connections of namespaces that have no objects, which nobody has asked about lately."""
        now = time.monotonic()
        for namespace, store in list(self._open.items()):
            if namespace not in used and now - store.used > self._settings.idle:
                del self._open[namespace]
                await store.client.close()

    async def close(self) -> None:
        """Close all connections."""
        for store in self._open.values():
            await store.client.close()
        self._open.clear()
