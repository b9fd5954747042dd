"""What is true of an object, by the conventions of Kubernetes: conditions, each with a reason that can be read.

Nobody waits without one: where nothing moves, ``Progressing`` is false and says why. Neighbours: `reconcile` (which
puts them into the status), `tidemill_operator.kinds.status` (what they look like there).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill_operator.kinds.run import DataFlowRunSpec
from tidemill_operator.kinds.status import CONDITIONS
from tidemill_operator.observed import Observed, PoolSeen

__all__ = ["Said", "conditions", "finished", "merged"]

LONGEST = 2000
"""Characters of a message."""

BEGINS = 60.0
"""Seconds that a Job may take to begin before its pool is said to have no worker."""

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """One condition: its status, why in one word, and why for people."""

    status: str
    reason: str
    message: str = ""


def conditions(seen: Observed, *, lost: bool = False) -> dict[str, Said]:
    """Return what is true of an object that is not being deleted. ``lost``: the store has forgotten its contexts."""
    accepted = _accepted(seen)
    implementations = _implementations(seen)
    workers = _workers(seen)
    suspended = _suspended(seen)
    succeeded = _succeeded(seen, lost)
    moving = _progressing(seen, lost, [accepted, suspended], implementations, workers, succeeded)
    said = (accepted, implementations, workers, moving, succeeded, suspended)
    return dict(zip(CONDITIONS, said, strict=True))


def finished(said: Mapping[str, Said]) -> bool:
    """Say whether an object has come to its end, whichever."""
    return said["Succeeded"].status != UNKNOWN


def merged(
    said: Mapping[str, Said], before: Iterable[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """Return conditions as a status has them. The time of each is that at which its status changed last; conditions of
    others stay as they are."""
    known = {str(one.get("type")): one for one in before if isinstance(one, Mapping)}
    made = []
    for kind, one in said.items():
        old = known.pop(kind, {})
        same = old.get("status") == one.status and old.get("lastTransitionTime")
        made.append(
            {
                "type": kind,
                "status": one.status,
                "reason": one.reason,
                "message": one.message[:LONGEST],
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if same else now,
            }
        )
    return made + [dict(one) for one in known.values()]


def _accepted(seen: Observed) -> Said:
    if seen.findings:
        first, more = seen.findings[0], len(seen.findings) - 1
        where = [f"{one.path}: {one.message}" if one.path else one.message for one in seen.findings[:5]]
        return Said(FALSE, first.reason, "; ".join(where) + (f"; and {more - 4} more" if more > 4 else ""))
    if seen.flow is None:
        return Said(UNKNOWN, "NotLookedAt", "the data flow has not been read yet")
    said = f"{len(seen.flow.warnings)} warnings: {'; '.join(seen.flow.warnings[:3])}" if seen.flow.warnings else ""
    return Said(TRUE, "Accepted", said)


def _implementations(seen: Observed) -> Said:
    missing = {name: (pool.spec.name, why) for pool in seen.pools for name, why in sorted(pool.missing.items())}
    if missing:
        name, (pool, why) = next(iter(missing.items()))
        many = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        said = f'workers of the pool "{pool}" cannot load "{name}"{many}: {why}; put it into their image'
        return Said(FALSE, "MissingImplementation", said)
    idle = [pool for pool in seen.pools if pool.operations and not pool.serving]
    before = _before(seen, "ImplementationsAvailable") if all(pool.spec.kind == "Job" for pool in idle) else None
    if idle and before is not None:  # Jobs have come and gone, and what they said is still so
        return before
    unserved = [pool.spec.name for pool in idle]
    if seen.stored is None or seen.flow is None or unserved:
        said = f"no worker of {_listed(unserved)} has said yet what it can run" if unserved else ""
        return Said(UNKNOWN, "NoWorkers" if unserved else "NotLookedAt", said)
    return Said(TRUE, "AllFound", "")


def _workers(seen: Observed) -> Said:
    if seen.orphan:
        said = "the DataFlow of this run is gone, and its workers with it; make it again, or cancel the run"
        return Said(FALSE, "DataFlowNotFound", said)
    for pool in seen.pools:
        if pool.deployed is not None and not pool.deployed.ours:
            said = f"the Deployment {pool.deployed.name} belongs to another object; delete it, or rename"
            said = f'{said} the pool "{pool.spec.name}"'
            return Said(FALSE, "DeploymentTaken", said)
    for pool in seen.pools:
        if pool.lacks and not pool.serving:
            said = f'there is no ConfigMap "{pool.lacks[0]}" in this namespace, which has modules for the pool'
            return Said(FALSE, "ConfigMapNotFound", f'{said} "{pool.spec.name}"; create it, or correct modulesFrom')
    lacking = [pool for pool in seen.pools if _lacks(pool, seen.now)]
    asked = [pool for pool in lacking if pool.backlog or (pool.deployed is not None and pool.deployed.desired)]
    if asked:
        return Said(FALSE, "NoWorkers", "; ".join(_without(pool) for pool in asked[:4]))
    if seen.flow is None or seen.stored is None:
        return Said(UNKNOWN, "NotLookedAt", "")
    if lacking:
        return Said(FALSE, "ScaledToZero", f"nothing is ready for {_listed([pool.spec.name for pool in lacking])}")
    return Said(TRUE, "Serving", "")


def _lacks(pool: PoolSeen, now: float) -> bool:
    """Say whether a pool has no worker that it should have. One of Jobs needs none without work, and a Job some time
    to begin."""
    if pool.spec.kind == "Job":
        begins = any(one.state == "waiting" and now - one.created < BEGINS for one in pool.jobs)
        return bool(pool.backlog) and not pool.serving and not begins
    return not pool.serving


def _without(pool: PoolSeen) -> str:
    ready = f", for which {pool.backlog} parameter sets are ready" if pool.backlog else ""
    if pool.deployed is None:
        return f'the pool "{pool.spec.name}"{ready}, has no Deployment yet'
    deployed = pool.deployed
    trouble = f": {deployed.trouble}" if deployed.trouble else ""
    said = f'no worker serves the pool "{pool.spec.name}"{ready}'
    whole = f"Jobs {deployed.name}-…" if pool.spec.kind == "Job" else f"pods of the Deployment {deployed.name}"
    return f"{said}: of {deployed.desired} {whole} {deployed.ready} are ready{trouble}"


def _suspended(seen: Observed) -> Said:
    if seen.spec is not None and seen.spec.suspend:
        aside = f"{seen.stored.aside} parameter sets wait" if seen.stored is not None and seen.stored.aside else ""
        return Said(TRUE, "Suspended", aside)
    return Said(FALSE, "NotSuspended", "")


def _succeeded(seen: Observed, lost: bool) -> Said:
    if lost:
        said = "the store was emptied, and with it went what this object had opened; make a new one"
        return Said(FALSE, "StateLost", said)
    before = _before(seen, "Succeeded")
    stored, given = seen.stored, seen.given
    if stored is None or given is None or seen.findings:
        return before or Said(UNKNOWN, "NotAccepted" if seen.findings else "NotLookedAt", "")
    if before is not None and not stored.total:
        return before
    if not given.many and not stored.total:
        return Said(UNKNOWN, "NoInputs", "nothing is to be run until it has inputs, or a DataFlowRun names it")
    if not given.opened and not _cancelled(seen):
        return before or Said(UNKNOWN, "Running", "")
    if stored.contexts["open"]:
        return Said(UNKNOWN, "Running", "")
    if _cancelled(seen) and (stored.contexts["failed"] or not stored.total):
        return Said(FALSE, "RunCancelled", f"{stored.contexts['failed']} contexts were ended by cancelling the run")
    if stored.contexts["failed"]:
        return Said(FALSE, "Failed", f"{stored.contexts['failed']} of {stored.total} contexts failed{_first(seen)}")
    return Said(TRUE, "Succeeded", f"{stored.total} contexts have ended" if stored.total != 1 else "")


def _before(seen: Observed, kind: str) -> Said | None:
    """Return what was said of this generation, where that was final: it is not taken back because nothing can be
    seen."""
    for one in seen.status.get("conditions") or ():
        same = one.get("observedGeneration") == seen.meta.generation
        if one.get("type") == kind and same and one.get("status") != UNKNOWN:
            return Said(str(one["status"]), str(one["reason"]), str(one.get("message") or ""))
    return None


def _first(seen: Observed) -> str:
    if seen.stored is None or not seen.stored.failures:
        return ""
    context, reason, message, instance = seen.stored.failures[0]
    where = f' in "{instance}"' if instance else ""
    return f'; "{context}": {reason}{where}: {message[:500]}'


def _cancelled(seen: Observed) -> bool:
    return isinstance(seen.spec, DataFlowRunSpec) and seen.spec.cancel


def _progressing(
    seen: Observed, lost: bool, gates: Sequence[Said], implementations: Said, workers: Said, succeeded: Said
) -> Said:
    accepted, suspended = gates
    if accepted.status == FALSE:
        return Said(FALSE, accepted.reason, "the object is not accepted; see the condition Accepted")
    if seen.absent is not None:
        return Said(FALSE, seen.absent.reason, seen.absent.message)
    if lost or succeeded.status != UNKNOWN:
        return Said(FALSE, "Finished", "")
    if suspended.status == TRUE:
        return Said(FALSE, "Suspended", suspended.message)
    if succeeded.reason in ("NoInputs", "NotLookedAt"):
        return Said(FALSE, succeeded.reason, "")
    if implementations.reason == "MissingImplementation":
        return Said(FALSE, implementations.reason, implementations.message)
    return _waiting(seen, workers)


_STUCK = ("ConfigMapNotFound", "DataFlowNotFound", "DeploymentTaken")


def _waiting(seen: Observed, workers: Said) -> Said:
    """Return why nothing moves, or that something does."""
    if any(pool.backlog and _lacks(pool, seen.now) for pool in seen.pools) or workers.reason in _STUCK:
        return Said(FALSE, workers.reason, workers.message)
    stored = seen.stored
    if stored is not None and not any(pool.busy or pool.backlog for pool in seen.pools):
        if stored.locked:
            return Said(FALSE, "WaitingForLocks", f"{stored.locked} parameter sets wait for what others lock")
        if stored.parked:
            return Said(FALSE, "LimitReached", f"{stored.parked} parameter sets wait: as many run as may at once")
    said = f"{stored.locked} parameter sets wait for what others lock" if stored is not None and stored.locked else ""
    return Said(TRUE, "Running", said)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'the pool "{name}"' for name in names[:4])
