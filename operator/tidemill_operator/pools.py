"""What the pools of data flows are at: pods by Deployment or Job, work by store, and how long a worker takes for a
parameter set.

A pool is one of a DataFlow, and its runs use it too, so what was seen of it a moment ago is told again to whoever asks.
Neighbours: `children` (what the cluster says), `observe`, `decide.scaling` (what follows from it).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tidemill.backends.redis.overview import Overview
from tidemill_operator.children import deployed_of, jobs_of, together, trouble_of
from tidemill_operator.cluster import Cluster, ClusterError, path_of
from tidemill_operator.decide.resources import deployment_name, digest_of, selector
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.names import label
from tidemill_operator.observed import Deployed, Load, PoolSeen
from tidemill_operator.store import Store

__all__ = ["Pools"]

PODS = 5.0
"""Seconds between two looks at pods of which none serves its pool."""
FRESH = 0.3
"""Seconds for which what was seen may be told again."""
SAMPLE = 2.0
"""Seconds, at least, over which it is measured how long workers take."""
SMOOTH = 0.3
"""How much the newest measurement counts."""

_UNSAID = Pool(name="default")

Seen = tuple[tuple[PoolSeen, ...], tuple[str, ...]]


class _Measured:
    """How long a worker of a pool takes for a parameter set, from how many have ended meanwhile."""

    __slots__ = ("at", "ended", "seconds")

    def __init__(self) -> None:
        self.at = self.ended = 0.0
        self.seconds: float | None = None

    def take(self, now: float, ended: int, workers: int, working: bool) -> float | None:
        """Take in how many have ended by ``now``, and return the seconds that are known."""
        many, passed = ended - self.ended, now - self.at
        if passed < SAMPLE and self.at:
            return self.seconds
        if self.at and many > 0 and workers and working:
            found = workers * passed / many
            self.seconds = found if self.seconds is None else SMOOTH * found + (1 - SMOOTH) * self.seconds
        self.at, self.ended = now, float(ended)
        return self.seconds


class Pools:
    """Looks at pools."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._loads: dict[str, dict[str, Mapping[str, Load]]] = {}
        self._measured: dict[tuple[str, str], _Measured] = {}
        self._seen: dict[str, tuple[float, Seen]] = {}
        self._troubles: dict[tuple[str, str], tuple[float, str]] = {}

    def load(self, dataflow: str, uid: str, loads: Mapping[str, Load]) -> None:
        """Take in what an object, a DataFlow or one of its runs, has in the pools of a DataFlow, by its uid."""
        self._loads.setdefault(dataflow, {})[uid] = loads

    def stale(self, uid: str) -> None:
        """Have the pools of a DataFlow be looked at anew: something of them was changed."""
        self._seen.pop(uid, None)

    def forget(self, uid: str) -> None:
        """Forget an object that is gone."""
        self._loads.pop(uid, None)
        self._seen.pop(uid, None)
        for loads in self._loads.values():
            loads.pop(uid, None)
        known: tuple[dict[tuple[str, str], Any], ...] = (self._measured, self._troubles)
        for by_pool in known:
            for key in [key for key in by_pool if key[0] == uid]:
                del by_pool[key]

    async def look(
        self,
        place: tuple[str, str, str],
        specs: Sequence[Pool],
        uses: Mapping[str, Sequence[str]],
        store: Store | None,
    ) -> Seen:
        """Return the pools of a DataFlow, and Deployments of it whose pool is gone. ``place`` is its namespace, name
        and uid, ``uses`` has by pool what its workers must be able to run; without a ``store`` nothing is known of
        work."""
        known = self._seen.get(place[2])
        if known is not None and time.monotonic() - known[0] < FRESH and store is not None:
            return known[1]
        namespace, dataflow, uid = place
        by_name = {pool.name: pool for pool in specs}
        deployed = await self._deployed(namespace, uid)
        jobs = await self._jobs(namespace, uid) if any(one.kind == "Job" for one in specs) else []
        overview = await store.look(f"{dataflow}.{name}" for name in uses) if store is not None else Overview()
        found = []
        for name, operations in sorted(uses.items()):
            spec = by_name.get(name) or Pool(name=name)
            called = deployment_name(dataflow, name)
            own, ones = None, jobs_of(jobs, uid, name, overview.held) if spec.kind == "Job" else ()
            if spec.kind == "Job":
                own = together(called, ones)
            elif (own := deployed.pop(called, None)) is None:
                own = await self._other(namespace, called)
            seen = self._at_work(uid, f"{dataflow}.{name}", overview, own)
            modules, lacks = await self._modules(namespace, spec)
            seen = replace(seen, spec=spec, operations=tuple(operations), modules=modules, lacks=lacks, jobs=ones)
            found.append(await self._troubled(place, seen))
        self._seen[uid] = (time.monotonic(), (tuple(found), tuple(sorted(deployed))))
        return self._seen[uid][1]

    def _at_work(self, uid: str, pool: str, overview: Overview, own: Deployed | None) -> PoolSeen:
        """Return what a pool of a DataFlow, as the store calls it, has to do."""
        loads = [each[pool] for each in self._loads.get(uid, {}).values() if pool in each]
        backlog, ended = overview.ready.get(pool, 0), sum(load.ended for load in loads)
        busy = max(0, sum(load.dispatched for load in loads) - ended - backlog)
        measured = self._measured.setdefault((uid, pool), _Measured())
        workers = own.ready if own is not None else 0
        return PoolSeen(
            spec=_UNSAID,
            deployed=own,
            backlog=backlog,
            busy=busy,
            serving=overview.serving.get(pool, 0),
            missing=dict(overview.missing.get(pool, {})),
            seconds=measured.take(time.monotonic(), ended, workers, bool(busy or backlog)),
        )

    async def _jobs(self, namespace: str, uid: str) -> list[dict[str, Any]]:
        path, labels = path_of("jobs", namespace), f"{label('dataflow-uid')}={uid}"
        return [one async for one in self._cluster.each(path, labels=labels)]

    async def _deployed(self, namespace: str, uid: str) -> dict[str, Deployed]:
        path, labels = path_of("deployments", namespace), f"{label('dataflow-uid')}={uid}"
        found = [deployed_of(one, uid) async for one in self._cluster.each(path, labels=labels)]
        return {one.name: one for one in found}

    async def _other(self, namespace: str, name: str) -> Deployed | None:
        """Return a Deployment that has the name of ours and is not."""
        try:
            await self._cluster.metadata(path_of("deployments", namespace, name))
        except ClusterError as error:
            if error.status == 404:
                return None
            raise
        return Deployed(name, ours=False)

    async def _troubled(self, place: tuple[str, str, str], seen: PoolSeen) -> PoolSeen:
        """Return a pool with what is wrong with its pods, if some should be there and none serves."""
        own, (namespace, _, uid) = seen.deployed, place
        if own is None or not own.ours or seen.serving or own.ready or not own.desired:
            return seen
        now, key = time.monotonic(), (uid, seen.spec.name)
        looked, said = self._troubles.get(key, (-PODS, ""))
        if now - looked >= PODS:
            said = ""
            labels = ",".join(f"{name}={value}" for name, value in selector(uid, seen.spec.name).items())
            try:
                pods = [one async for one in self._cluster.each(path_of("pods", namespace), labels=labels)]
                said = trouble_of(pods, time.time())
            except ClusterError as error:
                if error.status != 403:  # who may not look at pods has to ask kubectl
                    raise
            self._troubles[key] = (now, said)
        trouble = "; ".join(one for one in (own.trouble, said) if one)
        return replace(seen, deployed=replace(own, trouble=trouble))

    async def _modules(self, namespace: str, spec: Pool) -> tuple[str, tuple[str, ...]]:
        """Return what stands for the content of the ConfigMaps with modules, so that pods follow it, and the names of
        those that are not there."""
        versions, lacks = [], []
        for each in spec.modulesFrom:
            try:
                said = await self._cluster.metadata(path_of("configmaps", namespace, each.configMapRef.name))
                versions.append([said.get("uid"), said.get("resourceVersion")])
            except ClusterError as error:
                if error.status != 404:
                    raise
                versions.append([each.configMapRef.name, "missing"])
                lacks.append(each.configMapRef.name)
        return digest_of({"modules": versions}) if versions else "", tuple(lacks)
