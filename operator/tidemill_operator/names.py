"""The names by which objects in Kubernetes know us: the group of our kinds, and what labels and finalizers begin with.

`GROUP` is the one place that says it; definitions, chart, manifests and samples are made from it.
"""

from __future__ import annotations

__all__ = ["CLEANUP", "DATAFLOW", "DATAFLOWRUN", "GROUP", "VERSION", "label"]

GROUP = "tidemill.alt"
"""The API group, and the prefix of labels, annotations and finalizers (docs/decisions/0005-api-group.md)."""

VERSION = "v1alpha1"
"""The version that is stored and served."""

DATAFLOW = "DataFlow"
DATAFLOWRUN = "DataFlowRun"

CLEANUP = f"{GROUP}/cleanup"
"""The finalizer of our objects: what the store holds of them is deleted before they are."""


def label(name: str) -> str:
    """Return a name of ours for a label or an annotation."""
    return f"{GROUP}/{name}"
