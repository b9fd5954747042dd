"""One operator acts at a time: who holds the Lease does, and anybody else waits.

A Lease is over for others when they have seen it unchanged for its length by a clock of their own that nobody sets,
and for its holder earlier, counted from when its last good renewal was sent. So clocks that differ or jump change
nothing, and a process that was stopped for a while knows it at its next write: `Leader.guard` stands before each.
Neighbours: `cluster` (which asks the guard), `store` (whose epochs are noted in the Lease's annotations).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tidemill.errors import TidemillError
from tidemill_operator.cluster import Cluster, ClusterError, path_of

__all__ = ["Leader", "LeaseLost", "boottime"]

logger = logging.getLogger("tidemill.operator")


def boottime() -> float:
    """Return seconds by a clock that nobody sets, and that goes on while the machine sleeps where there is such a
    one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseLost(TidemillError):
    """Another operator may be acting by now, so this one must not."""


class Leader:
    """The Lease ``name`` in ``namespace``, and whether this process, ``who``, holds it.

    ``duration``: seconds after which others take over, ``every``: seconds between renewals, ``within``: seconds after
    the last good one at which this process holds it no longer. ``renewed`` is called after each. ``clock`` is
    `boottime`.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        who: str,
        *,
        duration: float,
        every: float,
        within: float,
        clock: Callable[[], float] = boottime,
    ) -> None:
        self.who = f"{who}_{secrets.token_hex(4)}"
        self.notes: dict[str, str] = {}
        self.holder = ""
        self.renewed: Callable[[], None] = lambda: None
        self._cluster = cluster
        self._place = (namespace, name)
        self._path = path_of("leases", namespace, name)
        self._duration, self._every, self._within = duration, every, within
        self._clock = clock
        self._good: float | None = None
        self._seen: tuple[object, float] = (None, 0.0)
        self._lease: dict[str, Any] = {}
        self._writing = asyncio.Lock()

    @property
    def holds(self) -> bool:
        """Say whether this process may act."""
        return self._good is not None and self._clock() - self._good < self._within

    def guard(self) -> None:
        """Raise `LeaseLost` where somebody else may be acting."""
        if not self.holds:
            said = f"the Lease {'/'.join(self._place)} is not held by {self.who} any more; another operator may act"
            raise LeaseLost(said, reason="LeaseLost")

    async def acquire(self) -> None:
        """Wait until this process holds the Lease."""
        waited = False
        while not await self._take():
            if not waited and self.holder:
                logger.info("waiting: the Lease %s is held by %s", "/".join(self._place), self.holder)
                waited = True
            await asyncio.sleep(self._every)
        logger.info("acting: the Lease %s is held by %s", "/".join(self._place), self.who)

    async def keep(self) -> None:
        """Renew the Lease until it is lost. Raises `LeaseLost`."""
        while True:
            await asyncio.sleep(self._every)
            try:
                async with asyncio.timeout(max(0.1, self._every)):
                    await self._renew()
            except TimeoutError:
                logger.warning("the Lease %s could not be renewed in time", "/".join(self._place))
            self.guard()

    async def note(self, **notes: str) -> None:
        """Keep words in the annotations of the Lease, before anything is done that relies on them. Raises
        `ClusterError`, `LeaseLost`."""
        if any(self.notes.get(name) != value for name, value in notes.items()):
            await self._renew(notes)
            if any(self.notes.get(name) != value for name, value in notes.items()):
                raise LeaseLost(
                    "the Lease could not be written, so what was to be noted in it was not", reason="LeaseLost"
                )

    async def release(self) -> None:
        """Let go of the Lease, so that nobody has to wait for its end."""
        if not self.holds:
            return
        with contextlib.suppress(ClusterError, TimeoutError):
            async with self._writing, asyncio.timeout(self._every):
                spec = {**self._lease.get("spec", {}), "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._cluster.replace(self._path, {**self._lease, "spec": spec}, guarded=False)
        self._good = None

    # -- one step -----------------------------------------------------------------------------------------------------

    async def _take(self) -> bool:
        """Take the Lease if nobody has it, or whoever had it has been silent for too long."""
        sent = self._clock()
        try:
            async with asyncio.timeout(self._duration / 2):
                self._lease = await self._cluster.get(self._path)
                if not self._over(self._lease.get("spec") or {}):
                    return False
                written = await self._cluster.replace(self._path, self._mine({}), guarded=False)
        except ClusterError as error:
            if error.status != 404:
                logger.warning("the Lease cannot be taken now: %s", error.message)
                return False
            return await self._create()
        except TimeoutError:
            return False
        self._written(written, sent)
        return True

    async def _create(self) -> bool:
        sent = self._clock()
        namespace, name = self._place
        self._lease = {"metadata": {"name": name, "namespace": namespace}, "spec": {}}
        try:
            written = await self._cluster.create(path_of("leases", namespace), self._mine({}), guarded=False)
        except ClusterError as error:
            if error.reason != "AlreadyExists":
                logger.warning("the Lease cannot be made now: %s", error.message)
            return False
        self._written(written, sent)
        return True

    def _over(self, spec: Mapping[str, Any]) -> bool:
        """Say whether the Lease is nobody's, by how long it has looked the same."""
        self.holder = str(spec.get("holderIdentity") or "")
        what = (self.holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        now = self._clock()
        if what != self._seen[0]:
            self._seen = (what, now)
        lasts = max(float(spec.get("leaseDurationSeconds") or 0), self._duration)
        return not self.holder or now - self._seen[1] > lasts

    async def _renew(self, notes: Mapping[str, str] | None = None) -> None:
        async with self._writing:
            sent = self._clock()
            try:
                self._written(await self._cluster.replace(self._path, self._mine(notes or {}), guarded=False), sent)
            except ClusterError as error:
                logger.warning("the Lease cannot be renewed now: %s", error.message)
                await self._look(error)

    async def _look(self, error: ClusterError) -> None:
        """Look what has become of the Lease when it was not the one that we have written."""
        if error.status not in (404, 409):
            return
        with contextlib.suppress(ClusterError):
            found = await self._cluster.get(self._path)
            if (found.get("spec") or {}).get("holderIdentity") == self.who:  # somebody has added a label, say
                self._lease = found
                return
        self._good = None

    def _mine(self, notes: Mapping[str, str]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = dict(self._lease.get("spec") or {})
        if spec.get("holderIdentity") != self.who:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = now
        spec.update(holderIdentity=self.who, leaseDurationSeconds=max(1, round(self._duration)), renewTime=now)
        metadata = dict(self._lease["metadata"])
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _written(self, written: dict[str, Any], sent: float) -> None:
        self._lease = written
        self._good = sent
        self.holder = self.who
        self.notes = dict((written.get("metadata") or {}).get("annotations") or {})
        self.renewed()
