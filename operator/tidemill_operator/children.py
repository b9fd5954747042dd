"""Deployments, Jobs and pods as the API server has them become plain data.

Neighbours: `pools` (who reads them), `observed` (what they become), `decide` (who made them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from tidemill_operator.decide.resources import APPLIED
from tidemill_operator.decide.statuses import seconds_of
from tidemill_operator.names import label
from tidemill_operator.observed import Deployed, JobSeen

__all__ = ["deployed_of", "jobs_of", "together", "trouble_of"]

BEGINNING = 20.0
"""Seconds that the volumes of a pod may take before that is said."""


def deployed_of(said: Mapping[str, Any], uid: str) -> Deployed:
    """Return a Deployment as it matters here; ``uid`` is that of the DataFlow whose it should be."""
    metadata, spec, status = said["metadata"], said.get("spec") or {}, said.get("status") or {}
    trouble = ""
    for one in status.get("conditions") or ():
        bad = {"ReplicaFailure": "True", "Progressing": "False"}.get(str(one.get("type")))
        if bad is not None and one.get("status") == bad:
            trouble = _told(one)
    return Deployed(
        name=str(metadata["name"]),
        digest=_digest(metadata),
        desired=int(spec.get("replicas") or 0),
        replicas=int(status.get("replicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        trouble=trouble,
        ours=_owned(metadata, uid),
    )


def jobs_of(said: Iterable[Mapping[str, Any]], uid: str, pool: str, held: Mapping[str, int]) -> tuple[JobSeen, ...]:
    """Return the Jobs of a pool that are not being deleted. ``held`` is how much is leased to each worker: the name of
    one begins with that of its pod, and that with the name of its Job."""
    working = {worker.rsplit("-", 3)[0] for worker, many in held.items() if many}
    found = []
    for one in said:
        metadata = one["metadata"]
        number = str(metadata["name"]).rpartition("-")[2]
        mine = (metadata.get("labels") or {}).get(label("pool")) == pool and _owned(metadata, uid)
        if mine and number.isdecimal() and not metadata.get("deletionTimestamp"):
            found.append(_job_of(one, int(number), str(metadata["name"]) in working))
    return tuple(sorted(found, key=lambda job: job.number))


def _job_of(said: Mapping[str, Any], number: int, works: bool) -> JobSeen:
    metadata, status = said["metadata"], said.get("status") or {}
    state: Literal["waiting", "working", "succeeded", "failed"] = "working" if works else "waiting"
    ended, trouble = None, ""
    for one in status.get("conditions") or ():
        if one.get("status") == "True" and one.get("type") in ("Complete", "Failed", "FailureTarget"):
            state = "succeeded" if one["type"] == "Complete" else "failed"
            ended = seconds_of(one.get("lastTransitionTime"))
            trouble = _told(one) if state == "failed" else ""
    return JobSeen(
        name=str(metadata["name"]),
        uid=str(metadata.get("uid") or ""),
        number=number,
        state=state,
        digest=_digest(metadata),
        ready=int(status.get("ready") or 0) > 0,
        created=seconds_of(metadata.get("creationTimestamp")) or 0.0,
        ended=ended or 0.0,
        trouble=trouble,
    )


def together(name: str, jobs: Sequence[JobSeen]) -> Deployed:
    """Return the Jobs of a pool as its workers; the trouble is that of the one that ended last."""
    active = [one for one in jobs if one.state in ("waiting", "working")]
    last = max((one for one in jobs if one not in active), key=lambda one: (one.ended, one.number), default=None)
    trouble = f"the Job {last.name} has failed: {last.trouble}" if last is not None and last.trouble else ""
    ready = sum(one.ready or one.state == "working" for one in active)
    return Deployed(name, desired=len(active), replicas=len(active), ready=ready, trouble=trouble)


def trouble_of(pods: Iterable[Mapping[str, Any]], now: float) -> str:
    """Return why a pod does not run, as far as one says so; ``now`` is in seconds since 1970."""
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status") or {}
        old = now - (seconds_of(metadata.get("creationTimestamp")) or now) > BEGINNING
        volumes = _volumes(pod.get("spec") or {}) if old else ""
        if why := "" if metadata.get("deletionTimestamp") else _why_not(status, volumes):
            return f"the pod {metadata['name']}: {why}"[:700]
    return ""


def _volumes(spec: Mapping[str, Any]) -> str:
    """Return which Secrets and ConfigMaps a pod mounts."""
    found = []
    for volume in spec.get("volumes") or ():
        found += [f"the Secret {volume['secret'].get('secretName')}"] if volume.get("secret") else []
        for source in (volume.get("projected") or {}).get("sources") or ():
            found += [f"the ConfigMap {source['configMap'].get('name')}"] if source.get("configMap") else []
    return ", ".join(found)


def _why_not(status: Mapping[str, Any], volumes: str) -> str:
    for one in status.get("containerStatuses") or ():
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") == "ContainerCreating" and volumes:
            return f"it waits for its volumes: are they in this namespace: {volumes}?"
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            last = ((one.get("lastState") or {}).get("terminated") or {}).get("message") or ""
            said = ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
            return f"{said}; it said last: {last.strip()[-300:]}" if last.strip() else said
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"{one.get('reason')}: {one.get('message')}"
    return ""


def _digest(metadata: Mapping[str, Any]) -> str:
    return str((metadata.get("annotations") or {}).get(APPLIED, ""))


def _owned(metadata: Mapping[str, Any], uid: str) -> bool:
    return uid in {str(one.get("uid")) for one in metadata.get("ownerReferences") or ()}


def _told(condition: Mapping[str, Any]) -> str:
    return f"{condition.get('reason')}: {condition.get('message')}"[:500]
