"""The CustomResourceDefinitions of both kinds, and the files that hold them.

Neighbours: `structural` makes the schemas, `__main__` prints and writes. The chart wraps each definition so that it
can be left out, and kept when a release is uninstalled; the manifests have them plain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from tidemill_operator.kinds.dataflow import DataFlowSpec
from tidemill_operator.kinds.flow import FLOW
from tidemill_operator.kinds.run import DataFlowRunSpec
from tidemill_operator.kinds.status import DataFlowStatus, RunStatus
from tidemill_operator.kinds.structural import Rule, schema_of
from tidemill_operator.names import DATAFLOW, DATAFLOWRUN, GROUP, VERSION, label

__all__ = ["KINDS", "REVISION", "Kind", "chart_files", "definition", "manifest"]

REVISION = 3
"""The number of this schema, raised with every change: so an operator knows a definition that is too old for it."""

_HEAD = "# Made by `make generate` out of operator/tidemill_operator/kinds; edit that, and not this file.\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind: its names, models, and how it is listed. ``columns`` are (name, type, path, wide, description)."""

    kind: str
    plural: str
    short: str
    text: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[tuple[str, str, str, bool, str], ...]
    scale: dict[str, str] | None = None
    selectable: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def name(self) -> str:
        """The name of the definition."""
        return f"{self.plural}.{GROUP}"


def _condition(kind: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_COUNTED = (
    ("Succeeded", "string", _condition("Succeeded", "status"), False, "Whether all contexts have a result"),
    ("Reason", "string", _condition("Succeeded", "reason"), False, "Why it has not, or how it goes"),
    ("Done", "integer", ".status.contexts.succeeded", False, "Contexts that have a result"),
    ("Failed", "integer", ".status.contexts.failed", False, "Contexts that failed"),
    ("Total", "integer", ".status.contexts.total", False, "All contexts"),
    ("ETA", "string", ".status.estimatedCompletionTime", False, "When it is expected to end"),
)
_AGE = (("Age", "date", ".metadata.creationTimestamp", False, "When the object was made"),)
_WIDE = (
    ("Accepted", "string", _condition("Accepted", "status"), True, "Whether what the object says can be run"),
    ("Suspended", "string", _condition("Suspended", "status"), True, "Whether it waits because it was told to"),
    ("Seconds", "integer", ".status.durationSeconds", True, "From the first context to the end"),
)
_ENDS = (
    ("Plan", "string", ".status.planDigest", True, "The digest of the plan"),
    ("Message", "string", _condition("Succeeded", "message"), True, "Why, for people"),
)

_ENDED = Rule(
    "!has(oldSelf.status) || !has(oldSelf.status.completionTime) || "
    "(has(self.spec.inputs) == has(oldSelf.spec.inputs) && (!has(self.spec.inputs) || "
    "self.spec.inputs.size() == oldSelf.spec.inputs.size()))",
    "the run has ended, nothing can be added to it; make a new DataFlowRun",
    "'the run ended at %s, nothing can be added to it; make a new DataFlowRun'.format([oldSelf.status.completionTime])",
    field=".spec.inputs",
)
_FINAL = Rule(
    "!has(oldSelf.status) || !has(oldSelf.status.completionTime) || "
    "(has(self.status) && has(self.status.completionTime) && "
    "self.status.completionTime == oldSelf.status.completionTime)",
    "a run that has ended stays ended: status.completionTime cannot be changed or taken away",
    field=".status.completionTime",
)

KINDS = (
    Kind(
        DATAFLOW,
        "dataflows",
        "df",
        "A data flow: operations that run as soon as a new combination of their inputs exists. With inputs it is run "
        "over them; without it is there for DataFlowRun objects.",
        DataFlowSpec,
        DataFlowStatus,
        (
            *_COUNTED,
            *_AGE,
            *_WIDE,
            ("Workers", "integer", ".status.replicas", True, "Workers of the pool default"),
            *_ENDS,
        ),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Kind(
        DATAFLOWRUN,
        "dataflowruns",
        "dfr",
        "One more run of a DataFlow over inputs of its own, by the plan that the data flow had when it began.",
        DataFlowRunSpec,
        RunStatus,
        (
            ("Data flow", "string", ".spec.dataFlowRef.name", False, "What is run"),
            *_COUNTED,
            *_AGE,
            *_WIDE,
            *_ENDS,
        ),
        selectable=(".spec.dataFlowRef.name",),
        rules=(_ENDED, _FINAL),
    ),
)
"""The kinds that there are."""


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of ``kind``."""
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(kind)},
        "subresources": {"status": {}, **({"scale": kind.scale} if kind.scale else {})},
        "additionalPrinterColumns": [
            {"name": name, "type": of, "jsonPath": path, "description": text, **({"priority": 1} if wide else {})}
            for name, of, path, wide, text in kind.columns
        ],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": kind.name,
            "labels": {"app.kubernetes.io/name": "tidemill", "app.kubernetes.io/part-of": "tidemill"},
            "annotations": {label("schema-revision"): str(REVISION)},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["tidemill"],
            },
            "versions": [version],
        },
    }


def _root(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "description": kind.text,
        "type": "object",
        "required": ["spec"],
        "properties": {
            # Kubernetes describes and bounds these itself.
            "apiVersion": {"type": "string", "maxLength": 128},
            "kind": {"type": "string", "maxLength": 63},
            "metadata": {"type": "object"},
            "spec": {"description": "What is wanted."} | schema_of(kind.spec, FLOW),
            "status": {"description": "What the operator says of it."} | schema_of(kind.status, defaults=False),
        },
    }
    if kind.rules:
        schema["x-kubernetes-validations"] = [rule.export() for rule in kind.rules]
    return schema


class _Dumper(yaml.SafeDumper):
    """Writes no aliases: each part of a schema stands where it is meant."""

    def ignore_aliases(self, data: Any) -> bool:
        """Say that nothing is written as a reference to what was written before."""
        return True


def _yaml(data: Any) -> str:
    text = str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))
    if "{{" in text:
        raise ValueError("the definition holds {{, which the chart would take for a template; say it otherwise")
    return text


def manifest() -> str:
    """Return both definitions as one file of manifests."""
    return _HEAD + "---\n".join(["", *(_yaml(definition(kind)) for kind in KINDS)])


def chart_files() -> dict[str, str]:
    """Return the templates of the chart, by the names of their files."""
    return {f"{kind.plural}.yaml": _template(definition(kind)) for kind in KINDS}


def _template(made: dict[str, Any]) -> str:
    keep = "    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n"
    instance, manager = "instance: {{ .Release.Name }}", "managed-by: {{ .Release.Service }}"
    labels = f"    app.kubernetes.io/{instance}\n    app.kubernetes.io/{manager}\n"
    text = (
        _yaml(made)
        .replace("  annotations:\n", "  annotations:\n" + keep, 1)
        .replace("  labels:\n", "  labels:\n" + labels, 1)
    )
    return f"{_HEAD}{{{{- if .Values.crds.enabled }}}}\n{text}{{{{- end }}}}\n"
