"""Objects as the API server gives them, for tests of what is made of them."""

import copy
from typing import Any

__all__ = ["FLOW", "dataflow", "dataflowrun"]

FLOW: dict[str, Any] = {
    "linked": True,
    "definitions": {
        "word": {"primitive": "string"},
        "times": {"primitive": "int", "default": 1},
        "line": {"primitive": "string"},
    },
    "operations": {"say": {"name": "m:say", "inputs": {"word": "word", "times": "times"}, "outputs": {"line": "line"}}},
}


def dataflow(*, name: str = "hello", flow: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a DataFlow object."""
    metadata = {"name": name, "namespace": "ns", "uid": "u-1", "generation": 1}
    said = copy.deepcopy(FLOW if flow is None else flow)
    return {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlow", "metadata": metadata, "spec": {**said, **spec}}


def dataflowrun(*, name: str = "again", **spec: Any) -> dict[str, Any]:
    """Return a DataFlowRun object."""
    metadata = {"name": name, "namespace": "ns", "uid": "u-2", "generation": 1}
    said = {"dataFlowRef": {"name": "hello"}, **spec}
    return {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlowRun", "metadata": metadata, "spec": said}
