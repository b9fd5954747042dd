"""A pass over an object: look, decide, do, and look again until nothing is to be done; then say in the status how it
is.

A pass goes from the top each time, so whatever happened to the one before needs no repair. Neighbours: `work` (who
calls), `observe`, `decide`, `apply`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from tidemill.errors import StoreError, TidemillError
from tidemill_operator.apply import Applier
from tidemill_operator.cluster import ClusterError
from tidemill_operator.decide.reconcile import (
    Action,
    Apply,
    CreateJob,
    Decision,
    DeleteJob,
    DeleteObject,
    Open,
    Policy,
    Post,
    Publish,
    Recalled,
    Undeploy,
    Weigh,
    decide,
)
from tidemill_operator.leader import LeaseLost
from tidemill_operator.metrics import Metrics
from tidemill_operator.names import DATAFLOW
from tidemill_operator.observe import Known, Observer, Sight, reason_of
from tidemill_operator.observed import Finding
from tidemill_operator.pools import Pools
from tidemill_operator.work import Item, Work

__all__ = ["Memory", "Passes"]

ROUNDS = 4
"""How often a pass looks again after it has done something, at most."""
SETTLED = (Apply, CreateJob, DeleteJob, DeleteObject, Post, Undeploy, Weigh)
"""Actions after which there is nothing to look at for a while."""


@dataclass(slots=True)
class Memory:
    """What is remembered of an object between passes; all of it can be worked out again."""

    known: Known = field(default_factory=Known)
    recalled: Recalled = Recalled()


class Passes:
    """Makes passes. ``work`` is told of objects that are to be looked at because of another."""

    def __init__(
        self, work: Work, observer: Observer, applier: Applier, pools: Pools, policy: Policy, metrics: Metrics
    ) -> None:
        self._work = work
        self._observer = observer
        self._applier = applier
        self._pools = pools
        self._policy = policy
        self._metrics = metrics

    async def __call__(self, item: Item) -> float | None:
        """Make a pass over an object, and return seconds until the next one; None if there is to be none."""
        began, result = time.perf_counter(), "done"
        try:
            return await self._pass(item)
        except (ClusterError, LeaseLost) as error:
            result = "conflict" if error.reason == "Conflict" else "refused"
            if error.reason == "Conflict":  # somebody else has written it meanwhile: look at that
                return 0.1
            raise
        except Exception:
            result = "failed"
            raise
        finally:
            self._metrics.passes.labels(item.kind, result).inc()
            self._metrics.seconds.labels(item.kind).observe(time.perf_counter() - began)

    async def _pass(self, item: Item) -> float | None:
        memory = item.memory if isinstance(item.memory, Memory) else Memory()
        item.memory = memory
        sight = await self._observer.read(item.kind, item.namespace, item.name, memory.known)
        if sight is None or sight.meta.uid != item.uid:
            self.gone(item)
            return None
        memory.known = sight.known
        decision = await self._settle(sight, memory)
        memory.known, memory.recalled = sight.known, decision.recalled
        await self._say(item, sight, decision)
        item.own = frozenset(sight.own)
        return decision.after

    async def _settle(self, sight: Sight, memory: Memory) -> Decision:
        """Do what is to be done, and look again, until all is done that can be done now."""
        for _ in range(ROUNDS):
            sight.seen = await self._observer.around(sight)
            decision = decide(sight.seen, self._policy, memory.recalled, time.monotonic())
            again = False
            try:
                for action in decision.actions:
                    again = await self._done(sight, action) or again
            except StoreError as error:  # it may be back in the next pass; until then the status says so
                absent = Finding(reason_of(error), error.message)
                sight.seen = replace(sight.seen, stored=None, absent=absent)
                return decide(sight.seen, self._policy, memory.recalled, time.monotonic())
            if not again:
                break
        return decision

    async def _done(self, sight: Sight, action: Action) -> bool:
        """Carry out an action, and say whether there is something new to look at."""
        try:
            await self._applier.carry_out(sight, action)
        except (ClusterError, LeaseLost, StoreError):
            raise
        except TidemillError as error:
            if not isinstance(action, (Publish, Open)):
                raise
            sight.known.findings = (Finding(error.reason, error.message, error.path),)
            sight.known.flow = None
            return True
        whole = sight.parent.metadata.uid if sight.parent is not None else sight.meta.uid
        self._pools.stale(whole)
        if isinstance(action, Open):
            return sight.known.given is not None and sight.known.given.opened
        return not isinstance(action, SETTLED)

    async def _say(self, item: Item, sight: Sight, decision: Decision) -> None:
        """Write the status, and tell people and other objects of what has changed in it."""
        seen = sight.seen
        if decision.status is None or seen is None:
            return
        self._count(item, sight, decision)
        await self._applier.status(sight, decision.status)
        if sight.found is None:
            sight.known.written = dict(decision.status)
        for post in decision.posts:
            await self._applier.carry_out(sight, post)
        if item.kind != DATAFLOW and sight.parent is not None:  # its workers are those of its DataFlow
            parent = sight.parent.metadata
            self._work.wake(parent.uid, DATAFLOW, item.namespace, parent.name)

    def _count(self, item: Item, sight: Sight, decision: Decision) -> None:
        seen = sight.seen
        assert seen is not None
        if seen.findings and any(post.reason == seen.findings[0].reason for post in decision.posts):
            self._metrics.rejected.labels(seen.findings[0].reason).inc()
        if seen.stored is not None:
            pools = {
                one.spec.name: (one.deployed.desired, one.deployed.ready, one.backlog) if one.deployed else (0, 0, 0)
                for one in seen.pools
            }
            self._metrics.tell((item.kind, item.namespace, item.name), seen.stored.contexts, pools)

    def gone(self, item: Item) -> None:
        """Forget an object that is gone."""
        self._work.forget(item.uid)
        self._pools.forget(item.uid)
        self._metrics.forget((item.kind, item.namespace, item.name))
