"""What a pass over an object has seen: plain data, from which everything is decided.

Neighbours: `observe` (who looks), `decide` (who reads this and nothing else).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.kinds.run import DataFlowRunSpec

__all__ = [
    "PASSING",
    "Deployed",
    "Finding",
    "Flow",
    "Given",
    "JobSeen",
    "Load",
    "Meta",
    "Observed",
    "PoolSeen",
    "Stored",
]

PASSING = frozenset({"ConfigMapKeyNotFound", "FileNotFound", "FileUnreachable", "SecretForbidden", "SecretNotFound"})
"""Reasons of findings that may be gone in a moment, though the object stays as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: one CamelCase word, a JSON pointer into the object if there is one, and what to do."""

    reason: str
    message: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Meta:
    """Which object it is. ``deleted`` is when it was asked to go, in seconds since 1970."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int = 1
    version: str = ""
    created: float = 0.0
    deleted: float | None = None
    finalizers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployed:
    """The Deployment of a pool, as it is, or its Jobs taken together. ``trouble`` is what Kubernetes says against it,
    ``digest`` what we applied."""

    name: str
    digest: str = ""
    desired: int = 0
    replicas: int = 0
    ready: int = 0
    trouble: str = ""
    ours: bool = True


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A Job of a pool. ``state``: it has no parameter set (waiting: not yet, or not any more), it has one (working), or
    it has ended (succeeded, failed), with ``trouble``. Times are in seconds since 1970."""

    name: str
    uid: str
    number: int
    state: Literal["waiting", "working", "succeeded", "failed"]
    digest: str = ""
    ready: bool = False
    created: float = 0.0
    ended: float = 0.0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """A pool of the data flow. ``operations`` are the names of the code that its workers must have, ``backlog`` how
    many parameter sets are ready, ``busy`` how many are with workers, ``serving`` how many processes serve it,
    ``missing`` what workers lack, and why, by name. ``seconds`` are those of a worker for one parameter set, once
    measured. ``jobs`` are those of a pool of kind Job, ``lacks`` the names of ConfigMaps with modules that are not
    there."""

    spec: Pool
    operations: tuple[str, ...] = ()
    deployed: Deployed | None = None
    backlog: int = 0
    busy: int = 0
    serving: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    modules: str = ""
    jobs: tuple[JobSeen, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """The data flow that is run: the digest of its plan, and warnings about it."""

    digest: str
    dataflow: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """The input sets: how many there are, and whether each has been opened."""

    many: int
    opened: bool


@dataclass(frozen=True, slots=True)
class Load:
    """How many parameter sets have been ``dispatched``, and have ``ended``."""

    dispatched: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store says of the group of the object. ``contexts`` are counted by state, ``sets`` by how far they are;
    ``failures`` are (context, reason, message, instance). ``locked`` wait for locks, ``parked`` for a place, ``aside``
    for the group to be resumed. ``results`` are (context, result) where they are few and small, else None.
    ``loads`` are by pool of the store."""

    incarnation: str
    state: str = "active"
    contexts: dict[str, int] = field(default_factory=lambda: {"open": 0, "succeeded": 0, "failed": 0})
    sets: dict[str, int] = field(default_factory=dict)
    failures: tuple[tuple[str, str, str, str], ...] = ()
    locked: int = 0
    parked: int = 0
    aside: int = 0
    results: tuple[tuple[str, Any], ...] | None = None
    loads: dict[str, Load] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All contexts."""
        return sum(self.contexts.values())


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a pass has seen.

    ``findings`` are why the object is not accepted; then there is no ``flow``. ``absent`` is what the store did not
    answer. ``now`` is in seconds since 1970. ``published``: the store has the plan. ``runs`` are ended runs of the
    data flow, oldest first: (name, uid, whether it succeeded). ``stray`` are Deployments of ours whose pools are
    gone. ``orphan``: the DataFlow of a run is gone.
    """

    meta: Meta
    status: dict[str, Any]
    now: float
    spec: DataFlowSpec | DataFlowRunSpec | None = None
    findings: tuple[Finding, ...] = ()
    flow: Flow | None = None
    given: Given | None = None
    pools: tuple[PoolSeen, ...] = ()
    stored: Stored | None = None
    absent: Finding | None = None
    published: bool = False
    runs: tuple[tuple[str, str, bool], ...] = ()
    stray: tuple[str, ...] = ()
    orphan: bool = False
