"""The Jobs of a pool of kind Job: one for each parameter set that is ready, up to as many as there may be at once.

A Job runs one parameter set, whichever it gets, and ends, so what there is to decide is how many more there have to be.
Names count up from those that are there: who decides the same twice asks for the same Job, and the API server has it
once. Neighbours: `resources` (what their pods are), `reconcile`; `tidemill_operator.pools` says what there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill_operator.decide.resources import APPLIED, Workers, deployment_name, digest_of, labels_of, owner, pod
from tidemill_operator.decide.scaling import bounds
from tidemill_operator.kinds.dataflow import Optimize
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.observed import JobSeen, Meta, PoolSeen

__all__ = ["KEPT", "JobsWanted", "job", "jobs_wanted"]

AT_ONCE = 20
"""Jobs that one pass makes, at most."""
KEPT = {"succeeded": 3, "failed": 5}
"""Jobs that have ended of which each pool keeps the newest, by how they ended, for people to look at."""
KEPT_SECONDS = 300
"""Seconds for which Kubernetes keeps those."""
SURPLUS = 30.0
"""Seconds after which a Job that has not begun, and for which nothing is ready any more, is deleted."""
FIRST, LONGEST = 5.0, 300.0
"""Seconds without a new Job after two have failed in a row, doubled for each further one, and the most."""


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """What is to be done about the Jobs of a pool: those to ``create``, (name, uid) of those to ``delete``, and seconds
    until more may be created, if they have to wait."""

    create: tuple[Mapping[str, Any], ...] = ()
    delete: tuple[tuple[str, str], ...] = ()
    again: float | None = None


def job(
    meta: Meta, pool: Pool, operations: Sequence[str], number: int, workers: Workers, modules: str = ""
) -> dict[str, Any]:
    """Return a Job of a pool: the ``number``-th. See `resources.deployment` for the rest."""
    spec = _spec(meta, pool, operations, workers, modules)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{deployment_name(meta.name, pool.name)}-{number}",
            "namespace": meta.namespace,
            "labels": labels_of(meta, pool.name),
            "annotations": {APPLIED: digest_of(spec)},
            "ownerReferences": [owner(meta)],
        },
        "spec": spec,
    }


def _spec(meta: Meta, pool: Pool, operations: Sequence[str], workers: Workers, modules: str) -> dict[str, Any]:
    template = pod(meta, pool, operations, workers, modules)
    template["spec"]["restartPolicy"] = "Never"
    return {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 0,  # who counts the tries of a parameter set is the store
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": template,
    }


def jobs_wanted(
    meta: Meta, seen: PoolSeen, workers: Workers, now: float, *, suspend: bool = False, optimize: Optimize | None = None
) -> JobsWanted:
    """Return what is to be done about the Jobs of a pool. ``now`` is in seconds since 1970."""
    backlog = 0 if suspend else seen.backlog
    digest = digest_of(_spec(meta, seen.spec, seen.operations, workers, seen.modules))
    delete = [one for one in seen.jobs if one.state == "waiting" and not one.ready and one.digest != digest]
    waiting = [one for one in seen.jobs if one.state == "waiting" and one not in delete]
    idle = [one for one in waiting if not one.ready and now - one.created > SURPLUS]
    spare = max(0, len(waiting) - backlog)
    delete += sorted(idle, key=lambda one: one.number)[max(0, len(idle) - spare) :]
    delete += [one for state in KEPT for one in _old(seen.jobs, state)]
    active = [one for one in seen.jobs if one.state in ("waiting", "working") and one not in delete]
    free = sum(one.state == "waiting" for one in active)
    more = min(backlog - free, bounds(seen.spec, optimize)[1] - len(active), AT_ONCE)
    left = _patience(seen.jobs) - now
    if more <= 0 or left > 0:
        return JobsWanted((), _named(delete), left if more > 0 else None)
    first = max((one.number for one in seen.jobs), default=-1) + 1
    made = [job(meta, seen.spec, seen.operations, first + at, workers, seen.modules) for at in range(more)]
    return JobsWanted(tuple(made), _named(delete))


def _named(some: Sequence[JobSeen]) -> tuple[tuple[str, str], ...]:
    return tuple((one.name, one.uid) for one in some)


def _ended(jobs: Sequence[JobSeen]) -> list[JobSeen]:
    """Return the Jobs that have ended, the newest first."""
    return sorted((one for one in jobs if one.state in KEPT), key=lambda one: (-one.ended, -one.number))


def _old(jobs: Sequence[JobSeen], state: str) -> list[JobSeen]:
    return [one for one in _ended(jobs) if one.state == state][KEPT[state] :]


def _patience(jobs: Sequence[JobSeen]) -> float:
    """Return until when there is to be no new Job, because too many have failed in a row."""
    ended = _ended(jobs)
    row = next((at for at, one in enumerate(ended) if one.state == "succeeded"), len(ended))
    return ended[0].ended + min(LONGEST, FIRST * 2.0 ** (row - 2)) if row > 1 else 0.0
