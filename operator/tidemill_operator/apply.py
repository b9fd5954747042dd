"""Carries out what was decided, one action after the other; each may be repeated, and be the last one for a while.

Neighbours: `decide.reconcile` (what there is to do), `cluster` and `store` (who do it), `passes` (who calls).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tidemill.errors import StoreError
from tidemill_operator.canary import Canary
from tidemill_operator.cluster import Cluster, ClusterError, path_of
from tidemill_operator.decide import reconcile as do
from tidemill_operator.decide.statuses import time_of
from tidemill_operator.kinds.objects import DataFlowObject
from tidemill_operator.metrics import Metrics
from tidemill_operator.names import CLEANUP, DATAFLOW, GROUP, VERSION
from tidemill_operator.observe import PLURALS, Observer, Sight
from tidemill_operator.observed import Given
from tidemill_operator.settings import Settings
from tidemill_operator.store import Store, Stores

__all__ = ["Applier"]

RETENTION = 7 * 24 * 3600.0
"""Seconds that endings are kept unless the DataFlow says otherwise."""
COST = "controller.kubernetes.io/pod-deletion-cost"
"""The annotation of a pod by which Kubernetes chooses which of them goes: the one with the lowest."""
MESSAGE = 1000
"""Characters of the message of an Event."""

logger = logging.getLogger("tidemill.operator")


class Applier:
    """Does what is to be done."""

    def __init__(
        self, cluster: Cluster, stores: Stores, observer: Observer, settings: Settings, canary: Canary, metrics: Metrics
    ) -> None:
        self._cluster = cluster
        self._stores = stores
        self._observer = observer
        self._settings = settings
        self._canary = canary
        self._metrics = metrics
        self._do: dict[type, Callable[[Sight, Any], Any]] = {
            do.AddFinalizer: self._add_finalizer,
            do.RemoveFinalizer: self._remove_finalizer,
            do.Publish: self._publish,
            do.Open: self._open,
            do.Suspend: lambda sight, _: self._group(sight, lambda store: store.groups.suspend(sight.meta.uid)),
            do.Resume: lambda sight, _: self._group(sight, lambda store: store.groups.resume(sight.meta.uid)),
            do.Cancel: self._cancel,
            do.Drop: lambda sight, _: self._stores.of(sight.meta.namespace).drop(sight.meta.uid),
            do.Apply: self._apply,
            do.Weigh: self._weigh,
            do.Undeploy: self._undeploy,
            do.CreateJob: self._create_job,
            do.DeleteJob: self._delete_job,
            do.DeleteObject: self._delete,
            do.Post: self.post,
        }

    async def carry_out(self, sight: Sight, action: do.Action) -> None:
        """Do one thing. Raises `ClusterError` and `StoreError`."""
        await self._do[type(action)](sight, action)

    # -- the object ---------------------------------------------------------------------------------------------------

    def _path(self, sight: Sight, sub: str = "") -> str:
        return path_of(PLURALS[sight.meta.kind], sight.meta.namespace, sight.meta.name, sub)

    async def _add_finalizer(self, sight: Sight, action: do.AddFinalizer) -> None:
        await self._finalizers(sight, [*sight.meta.finalizers, CLEANUP])

    async def _remove_finalizer(self, sight: Sight, action: do.RemoveFinalizer) -> None:
        await self._finalizers(sight, [one for one in sight.meta.finalizers if one != CLEANUP])

    async def _finalizers(self, sight: Sight, wanted: list[str]) -> None:
        """Write the finalizers of the version that was read: those of others are never lost."""
        metadata = {"finalizers": wanted, "resourceVersion": sight.meta.version, "uid": sight.meta.uid}
        now = await self._cluster.merge(self._path(sight), {"metadata": metadata})
        version = str(now.get("resourceVersion") or "")
        sight.own.add(version)
        sight.meta = replace(sight.meta, finalizers=tuple(now.get("finalizers") or ()), version=version)

    async def status(self, sight: Sight, status: Mapping[str, Any]) -> None:
        """Write the status of an object. Raises `ClusterError`."""
        gone = {name: None for name in sight.status if name not in status}
        self._canary.wrote(PLURALS[sight.meta.kind])
        body = {"metadata": {"uid": sight.meta.uid}, "status": {**status, **gone}}
        now = await self._cluster.merge(self._path(sight, "status"), body)
        if now.get("resourceVersion") == sight.meta.version:  # nothing has changed, so nothing is to be seen
            self._canary.saw(PLURALS[sight.meta.kind])
        edited = now.get("generation") != sight.meta.generation or now.get("deletionTimestamp")
        sight.own = set() if edited else {*sight.own, str(now.get("resourceVersion"))}
        self._metrics.statuses.labels(sight.meta.kind).inc()

    async def post(self, sight: Sight, action: do.Post) -> None:
        """Post an Event; one that was posted already is the same one."""
        meta, seen = sight.meta, sight.seen
        now = time_of(seen.now if seen is not None else 0.0)
        said = "/".join([meta.uid, str(meta.generation), action.reason, now])
        name = f"{meta.name[:200]}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": meta.namespace},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": meta.kind,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
                "resourceVersion": meta.version,
            },
            "type": action.type,
            "reason": action.reason,
            "message": action.message[:MESSAGE],
            "source": {"component": "tidemill-operator"},
            "reportingComponent": "tidemill.alt/operator",
            "reportingInstance": self._settings.name[:128],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._cluster.create(path_of("events", meta.namespace), event)
            self._metrics.events.labels(action.type).inc()
        except ClusterError as error:  # an Event is a courtesy: without it the status says the same
            if error.reason != "AlreadyExists":
                logger.warning("an Event of %s %s/%s is not posted: %s", meta.kind, meta.namespace, meta.name, error)

    async def _delete(self, sight: Sight, action: do.DeleteObject) -> None:
        logger.info("deleting %s %s/%s, whose time is over", action.kind, sight.meta.namespace, action.name)
        await self._cluster.delete(path_of(PLURALS[action.kind], sight.meta.namespace, action.name), uid=action.uid)

    # -- the store ----------------------------------------------------------------------------------------------------

    async def _publish(self, sight: Sight, action: do.Publish) -> None:
        accepted = await self._observer.accepted(sight)
        await self._stores.of(sight.meta.namespace).publish(accepted.plan)
        sight.known.published = True

    async def _open(self, sight: Sight, action: do.Open) -> None:
        accepted, found = await self._observer.accepted(sight), sight.found
        whole = found if isinstance(found, DataFlowObject) else sight.parent
        kept = whole.spec.retention if whole is not None else None
        known = sight.known
        left, known.left = known.left or sight.left(), None  # who is interrupted begins with the first again
        done = await self._stores.of(sight.meta.namespace).open(
            sight.meta.uid,
            accepted.plan,
            left,
            strict=found.spec.strict if found is not None else True,
            journal=found is not None and found.spec.journal,
            retention=float(kept.resultsSeconds) if kept is not None else RETENTION,
            most=self._settings.opened_at_once,
        )
        known.left = None if done else left
        if done:
            known.close()
        assert known.given is not None
        known.given = Given(known.given.many, done)

    async def _group(self, sight: Sight, call: Callable[[Store], Any]) -> None:
        store = self._stores.of(sight.meta.namespace)
        async with store.asked(4):
            await call(store)

    async def _cancel(self, sight: Sight, action: do.Cancel) -> None:
        said = f'the run "{sight.meta.name}" was cancelled'
        await self._group(sight, lambda store: store.groups.cancel(sight.meta.uid, "RunCancelled", said))

    # -- what belongs to it -------------------------------------------------------------------------------------------

    async def _apply(self, sight: Sight, action: do.Apply) -> None:
        metadata = action.manifest["metadata"]
        path = path_of("deployments", metadata["namespace"], metadata["name"])
        if action.change:
            direction = "up" if action.change > 0 else "down"
            self._metrics.scaled.labels(direction).inc()
            logger.info("%s/%s is to have %d workers", metadata["namespace"], metadata["name"],
                action.manifest["spec"]["replicas"])  # fmt: skip
        await self._cluster.apply(path, action.manifest)

    async def _weigh(self, sight: Sight, action: do.Weigh) -> None:
        """Annotate pods with what they hold, in powers of two, where that has changed: so most need no write."""
        namespace, labels = sight.meta.namespace, ",".join(f"{name}={value}" for name, value in action.labels.items())
        try:
            held = (await self._stores.of(namespace).look(())).held
            by_pod = {worker.rsplit("-", 2)[0]: many for worker, many in held.items()}
            async for pod in self._cluster.each(path_of("pods", namespace), labels=labels):
                metadata = pod["metadata"]
                cost = str(by_pod.get(str(metadata["uid"]), 0).bit_length())
                if cost != (metadata.get("annotations") or {}).get(COST, "0"):
                    said = {"metadata": {"uid": metadata["uid"], "annotations": {COST: cost}}}
                    await self._cluster.merge(path_of("pods", namespace, metadata["name"]), said)
        except (ClusterError, StoreError) as error:  # whichever goes then, hands back what it has
            logger.warning("which pods are idle is not known, so any may be taken away: %s", error)

    async def _undeploy(self, sight: Sight, action: do.Undeploy) -> None:
        assert sight.meta.kind == DATAFLOW
        await self._cluster.delete(path_of("deployments", sight.meta.namespace, action.name))

    async def _create_job(self, sight: Sight, action: do.CreateJob) -> None:
        try:
            await self._cluster.create(path_of("jobs", sight.meta.namespace), action.manifest)
        except ClusterError as error:
            if error.reason != "AlreadyExists":  # else it was made by a pass whose answer was lost
                raise
        self._metrics.jobs.labels("create").inc()

    async def _delete_job(self, sight: Sight, action: do.DeleteJob) -> None:
        await self._cluster.delete(path_of("jobs", sight.meta.namespace, action.name), uid=action.uid)
        self._metrics.jobs.labels("delete").inc()
