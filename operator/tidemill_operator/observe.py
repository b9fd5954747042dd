"""Looks at an object and all around it: what it says, what belongs to it, and what the store has of it.

What was worked out of a generation of an object is kept in a few words, so that most passes compile nothing.
Neighbours: `cluster`, `pools`, `store` (who are asked), `observed` (what comes out), `kinds.accept` (what it means).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from tidemill.errors import InvalidFlow, LoadError, StoreError, TidemillError
from tidemill_operator.cluster import Cluster, ClusterError, path_of
from tidemill_operator.decide.statuses import failed_or_done, seconds_of
from tidemill_operator.files import Files
from tidemill_operator.kinds.accept import Accepted, GivenSet, accept, config_map_keys, file_sets, input_sets
from tidemill_operator.kinds.objects import DataFlowObject, DataFlowRunObject, parse_object, read_object
from tidemill_operator.names import DATAFLOW, DATAFLOWRUN
from tidemill_operator.observed import PASSING, Finding, Flow, Given, Meta, Observed, PoolSeen, Stored
from tidemill_operator.pools import Pools
from tidemill_operator.settings import Settings
from tidemill_operator.store import Stores

__all__ = ["PLURALS", "Known", "Observer", "Sight", "reason_of"]

PLURALS = {DATAFLOW: "dataflows", DATAFLOWRUN: "dataflowruns"}
"""What the kinds are called in paths."""

Found = DataFlowObject | DataFlowRunObject


@dataclass(slots=True)
class Known:
    """What was worked out of one generation of an object, and of the texts that it refers to: ``key`` says of which.

    ``uses`` has by pool the names of the code that its operations need. ``opened`` says that every input set has been
    opened, ``published`` that the plan was; ``written`` is a status that cannot be read again. ``files`` are those of
    inputs that were fetched, by their place in ``inputsFrom``, and ``left`` the input sets that are still to be
    opened, until all are."""

    key: tuple[Any, ...] = ()
    flow: Flow | None = None
    findings: tuple[Finding, ...] = ()
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    given: Given | None = None
    published: bool = False
    written: dict[str, Any] | None = None
    files: dict[int, IO[bytes]] = field(default_factory=dict)
    left: Iterator[GivenSet] | None = None

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let the files go: nobody reads them any more."""
        for file in self.files.values():
            file.close()
        self.files = {}


@dataclass(slots=True)
class Sight:
    """What a pass is about: the object as it was read, what was worked out of it, and what was seen around it.
    ``own`` are the versions of the object that the pass has read or made, unless somebody else has edited it
    meanwhile."""

    meta: Meta
    status: dict[str, Any]
    known: Known
    found: Found | None = None
    parent: DataFlowObject | None = None
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    accepted: Accepted | None = None
    seen: Observed | None = None
    own: set[str] = field(default_factory=set)

    def left(self) -> Iterator[GivenSet]:
        """Yield the input sets, also those of files that were fetched. Raises `InvalidFlow`."""
        assert self.found is not None and self.accepted is not None
        yield from self.sets()
        for at, file in self.known.files.items():
            file.seek(0)
            yield from file_sets(self.found, self.accepted, self.found.spec.inputsFrom[at], file)

    def sets(self) -> list[GivenSet]:
        """Return the input sets. Raises `InvalidFlow`."""
        assert self.found is not None and self.accepted is not None
        return input_sets(self.found, self.accepted, self.texts)


