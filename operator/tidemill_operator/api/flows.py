"""Which data flow a request is about: its object says the group of its contexts and its plan, its namespace the store.

Neighbours: `contexts` (what is done with it), `..store` (the same for the operator itself).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.checks import require
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.groups import RedisGroups
from tidemill.backends.redis.openings import RedisOpenings
from tidemill.backends.redis.refusals import answered
from tidemill.errors import InvalidDocument, TidemillError
from tidemill.journal.event import LIMIT
from tidemill_operator.api.settings import ApiSettings
from tidemill_operator.cluster import Cluster, ClusterError, path_of
from tidemill_operator.decide.resources import prefix_of

__all__ = ["Flow", "Flows", "NamespaceStore", "RequestError"]

FRESH = 2.0
"""Seconds for which what an object says is taken to be so."""
KEPT = 300.0
"""Seconds after which the connections of a namespace that nobody asks about are closed."""


class RequestError(TidemillError):
    """A request that cannot be carried out as it is."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A DataFlow or a DataFlowRun: its contexts are those of ``group``. ``strict``, ``journal``, ``retention``
    (seconds) and ``cancelled`` are as its spec says."""

    plural: str
    namespace: str
    name: str
    group: str
    digest: str
    strict: bool
    journal: bool
    retention: float
    cancelled: bool


class NamespaceStore:
    """The part of the store that a namespace has."""

    def __init__(self, namespace: str, settings: ApiSettings) -> None:
        self.client = Client(
            settings.store.get_secret_value(),
            prefix=prefix_of(namespace),
            timeout=settings.timeout,
            name=f"tidemill-api-{namespace}"[:200],
            elsewhere=settings.elsewhere,
            file=settings.store_file,
        )
        self._backends: dict[tuple[float, bool], RedisBackend] = {}
        self.groups = RedisGroups(self.client)
        self.openings = RedisOpenings(self.client)
        self.used = time.monotonic()
        self._settings = settings
        self._checked = False
        self._checking = asyncio.Lock()

    async def ready(self) -> None:
        """Look the store over before it is used for the first time. Raises `StoreError`."""
        async with self._checking:
            if not self._checked:
                where = self.client.url.shown
                await require(self.client.redis, where, tag=self.client.tag, durability=self._settings.durability)
                await self.client.load()
                self._checked = True

    def backend(self, retention: float, journal: bool = False) -> RedisBackend:
        """Return what opens contexts whose endings are kept for so many seconds, with or without a ``journal``."""
        key, keep = (retention, journal), LIMIT if journal else None
        if key not in self._backends:
            self._backends[key] = RedisBackend(self.client, silent=True, retention=retention, journal=keep)
        return self._backends[key]

    async def close(self) -> None:
        """Close the connections."""
        for backend in self._backends.values():
            await backend.mail.close()
        await self.client.close()

    @asynccontextmanager
    async def asked(self, times: float = 2.0) -> AsyncIterator[None]:
        """Have what is asked meanwhile be answered in time. Raises `StoreError`."""
        self.used = time.monotonic()
        async with answered(self.client.url.shown, self._settings.timeout * times, "try again"):
            await self.ready()
            yield


class Flows:
    """Finds data flows, and the stores of their namespaces."""

    def __init__(self, cluster: Cluster, settings: ApiSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._stores: dict[str, NamespaceStore] = {}
        self._seen: dict[tuple[str, str, str], tuple[float, Flow]] = {}

    async def of(self, plural: str, namespace: str, name: str) -> Flow:
        """Return the data flow of an object. Raises `RequestError` (NotFound, NotAccepted), `ClusterError`."""
        key, now = (plural, namespace, name), time.monotonic()
        known = self._seen.get(key)
        if known is not None and known[0] > now:
            return known[1]
        flow = await self._read(plural, namespace, name)
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[key] = now + FRESH, flow
        return flow

    def stale(self, flow: Flow) -> None:
        """Look at an object again the next time: it was changed."""
        self._seen.pop((flow.plural, flow.namespace, flow.name), None)

    async def _read(self, plural: str, namespace: str, name: str) -> Flow:
        if self._settings.namespaces and namespace not in self._settings.namespaces:
            raise RequestError(f'the namespace "{namespace}" is not served here', reason="NotFound")
        try:
            said = await self._cluster.get(path_of(plural, namespace, name))
        except ClusterError as error:
            if error.status == 404:
                raise RequestError(f'there is no {plural[:-1]} "{name}" in "{namespace}"', reason="NotFound") from None
            raise
        except InvalidDocument as error:
            raise RequestError(f'{plural[:-1]} "{name}": {error.message}', reason="NotAccepted") from None
        return _flow(plural, namespace, name, said)

    def store(self, namespace: str) -> NamespaceStore:
        """Return the store of a namespace."""
        if namespace not in self._stores:
            self._stores[namespace] = NamespaceStore(namespace, self._settings)
        return self._stores[namespace]

    async def close_idle(self) -> None:
        """Close the connections of namespaces that nobody has asked about lately."""
        now = time.monotonic()
        for namespace, store in list(self._stores.items()):
            if now - store.used > KEPT:
                del self._stores[namespace]
                await store.close()

    async def close(self) -> None:
        """Close all connections."""
        while self._stores:
            await self._stores.popitem()[1].close()


def _flow(plural: str, namespace: str, name: str, said: dict[str, Any]) -> Flow:
    spec, status, meta = said.get("spec") or {}, said.get("status") or {}, said["metadata"]
    if meta.get("deletionTimestamp"):
        raise RequestError(f'{plural[:-1]} "{name}" is being deleted', reason="NotAccepted")
    conditions: list[dict[str, Any]] = status.get("conditions") or []
    accepted = next((one for one in conditions if one.get("type") == "Accepted"), {})
    if accepted.get("status") != "True" or not status.get("planDigest"):
        why = accepted.get("message") or "the operator has not looked at it yet"
        raise RequestError(f'{plural[:-1]} "{name}" has not been accepted: {why}', reason="NotAccepted")
    return Flow(
        plural,
        namespace,
        name,
        group=str(meta["uid"]),
        digest=str(status["planDigest"]),
        strict=bool(spec.get("strict", True)),
        journal=bool(spec.get("journal", False)),
        retention=float((spec.get("retention") or {}).get("resultsSeconds", 604_800)),
        cancelled=bool(spec.get("cancel", False)),
    )
