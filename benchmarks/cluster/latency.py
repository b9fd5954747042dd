"""Seconds from typing `kubectl apply` until a watch sees `Succeeded`: with workers that wait, and with none at all."""

import time
from functools import partial
from typing import Any

from benchmarks.cluster import flows
from benchmarks.cluster.kube import Kube, condition


def warm(kube: Kube, runs: int) -> list[float]:
    """Return the seconds of so many runs of a data flow whose worker is there."""
    name, found = "bench-warm", []
    try:
        kube.apply(flows.modules(), flows.dataflow(name, pool={"replicas": 1}, inputs=[flows.given(0)]))
        kube.run("wait", f"dataflow/{name}", "--for=condition=Succeeded", "--timeout=180s")
        with kube.watched("dataflowruns") as watch:
            for at in range(runs + 1):
                run = f"{name}-{at}"
                began = time.perf_counter()
                kube.apply(_run(name, run, at))
                found.append(watch.first(partial(_succeeded, run)).at - began)
                kube.delete(f"dataflowrun/{run}")
    finally:
        kube.delete(f"dataflow/{name}", "configmap/bench")
    return found[1:]  # the first one opens the watch


def cold(kube: Kube, runs: int) -> list[tuple[float, float]]:
    """Return for so many data flows without a worker the seconds of all, and those of them in which its pod started."""
    found = []
    kube.apply(flows.modules())
    try:
        for at in range(runs):
            name = f"bench-cold-{at}"
            with kube.watched("dataflows") as flow, kube.watched("pods") as pods:
                time.sleep(1)  # until both watches are there
                began = time.perf_counter()
                kube.apply(flows.dataflow(name, pool={"replicas": 1}, inputs=[flows.given(at)]))
                ended = flow.first(partial(_succeeded, name)).at
                made = pods.first(partial(_of, name)).at
                ready = pods.first(partial(_ready, name)).at
            found.append((ended - began, ready - made))
            kube.delete(f"dataflow/{name}")
    finally:
        kube.delete("configmap/bench")
    return found


def _run(flow: str, name: str, number: int) -> dict[str, object]:
    return {
        "apiVersion": "tidemill.alt/v1alpha1",
        "kind": "DataFlowRun",
        "metadata": {"name": name},
        "spec": {"dataFlowRef": {"name": flow}, "inputs": [flows.given(number)]},
    }


def _succeeded(name: str, said: dict[str, Any]) -> bool:
    return str(said["metadata"]["name"]) == name and condition(said, "Succeeded")


def _of(flow: str, said: dict[str, Any]) -> bool:
    return str(said["metadata"]["name"]).startswith(f"{flow}-")


def _ready(flow: str, said: dict[str, Any]) -> bool:
    return _of(flow, said) and condition(said, "Ready")
