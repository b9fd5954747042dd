"""One pass over an object: out of what was seen, what is to be done and what its status is to be.

Every action may be repeated, and whoever died between two of them does them again: nothing here remembers what was
done, but for when the status was written last and how many workers were wanted lately, and both can be forgotten.
Neighbours: `conditions`, `resources`, `scaling`, `statuses`; `tidemill_operator.apply` carries the actions out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill_operator.decide.conditions import conditions, finished
from tidemill_operator.decide.jobs import jobs_wanted
from tidemill_operator.decide.resources import APPLIED, Workers, deployment, selector
from tidemill_operator.decide.scaling import Trend, fixed, scale
from tidemill_operator.decide.statuses import differs, failed_or_done, seconds_of, status_of
from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.run import DataFlowRunSpec
from tidemill_operator.names import CLEANUP, DATAFLOW
from tidemill_operator.observed import PASSING, Observed, PoolSeen

__all__ = [
    "AddFinalizer",
    "Apply",
    "Cancel",
    "CreateJob",
    "Decision",
    "DeleteJob",
    "DeleteObject",
    "Drop",
    "Open",
    "Policy",
    "Post",
    "Publish",
    "Recalled",
    "RemoveFinalizer",
    "Resume",
    "Suspend",
    "Undeploy",
    "Weigh",
    "decide",
]


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Have the object wait for us when it is deleted: before anything of it is anywhere else."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the object go."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Have the store know the plan."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open contexts for input sets that were not opened yet, some of them."""


@dataclass(frozen=True, slots=True)
class Suspend:
    """Have nothing of the object leased."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Have the object go on."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End all contexts of the object."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete all that the store holds of the object."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Have a Deployment be like this. ``change``: by how many workers that is more, or less."""

    manifest: Mapping[str, Any]
    change: int = 0


@dataclass(frozen=True, slots=True)
class Weigh:
    """Say of the pods with these labels what each has to do: when some of them go, those that are idle go first."""

    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Undeploy:
    """Delete a Deployment whose pool is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Have a Job like this."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job that is not needed, or has been kept for long enough."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Delete an object of ours: its time, or its place in the history, is over."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Post:
    """Tell people of a transition: an Event. ``type`` is Normal or Warning."""

    type: str
    reason: str
    message: str


Action = (
    AddFinalizer
    | RemoveFinalizer
    | Publish
    | Open
    | Suspend
    | Resume
    | Cancel
    | Drop
    | Apply
    | Weigh
    | Undeploy
    | CreateJob
    | DeleteJob
    | DeleteObject
    | Post
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is decided by: settings of the operator. Times are in seconds."""

    workers: Workers
    finalizer_timeout: float = 600.0
    progress: float = 2.0
    refresh: float = 1800.0


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is remembered of an object between passes: when its status was ``written`` last, how many passes in a row
    have seen nothing new (``quiet``), and what was wanted of its pools lately. Times are by a clock that only goes
    on."""

    written: float = -1e9
    quiet: int = 0
    trends: Mapping[str, Trend] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, in this order; the ``status``, if it is to be written, and the Events that go with it;
    seconds ``after`` which to look again, None for never; and what is to be remembered."""

    actions: tuple[Action, ...] = ()
    status: Mapping[str, Any] | None = None
    posts: tuple[Post, ...] = ()
    after: float | None = None
    recalled: Recalled = Recalled()


def decide(seen: Observed, policy: Policy, recalled: Recalled, clock: float) -> Decision:
    """Return what is to be done about an object. ``clock`` is in seconds, by a clock that only goes on."""
    if seen.meta.deleted is not None:
        return _leaving(seen, policy, recalled)
    lost = _lost(seen)
    said = conditions(seen, lost=lost)
    actions: list[Action] = []
    if CLEANUP not in seen.meta.finalizers:
        actions.append(AddFinalizer())
    if seen.flow is not None and not lost:
        actions += _in_store(seen)
    scaled, trends, again = _pools(seen, policy, recalled, clock)
    status = status_of(seen, said, lost=lost)
    left = _ttl_left(seen, status, finished(said))
    actions += scaled + _over(seen, left)
    change = differs(seen.status, status)
    wait = recalled.written + policy.progress - clock
    due = change == "conditions" or (change == "counts" and wait <= 0)
    quiet = 0 if change else recalled.quiet + 1
    waits = [_after(seen, said, policy, quiet), again, left, wait if change and not due else None]
    after = min(one for one in waits if one is not None)
    kept = Recalled(clock if due else recalled.written, quiet, trends)
    posts = _posts(seen, status) if due else ()
    return Decision(tuple(actions), status if due else None, posts, max(after, 0.05), kept)


