"""What a pool says about its pods in the words of Kubernetes: the part of a pod's spec that a tenant may choose.

The models have the names and meanings of Kubernetes' own types, with bounds. Everything that is referred to is in the
namespace of the object. Neighbour: `pools`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tidemill_operator.kinds.base import KeyName, KindPart, ObjectName, Quantity
from tidemill_operator.kinds.structural import Rule

__all__ = [
    "Affinity",
    "ConfigMapKey",
    "EnvVar",
    "LocalObject",
    "ResourceRequirements",
    "SecretKey",
    "Toleration",
]

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]
Weight = Annotated[int, Field(ge=1, le=100)]


class LocalObject(KindPart):
    """Another object of the same namespace."""

    name: ObjectName = Field(description="The name of the object, which is in the namespace of this one.")


class ConfigMapKey(KindPart):
    """A key of a ConfigMap."""

    name: ObjectName = Field(description="The name of the ConfigMap, which is in the namespace of this object.")
    key: KeyName = Field(description="The key within the ConfigMap.")


class SecretKey(KindPart):
    """A key of a Secret."""

    name: ObjectName = Field(description="The name of the Secret, which is in the namespace of this object.")
    key: KeyName = Field(description="The key within the Secret.")


class EnvSource(KindPart):
    """Where the value of a variable comes from."""

    RULES = [Rule("has(self.secretKeyRef) != has(self.configMapKeyRef)", "say one of secretKeyRef and configMapKeyRef")]

    secretKeyRef: SecretKey | None = Field(None, description="A key of a Secret.")
    configMapKeyRef: ConfigMapKey | None = Field(None, description="A key of a ConfigMap.")


class EnvVar(KindPart):
    """A variable in the environment of the workers."""

    RULES = [
        Rule(
            "!has(self.value) || !has(self.valueFrom)",
            "a variable has a value or valueFrom, not both",
            "'the variable %s has a value and valueFrom; keep one of them'.format([self.name])",
        ),
        Rule(
            "!self.name.startsWith('TIDEMILL_')",
            "variables that begin with TIDEMILL_ are set by the operator",
            "'the variable %s begins with TIDEMILL_, and those are set by the operator; rename it'.format([self.name])",
            field=".name",
        ),
    ]

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")] = Field(
        description="The name of the variable. Names that begin with TIDEMILL_ are the operator's."
    )
    value: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="The value itself. What is secret belongs in a Secret, see valueFrom."
    )
    valueFrom: EnvSource | None = Field(None, description="Where the value comes from: a key of a Secret or ConfigMap.")


class ResourceRequirements(KindPart):
    """What a container asks for and may have at most."""

    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = Field(
        {}, description="What a worker may have at most, such as memory: 1Gi."
    )
    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = Field(
        {}, description="What a worker asks of its node, such as cpu: 500m."
    )


class Toleration(KindPart):
    """A taint of nodes that pods are placed on all the same."""

    key: LabelKey | None = Field(None, description="The key of the taint; without one every taint is meant.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="How key and value are compared: Equal unless said."
    )
    value: LabelValue | None = Field(None, description="The value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The effect of the taint; without one every effect is meant."
    )
    tolerationSeconds: int | None = Field(None, description="How long a NoExecute taint is tolerated, in seconds.")


class Requirement(KindPart):
    """Labels of a node that are asked for."""

    key: LabelKey = Field(description="The key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How the label is compared with the values."
    )
    values: Annotated[list[LabelValue], Field(max_length=32)] = Field([], description="The values to compare with.")


class SelectorRequirement(KindPart):
    """Labels of a pod that are asked for."""

    key: LabelKey = Field(description="The key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        description="How the label is compared with the values."
    )
    values: Annotated[list[LabelValue], Field(max_length=32)] = Field([], description="The values to compare with.")


class LabelSelector(KindPart):
    """Which pods are meant."""

    matchLabels: Annotated[dict[str, LabelValue], Field(max_length=32)] = Field(
        {}, description="Labels and their values."
    )
    matchExpressions: Annotated[list[SelectorRequirement], Field(max_length=16)] = Field(
        [], description="Labels compared with values."
    )


class NodeTerm(KindPart):
    """Requirements that a node has to meet, all of them."""

    matchExpressions: Annotated[list[Requirement], Field(max_length=16)] = Field(
        [], description="By labels of the node."
    )
    matchFields: Annotated[list[Requirement], Field(max_length=16)] = Field([], description="By fields of the node.")


class NodeSelector(KindPart):
    """Terms of which a node has to meet one."""

    nodeSelectorTerms: Annotated[list[NodeTerm], Field(min_length=1, max_length=16)] = Field(
        description="A node that meets one of them will do."
    )


class PreferredNode(KindPart):
    """A kind of node that is preferred."""

    weight: Weight = Field(description="How much it counts, 1 to 100.")
    preference: NodeTerm = Field(description="The kind of node.")


class NodeAffinity(KindPart):
    """On which nodes pods are placed."""

    requiredDuringSchedulingIgnoredDuringExecution: NodeSelector | None = Field(
        None, description="What a node has to be."
    )
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[list[PreferredNode], Field(max_length=16)] = Field(
        [], description="What a node had better be."
    )


class PodTerm(KindPart):
    """Pods near which, or away from which, pods are placed."""

    topologyKey: LabelKey = Field(description="The label of nodes whose equal values mean near, such as a host name.")
    labelSelector: LabelSelector | None = Field(None, description="Which pods, by their labels.")
    namespaces: Annotated[list[Annotated[str, Field(max_length=63)]], Field(max_length=16)] = Field(
        [], description="The namespaces of those pods; without any, that of this object."
    )
    namespaceSelector: LabelSelector | None = Field(None, description="The namespaces of those pods, by their labels.")


class PreferredPod(KindPart):
    """A nearness that is preferred."""

    weight: Weight = Field(description="How much it counts, 1 to 100.")
    podAffinityTerm: PodTerm = Field(description="Which pods.")


class PodAffinity(KindPart):
    """Near which pods, or away from which, pods are placed."""

    requiredDuringSchedulingIgnoredDuringExecution: Annotated[list[PodTerm], Field(max_length=16)] = Field(
        [], description="What has to hold."
    )
    preferredDuringSchedulingIgnoredDuringExecution: Annotated[list[PreferredPod], Field(max_length=16)] = Field(
        [], description="What had better hold."
    )


class Affinity(KindPart):
    """Where pods are placed."""

    nodeAffinity: NodeAffinity | None = Field(None, description="On which nodes.")
    podAffinity: PodAffinity | None = Field(None, description="Near which pods.")
    podAntiAffinity: PodAffinity | None = Field(None, description="Away from which pods.")
