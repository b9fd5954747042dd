"""The data flow that is measured: one operation and the output operation that reads what it gave."""

from pathlib import Path
from typing import Any

MODULE = Path(__file__).with_name("operations.py")
POOL = "default"
UNITS = 2
"""Parameter sets of one context."""


def spec(*, pool: str = POOL) -> dict[str, Any]:
    """Return the data flow, its operations in a pool of this name."""
    return {
        "linked": True,
        "definitions": {
            "number": {"primitive": "int"},
            "double": {"primitive": "int"},
            "names": {"primitive": "array"},
            "values": {"primitive": "map"},
        },
        "operations": {
            "double": {
                "name": "operations:double",
                "inputs": {"number": "number"},
                "outputs": {"double": "double"},
                "pool": pool,
            },
            "result": {
                "name": "get_single",
                "stage": "output",
                "inputs": {"spec": "names"},
                "outputs": {"output": "values"},
                "pool": pool,
            },
        },
        "seed": [{"value": ["double"], "definition": "names"}],
    }


def dataflow(name: str, *, pool: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the object, with one pool of workers whose modules are in the ConfigMap "bench"."""
    modules = [{"configMapRef": {"name": "bench"}}]
    pools = [{"name": POOL, "modulesFrom": modules, "runners": 1, **pool}]
    return {
        "apiVersion": "tidemill.alt/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": name},
        "spec": {**spec(), "pools": pools, **more},
    }


def modules() -> dict[str, Any]:
    """Return the ConfigMap."""
    data = {MODULE.name: MODULE.read_text(encoding="utf-8")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bench"}, "data": data}


def given(number: int) -> dict[str, Any]:
    """Return the inputs of a context, as objects have them."""
    return {"context": f"n{number}", "inputs": [{"definition": "number", "value": number}]}