class Observer:
    """Looks at objects."""

    def __init__(self, cluster: Cluster, stores: Stores, pools: Pools, settings: Settings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._files = Files(cluster, settings)
        self._stores = stores
        self._pools = pools

    async def read(self, kind: str, namespace: str, name: str, known: Known) -> Sight | None:
        """Return an object as it is now; None if it is gone. Raises `ClusterError`."""
        path = path_of(PLURALS[kind], namespace, name)
        try:
            raw = await self._cluster.read(path)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise
        try:
            said = parse_object(raw, f"{kind} {name}")
        except TidemillError as error:
            metadata = await self._cluster.metadata(path)
            finding = Finding(error.reason, error.message, error.path)
            kept = known.written if known.key[:1] == (metadata.get("generation"),) else None
            known = Known((metadata.get("generation"),), findings=(finding,), written=kept)
            meta = _meta(kind, metadata)
            return Sight(meta, dict(kept or {}), known, own={meta.version})
        meta = _meta(kind, said.get("metadata") or {})
        status = said.get("status")
        sight = Sight(meta, status if isinstance(status, dict) else {}, known, own={meta.version})
        if meta.deleted is None:
            await self._understand(sight, said)
        return sight

    async def _understand(self, sight: Sight, said: dict[str, Any]) -> None:
        """Work out what an object says, unless that was done."""
        meta, known = sight.meta, sight.known
        try:
            sight.found = read_object(said)
            versions = await self._texts(sight, sight.found)
            if isinstance(sight.found, DataFlowRunObject):
                versions += await self._parent(sight, sight.found)
            key = (meta.generation, *versions)
            if known.key != key:
                sight.known = Known(key)
                await self._work_out(sight)
        except StoreError:  # the plan that the run began with cannot be read now; `around` says so
            found = sight.found
            name = found.spec.dataFlowRef.name if isinstance(found, DataFlowRunObject) else sight.meta.name
            sight.known = Known(flow=Flow(str(sight.status.get("planDigest")), name))
        except InvalidFlow as error:
            findings = tuple(Finding(one.reason, one.message, one.path) for one in error.problems)
            sight.known = Known((meta.generation,), findings=findings)
        except TidemillError as error:
            if isinstance(error, ClusterError):
                raise
            finding = Finding(error.reason, error.message, error.path)
            again = ("again",) if error.reason in PASSING else ()  # nothing else would tell that it is right now
            sight.known = Known((meta.generation, *again), findings=(finding,))

    async def _texts(self, sight: Sight, found: Found) -> list[Any]:
        """Read the texts in ConfigMaps that an object refers to, and return which versions of them those are."""
        versions: list[Any] = []
        said: dict[str, dict[str, Any]] = {}
        for key in config_map_keys(found):
            if key.name not in said:
                try:
                    path = path_of("configmaps", sight.meta.namespace, key.name)
                    said[key.name] = await self._cluster.get(path)
                except ClusterError as error:
                    if error.status != 404:
                        raise
                    said[key.name] = {}
                versions.append((said[key.name].get("metadata") or {}).get("resourceVersion"))
            text = (said[key.name].get("data") or {}).get(key.key)
            if isinstance(text, str):
                sight.texts[key.name, key.key] = text
        return versions

    async def _parent(self, sight: Sight, found: DataFlowRunObject) -> list[Any]:
        """Read the DataFlow of a run. Raises `InvalidFlow` where there is none that could be run."""
        name = found.spec.dataFlowRef.name
        try:
            raw = await self._cluster.read(path_of("dataflows", sight.meta.namespace, name))
        except ClusterError as error:
            if error.status != 404:
                raise
            if sight.status.get("planDigest"):
                return ["gone"]
            said = f'there is no DataFlow "{name}" in this namespace; the run begins when there is one'
            raise TidemillError(said, reason="DataFlowNotFound", path="/spec/dataFlowRef/name") from None
        try:
            parent = read_object(parse_object(raw, f"DataFlow {name}"))
            assert isinstance(parent, DataFlowObject)
            sight.parent = parent
            if sight.status.get("planDigest"):
                return [parent.metadata.uid]
            return [parent.metadata.uid, parent.metadata.generation, *await self._texts(sight, parent)]
        except TidemillError as error:
            if isinstance(error, ClusterError):
                raise
            if sight.status.get("planDigest"):
                return ["unreadable"]
            raise TidemillError(_of_parent(name, error.message), reason="InvalidFlow") from None

    async def _work_out(self, sight: Sight) -> None:
        """Compile the data flow, and look what is to be opened. Raises `InvalidFlow`."""
        known, accepted = sight.known, await self.accepted(sight)
        found = sight.found
        assert found is not None
        name = found.metadata.name if isinstance(found, DataFlowObject) else found.spec.dataFlowRef.name
        warnings = tuple(f"{one.path}: {one.message}"[:300] for one in accepted.warnings[:20])
        known.flow = Flow(accepted.plan.digest, name, warnings)
        known.uses = _uses(accepted)
        done = failed_or_done(sight.status) and sight.status.get("observedGeneration") == sight.meta.generation
        many = len(sight.sets()) + (0 if done else await self._fetched(sight))
        limit = accepted.plan.limits.contexts
        if limit is not None and many > limit:
            said = f"there are {many} contexts, and the limit contexts is {limit}"
            raise TidemillError(said, reason="ContextLimitExceeded", path="/spec/inputs")
        known.given = Given(many, done or not many)

    async def _fetched(self, sight: Sight) -> int:
        """Fetch the files of inputs that are at a URL, look whether all in them can be taken, and return how many
        contexts that is."""
        many, found = 0, sight.found
        assert found is not None and sight.accepted is not None
        for at, source in enumerate(found.spec.inputsFrom):
            if source.url is not None:
                try:
                    file = await self._files.fetch(sight.meta.namespace, source)
                    sight.known.files[at] = file
                    sets = file_sets(found, sight.accepted, source, file)
                    many += await asyncio.to_thread(self._counted, sets, source.url)
                except TidemillError as error:
                    if isinstance(error, ClusterError):
                        raise
                    said = f"{error.message} ({error.path})" if error.path else error.message
                    raise TidemillError(said, reason=error.reason, path=f"/spec/inputsFrom/{at}/url") from None
        return many

    def _counted(self, sets: Iterator[GivenSet], url: str) -> int:
        many, most = 0, self._settings.url_contexts
        for _ in sets:
            many += 1
            if many > most:
                said = f"{url} has more than {most} contexts; divide it, or submit them by the HTTP API"
                raise TidemillError(said, reason="ContextLimitExceeded")
        return many

    async def accepted(self, sight: Sight) -> Accepted:
        """Return the data flow of an object, compiled; for a run that has begun the one that it began with.

        Raises `InvalidFlow`, and `StoreError` where that is in a store that is away.
        """
        if sight.accepted is None:
            if isinstance(sight.found, DataFlowObject):
                sight.accepted = accept(sight.found, sight.texts)
            else:
                assert isinstance(sight.found, DataFlowRunObject)
                sight.accepted = await self._pinned(sight) or self._of_run(sight.found, sight)
        return sight.accepted

    async def _pinned(self, sight: Sight) -> Accepted | None:
        digest = sight.status.get("planDigest")
        if not digest:
            return None
        try:
            plan = await self._stores.of(sight.meta.namespace).plan(str(digest))
        except LoadError:  # the store was emptied: what is left is what the DataFlow says by now
            return None
        pools = {operation.pool.rpartition(".")[2] for operation in plan.dataflow.operations.values()}
        return Accepted(plan.dataflow, plan, tuple(sorted(pools)))

    def _of_run(self, found: DataFlowRunObject, sight: Sight) -> Accepted:
        name = found.spec.dataFlowRef.name
        if sight.parent is None:
            raise TidemillError(f'there is no DataFlow "{name}" in this namespace any more', reason="DataFlowNotFound")
        try:
            return accept(sight.parent, sight.texts, limits=found.spec.limits)
        except InvalidFlow as error:
            raise TidemillError(_of_parent(name, error.message), reason="InvalidFlow") from None

    # -- around it ----------------------------------------------------------------------------------------------------

    async def around(self, sight: Sight) -> Observed:
        """Return all that is to be seen of an object now. Raises `ClusterError`."""
        meta, known = sight.meta, sight.known
        seen = Observed(meta, sight.status, time.time(), findings=known.findings, flow=known.flow, given=known.given)
        if sight.found is not None:
            seen = replace(seen, spec=sight.found.spec)
        store, absent, stored = self._stores.of(meta.namespace), None, None
        try:
            incarnation = await store.ready()
            if meta.deleted is None and known.flow is not None:
                stored = await store.group(meta.uid, incarnation)
                known.published = known.published or await store.published(known.flow.digest)
        except StoreError as error:
            absent = Finding(reason_of(error), error.message)
        seen = replace(seen, stored=stored, absent=absent, published=known.published)
        if meta.deleted is not None or known.flow is None:
            return seen
        return await self._with_pools(sight, seen, stored)

    async def _with_pools(self, sight: Sight, seen: Observed, stored: Stored | None) -> Observed:
        meta, known = sight.meta, sight.known
        whole = sight.found if isinstance(sight.found, DataFlowObject) else sight.parent
        assert known.flow is not None
        if whole is None:
            return replace(seen, orphan=True)
        owner = whole.metadata.uid
        if stored is not None:
            self._pools.load(owner, meta.uid, stored.loads)
        store = self._stores.of(meta.namespace) if seen.absent is None else None
        place = (meta.namespace, known.flow.dataflow, owner)
        pools: tuple[PoolSeen, ...] = ()
        stray: tuple[str, ...] = ()
        try:
            pools, stray = await self._pools.look(place, whole.spec.pools, known.uses, store)
        except StoreError as error:
            seen = replace(seen, absent=Finding(reason_of(error), error.message))
        runs = await self._runs(sight) if seen.absent is None else ()
        return replace(seen, pools=pools, stray=stray if meta.kind == DATAFLOW else (), runs=runs)

    async def _runs(self, sight: Sight) -> tuple[tuple[str, str, bool], ...]:
        """Return the ended runs of a DataFlow that bounds its history, oldest first."""
        if not isinstance(sight.found, DataFlowObject) or sight.found.spec.historyLimits is None:
            return ()
        found = []
        async for one in self._cluster.each(path_of("dataflowruns", sight.meta.namespace)):
            status, metadata = one.get("status") or {}, one["metadata"]
            named = ((one.get("spec") or {}).get("dataFlowRef") or {}).get("name") == sight.meta.name
            if named and failed_or_done(status) and not metadata.get("deletionTimestamp"):
                ended = seconds_of(status.get("completionTime")) or 0.0
                good = any((c.get("type"), c.get("status")) == ("Succeeded", "True") for c in status["conditions"])
                found.append((ended, str(metadata["name"]), str(metadata["uid"]), good))
        return tuple((name, uid, good) for _, name, uid, good in sorted(found))


def reason_of(error: StoreError) -> str:
    """Return the reason that people are told: that the store is away, or what is wrong with it."""
    return "StoreUnavailable" if error.reason in ("StoreUnavailable", "StoreFull") else "StoreMisconfigured"


def _of_parent(name: str, message: str) -> str:
    return f'the DataFlow "{name}" is not accepted: {message}'


def _uses(accepted: Accepted) -> dict[str, tuple[str, ...]]:
    """Return by pool, as the object calls it, the names of the code that is needed there."""
    found: dict[str, set[str]] = {name: set() for name in accepted.pools}
    for operation in accepted.dataflow.operations.values():
        found.setdefault(operation.pool.rpartition(".")[2], set()).add(operation.name)
    return {pool: tuple(sorted(names)) for pool, names in found.items()}


def _meta(kind: str, said: Mapping[str, Any]) -> Meta:
    return Meta(
        kind=kind,
        namespace=str(said.get("namespace") or ""),
        name=str(said.get("name") or ""),
        uid=str(said.get("uid") or ""),
        generation=int(said.get("generation") or 0),
        version=str(said.get("resourceVersion") or ""),
        created=seconds_of(said.get("creationTimestamp")) or 0.0,
        deleted=seconds_of(said.get("deletionTimestamp")),
        finalizers=tuple(str(one) for one in said.get("finalizers") or ()),
    )
