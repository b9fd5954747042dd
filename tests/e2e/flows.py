"""Data flows for tests on a cluster: their operations are modules of a ConfigMap, their inputs lines of another."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.e2e.place import Place

__all__ = ["MODULE", "doubling", "given", "lines", "module", "workers_of"]

MODULE = """
import time

from tidemill import Definition, op

NUMBER, SECONDS, DOUBLE = Definition("number", "int"), Definition("seconds", "float"), Definition("double", "int")


@op(inputs={"number": NUMBER, "seconds": SECONDS}, outputs={"double": DOUBLE})
def double(number, seconds):
    time.sleep(seconds)
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return {"double": number * 2}
"""


def module(place: Place, name: str = "doubling") -> str:
    """Have the ConfigMap of the operation, and return its name."""
    place.modules(name, doubling=MODULE)
    return name


def lines(place: Place, name: str, values: Iterable[Mapping[str, Any]]) -> None:
    """Have a ConfigMap of input sets, one for each line."""
    text = "".join(json.dumps(one) + "\n" for one in values)
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"sets.jsonl": text}}
    # too large for the annotation that a plain apply leaves
    place.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=made)


def given(**values: Any) -> dict[str, Any]:
    """Return an input set, as objects have them."""
    return {"inputs": [{"definition": name, "value": value} for name, value in values.items()]}


def doubling(name: str, *, pool: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a DataFlow that doubles a number, after so many seconds; what is given is added to its spec."""
    return {
        "apiVersion": "tidemill.alt/v1alpha1",
        "kind": "DataFlow",
        "metadata": {"name": name},
        "spec": {
            "linked": True,
            "definitions": {
                "number": {"primitive": "int"},
                "seconds": {"primitive": "float"},
                "double": {"primitive": "int"},
                "names": {"primitive": "array"},
                "values": {"primitive": "map"},
            },
            "operations": {
                "double": {
                    "name": "doubling:double",
                    "inputs": {"number": "number", "seconds": "seconds"},
                    "outputs": {"double": "double"},
                },
                "result": {
                    "name": "get_single",
                    "stage": "output",
                    "inputs": {"spec": "names"},
                    "outputs": {"output": "values"},
                },
            },
            "seed": [{"value": ["double"], "definition": "names"}],
            "pools": [
                {
                    "name": "default",
                    "modulesFrom": [{"configMapRef": {"name": "doubling"}}],
                    "runners": 1,
                    **(pool or {"replicas": 1}),
                }
            ],
            **spec,
        },
    }


def workers_of(name: str) -> str:
    """Return the labels of the workers of a data flow."""
    return f"app.kubernetes.io/component=worker,app.kubernetes.io/instance={name}"
