"""A pool: the workers of one kind that a data flow has.

Neighbours: `pods` (what their pods are), `dataflow`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tidemill_operator.kinds.base import KindPart, Label, ObjectName, Seconds, list_map
from tidemill_operator.kinds.pods import Affinity, EnvVar, LocalObject, ResourceRequirements, Toleration
from tidemill_operator.kinds.structural import Rule

__all__ = ["DEFAULT_MOST", "DEFAULT_POOL", "MOST_WORKERS", "ModulesSource", "Pool", "Pools", "Scaling"]

DEFAULT_POOL = "default"
"""The pool of the operations that name none; it is there even if nothing is said of it."""

DEFAULT_MOST = 10
"""Workers of a pool at most, if it does not say ``maxReplicas``."""

MOST_WORKERS = 10_000
"""Workers of one pool at most."""

_MOST = f"(has(self.maxReplicas) ? self.maxReplicas : {DEFAULT_MOST})"
_OF_DEPLOYMENTS = " || ".join(f"has(self.{field})" for field in ("replicas", "minReplicas", "slots", "runners"))
Workers = Annotated[int, Field(ge=0, le=MOST_WORKERS)]


class ModulesSource(KindPart):
    """Python modules for a playground; what is in earnest belongs in an image."""

    configMapRef: LocalObject = Field(
        description="A ConfigMap whose keys are names of files: operations.py and the like."
    )


class Scaling(KindPart):
    """How the number of workers follows the work."""

    targetBacklogSeconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        30, description="Workers are added until what is ready would take them this long."
    )
    cooldownSeconds: Seconds = Field(
        300, description="How long fewer must have been enough before workers are taken away."
    )


class Pool(KindPart):
    """Workers of one kind: a Deployment of its own, or one Job for each parameter set."""

    RULES = [
        Rule(
            f"self.kind != 'Job' || !({_OF_DEPLOYMENTS})",
            "a pool of kind Job has one Job for each parameter set; leave out replicas, minReplicas, slots and runners",
            "'pool %s: a pool of kind Job has one Job for each parameter set; leave out replicas, minReplicas, slots "
            "and runners'.format([self.name])",
            field=".kind",
        ),
        Rule(
            "!has(self.replicas) || (!has(self.minReplicas) && !has(self.maxReplicas))",
            "replicas fixes the number of workers; leave out minReplicas and maxReplicas, or replicas",
            "'pool %s: replicas (%d) fixes the number of workers; leave out minReplicas and maxReplicas, or replicas'"
            ".format([self.name, self.replicas])",
            field=".replicas",
        ),
        Rule(
            f"!has(self.minReplicas) || self.minReplicas <= {_MOST}",
            f"minReplicas is not above maxReplicas, which is {DEFAULT_MOST} unless said",
            f"'pool %s: minReplicas (%d) is above maxReplicas (%d)'.format([self.name, self.minReplicas, {_MOST}])",
            field=".minReplicas",
        ),
        Rule(
            "!has(self.operationTimeoutSeconds) || self.gracePeriodSeconds > self.operationTimeoutSeconds",
            "gracePeriodSeconds is above operationTimeoutSeconds, so that operations end before their worker does",
            "'pool %s: gracePeriodSeconds (%d) has to be above operationTimeoutSeconds (%d), so that operations end "
            "before their worker does'.format([self.name, self.gracePeriodSeconds, self.operationTimeoutSeconds])",
            field=".gracePeriodSeconds",
        ),
    ]

    name: Label = Field(description="The name by which operations say that they belong here.")
    kind: Literal["Deployment", "Job"] = Field(
        "Deployment",
        description="Deployment: workers that stay, and run many parameter sets at once. Job: each parameter set is "
        "run by a pod of its own, which ends with it, where they have to be kept apart.",
    )
    image: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\s]+$")] | None = Field(
        None,
        description="The image of the workers, with the code of the operations. Without one: the operator's setting.",
    )
    imagePullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When the image is pulled; without it as Kubernetes does."
    )
    imagePullSecrets: Annotated[list[LocalObject], Field(max_length=16), list_map("name")] = Field(
        [], description="Secrets with which the image is pulled."
    )
    resources: ResourceRequirements | None = Field(None, description="What a worker asks for and may have at most.")
    nodeSelector: Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)] = Field(
        {}, description="Labels that a node has to have."
    )
    affinity: Affinity | None = Field(None, description="Where the pods are placed.")
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        [], description="Taints of nodes that the pods are placed on all the same."
    )
    priorityClassName: ObjectName | None = Field(None, description="The priority class of the pods.")
    serviceAccountName: ObjectName | None = Field(
        None, description="The service account of the pods; its token is not mounted. Without one: one without rights."
    )
    env: Annotated[list[EnvVar], Field(max_length=128), list_map("name")] = Field(
        [], description="The environment of the workers besides what the operator sets."
    )
    modulesFrom: Annotated[list[ModulesSource], Field(max_length=8)] = Field(
        [], description="Python modules with operations, put into the path of the workers: for a playground."
    )
    replicas: Workers | None = Field(
        None,
        description="A fixed number of workers. Without it as many as the work asks for. See also spec.replicas.",
    )
    minReplicas: Workers | None = Field(None, description="Workers at least: 0 unless said.")
    maxReplicas: Annotated[int, Field(ge=1, le=MOST_WORKERS)] | None = Field(
        None, description=f"Workers, or Jobs, at once at most: {DEFAULT_MOST} unless said."
    )
    scaling: Scaling = Field(Scaling(), description="How the number of workers follows the work.")
    slots: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        None, description="Parameter sets that a runner runs at once: 64 unless said."
    )
    runners: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None, description="Processes in a worker that run operations: one for each CPU unless said."
    )
    gracePeriodSeconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        60,
        description="How long what runs may take to end when a worker is taken away; then it is done again elsewhere.",
    )
    operationTimeoutSeconds: Annotated[int, Field(ge=1, le=86_399)] | None = Field(
        None, description="How long operations of this pool may take that have no timeout of their own."
    )


Pools = Annotated[list[Pool], Field(max_length=16), list_map("name")]
