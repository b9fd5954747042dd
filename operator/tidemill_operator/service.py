"""The operator as one process: it waits for the Lease, watches, makes passes, and ends when it is told to or has to.

Neighbours: `__main__` (which starts it), and all other modules, which it puts together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import sys
import time
from functools import partial
from typing import Any

from tidemill.errors import StoreError, TidemillError
from tidemill.runtime.health import Health
from tidemill_operator.apply import Applier
from tidemill_operator.canary import Canary
from tidemill_operator.cluster import Cluster, ClusterError
from tidemill_operator.decide.reconcile import Policy
from tidemill_operator.decide.resources import Workers
from tidemill_operator.handlers import LEASES, watch
from tidemill_operator.kinds.crd import KINDS, REVISION
from tidemill_operator.leader import Leader
from tidemill_operator.metrics import Metrics
from tidemill_operator.names import DATAFLOW, DATAFLOWRUN, GROUP, VERSION, label
from tidemill_operator.observe import PLURALS, Observer
from tidemill_operator.passes import Passes
from tidemill_operator.pools import Pools
from tidemill_operator.settings import Settings
from tidemill_operator.store import Stores
from tidemill_operator.work import ANY, Item, Work

__all__ = ["Operator"]

LOOK = 2.0
"""Seconds between two looks at the pools of a namespace, so that workers come when there is work."""
KIND_OF = {plural: kind for kind, plural in PLURALS.items()}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

logger = logging.getLogger("tidemill.operator")


class Operator:
    """One operator process."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self.settings = settings
        self.cluster = cluster
        self.metrics = Metrics(objects=settings.metrics_of_objects)
        self.canary = Canary(patience=settings.canary, lag=settings.lag)
        self.leader = Leader(
            cluster, settings.namespace, settings.lease_name, settings.name,
            duration=settings.lease, every=settings.renew, within=settings.renew_within,
        )  # fmt: skip
        self.work = Work(settings.passes)
        self.stores = Stores(settings, self.leader, self.metrics)
        self.pools = Pools(cluster)
        observer = Observer(cluster, self.stores, self.pools, settings)
        applier = Applier(cluster, self.stores, observer, settings, self.canary, self.metrics)
        self.passes = Passes(self.work, observer, applier, self.pools, policy_of(settings), self.metrics)
        self.watching = asyncio.Event()
        self.port = -1
        self.waits = ""
        self._stop = asyncio.Event()
        self._measure()

    def _measure(self) -> None:
        metrics, cluster = self.metrics, self.cluster
        metrics.leader.set_function(lambda: self.leader.holds)
        metrics.canary.set_function(lambda: self.canary.age)
        metrics.lag.set_function(lambda: self.canary.lag)
        metrics.silence.set_function(lambda: time.monotonic() - cluster.answered)
        metrics.memory.set_function(_memory)
        for kind in PLURALS:
            metrics.objects.labels(kind).set_function(partial(self._many, kind))
        cluster.done = lambda verb, status: metrics.requests.labels(verb, str(status)).inc()
        cluster.guard = self.leader.guard

    def _many(self, kind: str) -> float:
        return float(sum(item.kind == kind for item in self.work.items.values()))

    def _renewed(self) -> None:
        if self._watched:
            self.canary.wrote(LEASES)

    def stop(self) -> None:
        """End in good order."""
        self._stop.set()

    async def run(self) -> int:
        """Work until SIGTERM or SIGINT, and return the exit code: 0, or 1 if it has to be started anew."""
        self._hear_signals()
        settings = self.settings
        health = Health(
            settings.host, settings.port, live=self.canary.late, ready=self.not_ready, metrics=self.metrics.text
        )
        async with health:
            self.port = health.port
            if health.port >= 0:
                logger.info("health at http://%s:%d", settings.host, health.port)
            ticking = asyncio.create_task(self.canary.tick())
            try:
                return await self._until_stopped(self._work())
            finally:
                ticking.cancel()
                await self.leader.release()
                await self.stores.close()
                await self.cluster.close()

    def _hear_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)

    async def _until_stopped(self, work: Any) -> int:
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return 0
            task.result()
            return 1
        except BaseExceptionGroup as group:
            logger.error("the operator ends, to be started anew: %s", "; ".join(_said(group)))
            return 1
        except TidemillError as error:
            logger.error("the operator ends, to be started anew: %s", error.message)
            return 1
        finally:
            for one in (task, stopped):
                one.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    # -- what it does -------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Act for as long as the Lease is held."""
        await self.leader.acquire()
        self.leader.renewed = self._renewed
        await self._kinds()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.leader.keep())
            tasks.create_task(self._watch())
            tasks.create_task(self.work.run(self.passes))
            tasks.create_task(self._look())

    @property
    def _watched(self) -> bool:
        """Say whether the Lease is seen by a watch: not where the operator does not look after its own namespace."""
        settings = self.settings
        return self.watching.is_set() and (settings.clusterwide or settings.namespace in settings.namespaces)

    async def _kinds(self) -> None:
        """Wait until the cluster has our kinds, as new as this version needs them: kopf looks for them only once."""
        while True:
            with contextlib.suppress(ClusterError):
                wrong = await self._wrong_kinds()
                if wrong != self.waits and wrong:
                    logger.error("waiting: %s", wrong)
                self.waits = wrong
                if not wrong:
                    return
            await asyncio.sleep(self.settings.renew)

    async def _wrong_kinds(self) -> str:
        """Return what is wrong with the definitions of our kinds. Raises `ClusterError`."""
        try:
            found = await self.cluster.get(f"/apis/{GROUP}/{VERSION}")
        except ClusterError as error:
            if error.status != 404:
                raise
            found = {}
        missing = {DATAFLOW, DATAFLOWRUN} - {str(one.get("kind")) for one in found.get("resources") or ()}
        if missing:
            names = " and ".join(sorted(missing))
            return f"CrdMissing: the cluster has no kind {names} of {GROUP}/{VERSION}; apply their definitions"
        for kind in KINDS:
            try:
                said = await self.cluster.metadata(f"{DEFINITIONS}/{kind.name}")
            except ClusterError as error:
                if error.status in (403, 404):  # who may not see definitions takes them as they are
                    continue
                raise
            has = str((said.get("annotations") or {}).get(label("schema-revision"), "0"))
            if not has.isdigit() or int(has) < REVISION:
                return f"CrdTooOld: {kind.name} has revision {has}, and has to have {REVISION}; apply the definitions"
        return ""

    async def _watch(self) -> None:
        watching = asyncio.create_task(watch(self.settings, self.cluster, self.canary, self.seen, self.watching))
        try:
            await asyncio.wait([watching, asyncio.ensure_future(self.watching.wait())], return_when="FIRST_COMPLETED")
            self._hear_signals()  # kopf has taken them for itself
            logger.info("watching")
            await watching
            raise TidemillError("the watches have ended", reason="WatchesEnded")
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def seen(self, plural: str, metadata: dict[str, Any], gone: bool) -> None:
        """Take note of something that a watch has shown."""
        namespace, name, uid = (str(metadata.get(key) or "") for key in ("namespace", "name", "uid"))
        if plural in ("deployments", "jobs"):
            for owner in metadata.get("ownerReferences") or ():
                if owner.get("uid") in self.work.items:
                    self.work.wake(owner["uid"], DATAFLOW, namespace, owner["name"])
            return
        version = ANY if gone else str(metadata.get("resourceVersion") or "")
        self.work.wake(uid, KIND_OF[plural], namespace, name, version=version)
        if plural == "dataflows":  # runs may wait for it
            self.work.wake_all(DATAFLOWRUN, namespace, self._waits)

    def _waits(self, item: Item) -> bool:
        known = getattr(item.memory, "known", None)
        return known is not None and known.flow is None

    def _flows(self, namespace: str) -> set[str]:
        return {one.name for one in self.work.items.values() if (one.kind, one.namespace) == (DATAFLOW, namespace)}

    async def _look(self) -> None:
        """Look now and then at the pools of each namespace, and wake whose work has changed while nobody looked."""
        before: dict[tuple[str, str], tuple[int, int, tuple[str, ...]]] = {}
        while True:
            await asyncio.sleep(LOOK * max(1.0, len(self.stores.open) / 20))
            await self.stores.close_idle({item.namespace for item in self.work.items.values()})
            for namespace, store in self.stores.open.items():
                store.keep(self._flows(namespace))
                before = {key: said for key, said in before.items() if key[0] != namespace or key[1] in store.pools}
                try:
                    overview = await store.look(())
                except StoreError:
                    continue
                for pool in store.pools:
                    missing = tuple(sorted(overview.missing.get(pool, ())))
                    said = overview.ready.get(pool, 0), overview.serving.get(pool, 0), missing
                    if said != before.get((namespace, pool), (0, said[1], ())):
                        self.work.wake_all(DATAFLOW, namespace, partial(_called, pool.rpartition(".")[0]))
                    before[namespace, pool] = said

    # -- health -------------------------------------------------------------------------------------------------------

    def not_ready(self) -> list[str]:
        """Return why the operator does not do all it should. One that waits for the Lease does."""
        found = []
        silence = time.monotonic() - self.cluster.answered
        if silence > 2 * self.settings.lease:
            found.append(f"the API server has not answered for {silence:.0f} s")
        if self.waits:
            found.append(self.waits)
        elif self.leader.holds and not self.watching.is_set():
            found.append("the watches have not begun")
        return found


def policy_of(settings: Settings) -> Policy:
    """Return what is decided by."""
    workers = Workers(
        image=settings.worker_image,
        pull_policy=settings.worker_pull_policy,
        account=settings.worker_account,
        secret=settings.store_secret,
        secret_key=settings.store_secret_key,
        durability=settings.durability,
        elsewhere=settings.elsewhere,
    )
    return Policy(workers, settings.finalizer_timeout, settings.progress, settings.refresh)


def _called(name: str, item: Item) -> bool:
    return item.name == name


def _said(group: BaseExceptionGroup[BaseException]) -> list[str]:
    found = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _said(error)
        else:
            found.append(f"{type(error).__name__}: {error}")
    return found


def _memory() -> float:
    """Return bytes: what is in use now where the kernel says so, else the most that was."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", "rb") as file:
        return float(int(file.read().split()[1]) * resource.getpagesize())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else most * 1024)
