"""The status of an object, whose size does not depend on that of the work; and whether it is worth writing.

Neighbours: `conditions`, `reconcile`; `tidemill_operator.kinds.status` says what may stand in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from tidemill_operator.decide.conditions import Said, finished, merged
from tidemill_operator.decide.resources import selector
from tidemill_operator.kinds.status import MOST_FAILURES, MOST_INLINE
from tidemill_operator.names import DATAFLOW
from tidemill_operator.observed import Observed

__all__ = ["differs", "failed_or_done", "seconds_of", "status_of", "time_of"]

STATES = ("taken", "dispatched", "leased", "completed", "failed")


def time_of(seconds: float) -> str:
    """Return a time, in seconds since 1970, as Kubernetes writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(time: object) -> float | None:
    """Return a time that Kubernetes has written in seconds since 1970; None for what is none."""
    try:
        return datetime.fromisoformat(str(time).replace("Z", "+00:00")).timestamp() if time else None
    except ValueError:
        return None


def status_of(seen: Observed, said: Mapping[str, Said], *, lost: bool = False) -> dict[str, Any]:
    """Return the status. What cannot be seen now stays as it was."""
    before = seen.status
    made: dict[str, Any] = {
        "observedGeneration": seen.meta.generation,
        "conditions": merged(said, before.get("conditions") or (), seen.meta.generation, time_of(seen.now)),
    }
    digest = seen.flow.digest if seen.flow is not None else before.get("planDigest")
    made |= {"planDigest": digest} if digest else {}
    if seen.stored is None or lost or (not seen.stored.total and (before.get("contexts") or {}).get("total")):
        kept = ("contexts", "parameterSets", "failures", "startTime", "completionTime", "durationSeconds", "results")
        made |= {name: before[name] for name in (*kept, "resultsRef") if name in before}
    else:
        made |= _counted(seen) | _times(seen, said)
    if seen.meta.kind == DATAFLOW:
        made |= _pools(seen)
    return made


def _counted(seen: Observed) -> dict[str, Any]:
    stored = seen.stored
    assert stored is not None
    made: dict[str, Any] = {"contexts": {**stored.contexts, "total": stored.total}}
    if stored.sets:
        made["parameterSets"] = {state: max(0, stored.sets.get(state, 0)) for state in STATES}
    if stored.failures:
        made["failures"] = [
            {"context": context, "reason": reason, "message": message[:2000], **({"instance": place} if place else {})}
            for context, reason, message, place in stored.failures[:MOST_FAILURES]
        ]
    if stored.total:
        found = [{"context": name, "result": result} for name, result in stored.results or ()]
        if found and len(json.dumps(found, default=str)) <= MOST_INLINE:
            made["results"] = found
        made["resultsRef"] = {"group": seen.meta.uid}
    return made


def _times(seen: Observed, said: Mapping[str, Said]) -> dict[str, Any]:
    stored, before = seen.stored, seen.status
    assert stored is not None
    if not stored.total:
        return {}
    made: dict[str, Any] = {"startTime": before.get("startTime") or time_of(seen.now)}
    began = seconds_of(made["startTime"]) or seen.now
    if finished(said):
        again = (before.get("contexts") or {}).get("total") != stored.total
        ended = None if again else before.get("completionTime")
        made["completionTime"] = ended or time_of(seen.now)
        made["durationSeconds"] = max(0, round((seconds_of(made["completionTime"]) or seen.now) - began))
        return made
    left = _left(seen, seen.now - began)
    if left is not None and stored.contexts["open"] and stored.state == "active":
        made["estimatedCompletionTime"] = _steady(before, seen.now, math.ceil(left))
    return made


def _left(seen: Observed, elapsed: float) -> float | None:
    """Return the seconds until all is done: by the contexts that have ended, and before that by what is ready in each
    pool and the measured seconds of one; None while neither can be told."""
    assert seen.stored is not None
    contexts = seen.stored.contexts
    done = contexts["succeeded"] + contexts["failed"]
    if done:
        return elapsed / done * contexts["open"]
    expected = []
    for pool in seen.pools:
        if pool.backlog:
            workers = pool.deployed.ready if pool.deployed else 0
            if pool.seconds is None or not workers:
                return None
            expected.append(pool.backlog * pool.seconds / workers)
    return max(expected, default=None)


def _steady(before: Mapping[str, Any], now: float, left: float) -> str:
    """Return when the end is expected: as it was said before, unless that is off by more than a tenth."""
    known = seconds_of(before.get("estimatedCompletionTime"))
    if known is not None and known > now and abs(known - now - left) <= max(5.0, left / 10):
        return str(before["estimatedCompletionTime"])
    return time_of(now + left)


def _pools(seen: Observed) -> dict[str, Any]:
    if seen.flow is None:
        return {name: seen.status[name] for name in ("pools", "replicas", "selector") if name in seen.status}
    made: dict[str, Any] = {"pools": []}
    for pool in seen.pools:
        labels = ",".join(f"{name}={value}" for name, value in sorted(selector(seen.meta.uid, pool.spec.name).items()))
        deployed = pool.deployed
        one: dict[str, Any] = {
            "name": pool.spec.name,
            "kind": pool.spec.kind,
            "replicas": deployed.replicas if deployed else 0,
            "readyReplicas": deployed.ready if deployed else 0,
            "desiredReplicas": deployed.desired if deployed else 0,
            "backlog": pool.backlog,
            "selector": labels,
        }
        if pool.seconds is not None and deployed and deployed.ready:
            one["backlogSeconds"] = round(pool.backlog * pool.seconds / deployed.ready)
        made["pools"].append(one)
        if pool.spec.name == "default":
            made |= {"replicas": one["replicas"], "selector": labels}
    return made


def differs(before: Mapping[str, Any], now: Mapping[str, Any]) -> Literal["", "counts", "conditions"]:
    """Say what a status has that was not so before: nothing, only counts and words, or conditions."""
    if _plain(before) == _plain(now):
        return ""
    old, new = _essence(before), _essence(now)
    return "counts" if old == new and before.get("planDigest") == now.get("planDigest") else "conditions"


def _plain(status: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in status.items() if value is not None}, sort_keys=True, default=str)


def _essence(status: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    keys = ("type", "status", "reason", "observedGeneration")
    found = [tuple(one.get(key) for key in keys) for one in status.get("conditions") or ()]
    return sorted(found, key=str)


def failed_or_done(status: Mapping[str, Any]) -> bool:
    """Say whether a status tells of an end."""
    conditions = status.get("conditions") or ()
    return any(one.get("type") == "Succeeded" and one.get("status") != "Unknown" for one in conditions)