def _lost(seen: Observed) -> bool:
    """Say whether the store has forgotten what this object had opened, and had not finished."""
    if seen.stored is None or seen.stored.total or seen.status.get("observedGeneration") != seen.meta.generation:
        return False
    had = (seen.status.get("contexts") or {}).get("total") or 0
    return bool(had) and not failed_or_done(seen.status)


def _leaving(seen: Observed, policy: Policy, recalled: Recalled) -> Decision:
    """Return how to let an object go: when the store holds nothing of it, or has not answered for too long."""
    if CLEANUP not in seen.meta.finalizers:
        return Decision(after=None, recalled=recalled)
    if seen.absent is None:
        return Decision((Drop(), RemoveFinalizer()), after=None, recalled=recalled)
    left = (seen.meta.deleted or 0.0) + policy.finalizer_timeout - seen.now
    if left > 0:
        return Decision(after=max(0.05, min(left, 5.0)), recalled=recalled)
    said = f"the store did not answer for {policy.finalizer_timeout:g} s, and may keep what this object had opened"
    post = Post("Warning", "StoreNotCleaned", f"{said} (group {seen.meta.uid}): {seen.absent.message}")
    return Decision((post, RemoveFinalizer()), after=None, recalled=recalled)


def _in_store(seen: Observed) -> list[Action]:
    if seen.stored is None or seen.spec is None:
        return []
    found: list[Action] = []
    if not seen.published:
        found.append(Publish())
    cancelled = isinstance(seen.spec, DataFlowRunSpec) and seen.spec.cancel
    if cancelled:
        return [Cancel()] if seen.stored.state in ("active", "suspended") else []
    if seen.spec.suspend and seen.stored.state == "active":
        found.append(Suspend())
    elif not seen.spec.suspend and seen.stored.state == "suspended":
        found.append(Resume())
    if seen.given is not None and not seen.given.opened:
        found.append(Open())
    return found


def _pools(
    seen: Observed, policy: Policy, recalled: Recalled, clock: float
) -> tuple[list[Action], dict[str, Trend], float | None]:
    """Return what is to be done about the workers of a DataFlow, what is remembered of its pools, and when to
    look."""
    if seen.meta.kind != DATAFLOW or seen.flow is None or not isinstance(seen.spec, DataFlowSpec):
        return [], dict(recalled.trends), None
    found: list[Action] = []
    trends, again = {}, []
    for pool in seen.pools:
        name, deployed = pool.spec.name, pool.deployed
        if pool.spec.kind == "Job":
            actions, later = _jobs(seen, seen.spec, pool, policy)
            found += actions
            again += [later] if later is not None else []
            continue
        if deployed is not None and not deployed.ours:
            continue
        current = deployed.desired if deployed is not None else 0
        wanted = fixed(pool.spec, seen.spec.replicas)
        if wanted is None:
            wanted, trends[name], later = _followed(seen.spec, pool, current, recalled.trends.get(name), clock)
            again += [later] if later is not None else []
        manifest = deployment(seen.meta, pool.spec, pool.operations, wanted, policy.workers, pool.modules)
        applied = manifest["metadata"]["annotations"][APPLIED]
        if deployed is None or deployed.digest != applied or deployed.desired != wanted:
            if 0 < wanted < current:  # where all go, or none, there is nothing to choose
                found.append(Weigh(selector(seen.meta.uid, name)))
            found.append(Apply(manifest, wanted - current))
    found += [Undeploy(name) for name in seen.stray]
    return found, trends, min(again, default=None)


def _jobs(seen: Observed, spec: DataFlowSpec, pool: PoolSeen, policy: Policy) -> tuple[Sequence[Action], float | None]:
    """Return what is to be done about the Jobs of a pool, and after how many seconds to look again."""
    made = jobs_wanted(seen.meta, pool, policy.workers, seen.now, suspend=spec.suspend, optimize=spec.optimize)
    deleted = [DeleteJob(name, uid) for name, uid in made.delete]
    return [*map(CreateJob, made.create), *deleted], made.again


