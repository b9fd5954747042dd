"""What a DataFlow owns in the cluster, as plain data: one Deployment of workers for each pool, and what any pod of a
worker is, also those of Jobs.

Pods of workers have no rights at the API server, a file system that cannot be written, and the URL of the store in a
file. Neighbours: `scaling` (how many), `jobs`, `reconcile` (when), `tidemill_worker.settings` (what the variables
mean).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill_operator.kinds.pools import Pool
from tidemill_operator.names import DATAFLOW, GROUP, VERSION, label
from tidemill_operator.observed import Meta

__all__ = [
    "APPLIED",
    "Workers",
    "deployment",
    "deployment_name",
    "digest_of",
    "labels_of",
    "owner",
    "pod",
    "prefix_of",
    "selector",
]

APPLIED = label("applied")
"""The annotation of a Deployment that says what was applied, but for the number of replicas."""

LONGEST = 52
"""Characters of the name of a Deployment: those of its pods add eleven."""
MARGIN = 10
"""Seconds beyond the grace period of a worker that its pod has to end."""
UID = 65532
STORE, OPERATIONS = "/run/tidemill/store", "/operations"


@dataclass(frozen=True, slots=True)
class Workers:
    """What all workers have in common: settings of the operator."""

    image: str
    pull_policy: str = "IfNotPresent"
    account: str = "default"
    secret: str = "tidemill-store"
    secret_key: str = "url"
    durability: str = "always"
    elsewhere: str = ""


def prefix_of(namespace: str) -> str:
    """Return what the keys of a namespace begin with in a store."""
    return f"tm-{namespace}"


def deployment_name(dataflow: str, pool: str) -> str:
    """Return the name of the Deployment of a pool: ``<data flow>-<pool>``, with a hash where that is too long, or could
    be another's."""
    name = f"{dataflow}-{pool}"
    if "-" not in pool and len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('-.')}-{hashlib.sha256(f'{dataflow}/{pool}'.encode()).hexdigest()[:8]}"


def selector(uid: str, pool: str) -> dict[str, str]:
    """Return the labels by which the pods of a pool are known; they never change."""
    return {label("dataflow-uid"): uid, label("pool"): pool}


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Return a digest of plain data."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def deployment(
    meta: Meta, pool: Pool, operations: Sequence[str], replicas: int, workers: Workers, modules: str = ""
) -> dict[str, Any]:
    """Return the Deployment of a pool of a DataFlow. ``operations`` are what its workers must be able to run,
    ``modules`` stands for the content of the ConfigMaps with its modules."""
    spec = {
        "selector": {"matchLabels": selector(meta.uid, pool.name)},
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod(meta, pool, operations, workers, modules),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": deployment_name(meta.name, pool.name),
            "namespace": meta.namespace,
            "labels": labels_of(meta, pool.name),
            "annotations": {APPLIED: digest_of(spec)},
            "ownerReferences": [owner(meta)],
        },
        "spec": {**spec, "replicas": replicas},
    }


def owner(meta: Meta) -> dict[str, Any]:
    """Return the reference by which what belongs to an object goes when the object does."""
    kind = {"apiVersion": f"{GROUP}/{VERSION}", "kind": DATAFLOW, "name": meta.name, "uid": meta.uid}
    return {**kind, "controller": True, "blockOwnerDeletion": True}


def labels_of(meta: Meta, pool: str) -> dict[str, str]:
    """Return the labels of what belongs to a pool."""
    return {
        "app.kubernetes.io/name": "tidemill-worker",
        "app.kubernetes.io/instance": meta.name[:63].rstrip("-."),
        "app.kubernetes.io/component": "worker",
        "app.kubernetes.io/part-of": "tidemill",
        "app.kubernetes.io/managed-by": "tidemill-operator",
        **selector(meta.uid, pool),
    }


def pod(meta: Meta, pool: Pool, operations: Sequence[str], workers: Workers, modules: str = "") -> dict[str, Any]:
    """Return the template of the pods of a pool."""
    annotations = {"annotations": {label("modules"): modules}} if modules else {}
    return {
        "metadata": {"labels": labels_of(meta, pool.name), **annotations},
        "spec": _pod(meta, pool, operations, workers),
    }


def _pod(meta: Meta, pool: Pool, operations: Sequence[str], workers: Workers) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "store", "secret": {"secretName": workers.secret, "defaultMode": 0o440}},
    ]
    if pool.modulesFrom:
        sources = [{"configMap": {"name": each.configMapRef.name}} for each in pool.modulesFrom]
        volumes.append({"name": "operations", "projected": {"sources": sources, "defaultMode": 0o444}})
    said = pool.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    passed: dict[str, Any] = {
        name: said[name]
        for name in ("nodeSelector", "affinity", "tolerations", "priorityClassName", "imagePullSecrets")
        if name in said
    }
    return {
        **passed,
        "serviceAccountName": pool.serviceAccountName or workers.account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pool.gracePeriodSeconds + MARGIN,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(meta, pool, operations, workers, said)],
        "volumes": volumes,
    }


def _container(
    meta: Meta, pool: Pool, operations: Sequence[str], workers: Workers, said: Mapping[str, Any]
) -> dict[str, Any]:
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "store", "mountPath": STORE, "readOnly": True},
    ]
    if pool.modulesFrom:
        mounts.append({"name": "operations", "mountPath": OPERATIONS, "readOnly": True})
    return {
        "name": "worker",
        "image": pool.image or workers.image,
        "imagePullPolicy": pool.imagePullPolicy or workers.pull_policy,
        "command": ["python", "-m", "tidemill_worker"],
        "env": [*said.get("env", []), *_environment(meta, pool, operations, workers)],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": said.get("resources", {}),
        "volumeMounts": mounts,
        "livenessProbe": {**_probe("/livez"), "initialDelaySeconds": 10, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**_probe("/readyz"), "periodSeconds": 2, "failureThreshold": 2},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _probe(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}


def _environment(meta: Meta, pool: Pool, operations: Sequence[str], workers: Workers) -> list[dict[str, Any]]:
    values = {
        "POOL": f"{meta.name}.{pool.name}",
        "PREFIX": prefix_of(meta.namespace),
        "STORE_FILE": f"{STORE}/{workers.secret_key}",
        "DURABILITY": workers.durability,
        "LOADS": "false",  # what all namespaces share is loaded by the operator alone
        "ELSEWHERE": workers.elsewhere,
        "GRACE": str(pool.gracePeriodSeconds),
        "SLOTS": str(pool.slots or ""),
        "RUNNERS": str(pool.runners or ""),
        "ONCE": "true" if pool.kind == "Job" else "",
        "OPERATIONS": ",".join(sorted(set(operations))),
        "PORT": "8080",
    }
    made: list[dict[str, Any]] = [
        {"name": f"TIDEMILL_{name}", "value": value} for name, value in values.items() if value
    ]
    own = "metadata.name" if pool.kind == "Job" else "metadata.uid"  # that of a Job's pod says whose it is
    made.append({"name": "TIDEMILL_NAME", "valueFrom": {"fieldRef": {"fieldPath": own}}})
    made += [{"name": "HOME", "value": "/tmp"}, {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}]
    if pool.modulesFrom:
        made.append({"name": "PYTHONPATH", "value": OPERATIONS})
    return made
