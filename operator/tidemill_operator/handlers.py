"""kopf, and everything of it that there is: which objects are watched, and who is told of them.

kopf is given metadata and no more (`cluster.METADATA`), so it never parses what somebody has written into an object.
Its events only say which object to look at; it writes nothing, keeps no annotations and no finalizers of its own.
Neighbours: `work` (who is woken), `canary` (who hears that the watches live), `cluster` (who makes the session).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import kopf

from tidemill_operator.canary import Canary
from tidemill_operator.cluster import Cluster
from tidemill_operator.names import GROUP, VERSION, label
from tidemill_operator.settings import Settings

__all__ = ["LEASES", "Seen", "watch"]

LEASES = "leases"
"""What the watch of the Lease is called for the canary."""

OURS = {"app.kubernetes.io/managed-by": "tidemill-operator"}
"""The labels of what belongs to our objects."""

ENDING = 5.0
"""Seconds that kopf has to end."""

Seen = Callable[[str, dict[str, Any], bool], None]
"""Is told of an object: its plural, its metadata, and whether it is gone."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps no copy of any object."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Store nothing."""


def _configured(settings: kopf.OperatorSettings, ours: Settings) -> None:
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.finalizer = label("kopf")
    settings.persistence.progress_storage = kopf.StatusProgressStorage(
        field="status.kopf", touch_field="status.touched"
    )
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.networking.request_timeout = ours.request
    settings.networking.connect_timeout = min(5.0, ours.request)
    settings.networking.error_backoffs = (1, 2, 5, 10)
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 100
    settings.watching.field_selectors["coordination.k8s.io", "v1", "leases"] = f"metadata.name={ours.lease_name}"
    settings.queueing.idle_timeout = 1.0
    settings.queueing.error_delays = (1, 2, 5, 10, 30, 60)
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = None  # who ends us late is the kubelet


def _registered(ours: Settings, cluster: Cluster, canary: Canary, seen: Seen) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=cluster.server, aiohttp_session=cluster.session(metadata=True))

    @kopf.on.event(GROUP, VERSION, "dataflows", registry=registry)
    async def dataflow(meta: kopf.Meta, type: str | None, **_: Any) -> None:
        canary.saw("dataflows")
        seen("dataflows", dict(meta), type == "DELETED")

    @kopf.on.event(GROUP, VERSION, "dataflowruns", registry=registry)
    async def run(meta: kopf.Meta, type: str | None, **_: Any) -> None:
        canary.saw("dataflowruns")
        seen("dataflowruns", dict(meta), type == "DELETED")

    @kopf.on.event("apps", "v1", "deployments", registry=registry, labels=OURS)
    async def deployment(meta: kopf.Meta, type: str | None, **_: Any) -> None:
        seen("deployments", dict(meta), type == "DELETED")

    @kopf.on.event("batch", "v1", "jobs", registry=registry, labels=OURS)
    async def job(meta: kopf.Meta, type: str | None, **_: Any) -> None:
        seen("jobs", dict(meta), type == "DELETED")

    if ours.clusterwide or ours.namespace in ours.namespaces:

        @kopf.on.event("coordination.k8s.io", "v1", "leases", registry=registry)
        async def lease(meta: kopf.Meta, **_: Any) -> None:
            if (meta.namespace, meta.name) == (ours.namespace, ours.lease_name):
                canary.saw(LEASES)

    return registry


async def watch(ours: Settings, cluster: Cluster, canary: Canary, seen: Seen, ready: asyncio.Event) -> None:
    """Watch until cancelled, and set ``ready`` when that has begun. Raises where kopf cannot go on."""
    settings = kopf.OperatorSettings()
    _configured(settings, ours)
    [selector] = [f"{name}={value}" for name, value in OURS.items()]
    for resource in (("apps", "v1", "deployments"), ("batch", "v1", "jobs")):
        settings.watching.label_selectors[resource] = selector
    logging.getLogger("kopf").setLevel(logging.WARNING)
    tasks = await kopf.spawn_tasks(
        registry=_registered(ours, cluster, canary, seen),
        settings=settings,
        clusterwide=ours.clusterwide,
        namespaces=ours.namespaces,
        standalone=True,
        ready_flag=ready,
        stop_flag=asyncio.Event(),  # who cancels ends it; signals are not its business
    )
    try:  # not `kopf.run_tasks`: that cancels every task of the process, whoever began it
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=ENDING)