def _followed(
    spec: DataFlowSpec, pool: PoolSeen, current: int, trend: Trend | None, clock: float
) -> tuple[int, Trend, float | None]:
    """Return how many workers follow from the work of a pool; a suspended data flow's stay as they are, or go."""
    backlog = 0 if spec.suspend else pool.backlog
    made = scale(
        pool.spec, current, backlog=backlog, busy=pool.busy, seconds=pool.seconds, trend=trend or Trend(), now=clock,
        optimize=spec.optimize,
    )  # fmt: skip
    return made.replicas, made.trend, made.again


def _over(seen: Observed, left: float | None) -> list[Action]:
    """Return which objects are to go by now: this one, whose time has ``left`` seconds, or runs beyond the history of
    this data flow."""
    found: list[Action] = []
    if left is not None and left <= 0:
        found.append(DeleteObject(seen.meta.kind, seen.meta.name, seen.meta.uid))
    if isinstance(seen.spec, DataFlowSpec) and seen.spec.historyLimits is not None:
        limits = seen.spec.historyLimits
        for wanted, most in ((True, limits.succeededRuns), (False, limits.failedRuns)):
            runs = [(name, uid) for name, uid, succeeded in seen.runs if succeeded is wanted]
            found += [DeleteObject("DataFlowRun", name, uid) for name, uid in runs[: max(0, len(runs) - most)]]
    return found


def _ttl_left(seen: Observed, status: Mapping[str, Any], done: bool) -> float | None:
    ttl = seen.spec.ttlSecondsAfterFinished if seen.spec is not None else None
    ended = seconds_of(status.get("completionTime"))
    return None if ttl is None or not done or ended is None else ended + ttl - seen.now


def _after(seen: Observed, said: Mapping[str, Any], policy: Policy, quiet: int) -> float:
    """Return after how many seconds to look again if nothing happens: soon where something runs, and less often the
    longer nothing new was seen."""
    if any(one.reason in PASSING for one in seen.findings) or any(pool.lacks for pool in seen.pools):
        return min(60.0, 5.0 * 2.0 ** min(quiet, 4))
    if seen.absent is not None:
        return min(30.0, 2.0 ** min(quiet, 5))
    if seen.given is not None and not seen.given.opened and seen.flow is not None:
        return 0.05
    if finished(said) or seen.stored is None or not seen.stored.contexts["open"]:
        return policy.refresh
    return min(policy.progress, 0.1 * 2.0 ** min(quiet, 5))


def _posts(seen: Observed, status: Mapping[str, Any]) -> tuple[Post, ...]:
    """Return the Events that go with a status: for conditions that are not what they were."""
    before = {one.get("type"): one for one in seen.status.get("conditions") or ()}
    found = []
    for one in status["conditions"]:
        kind, old = one["type"], before.get(one["type"]) or {}
        if (old.get("status"), old.get("reason")) == (one["status"], one["reason"]) or kind not in _TOLD:
            continue
        if one["status"] == "Unknown":
            continue
        if one["reason"] in _UNTOLD or (kind == "Suspended" and one["status"] == "False" and not old):
            continue
        bad = one["reason"] in _BAD or (kind in ("Accepted", "Succeeded") and one["status"] == "False")
        found.append(Post("Warning" if bad else "Normal", one["reason"], one["message"] or _told(one)))
    return tuple(found)


def _told(one: Mapping[str, Any]) -> str:
    if one["type"] == "Suspended" and one["status"] == "False":
        return "what was suspended goes on"
    return _TOLD[one["type"]]


_TOLD = {
    "Accepted": "the data flow is accepted",
    "ImplementationsAvailable": "every operation can be run",
    "Progressing": "its contexts are worked on",
    "Succeeded": "all contexts have ended well",
    "Suspended": "nothing new is begun",
}
"""The conditions whose transitions are told in Events, and what is said where they say nothing themselves."""
_UNTOLD = {"NotLookedAt", "NotAccepted", "NoInputs", "Finished", "AllFound"}
_BAD = {
    "ConfigMapNotFound",
    "MissingImplementation",
    "NoWorkers",
    "StoreUnavailable",
    "StoreMisconfigured",
    "StateLost",
    "DeploymentTaken",
}
