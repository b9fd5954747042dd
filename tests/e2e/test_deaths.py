"""Whatever dies, nothing is lost and nothing counts twice: workers, the operator, the store."""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.e2e.flows import doubling, given, lines, module, workers_of
from tests.e2e.place import Place

pytestmark = pytest.mark.cluster

CONTEXTS = 1500


def submitted(cluster: Place, name: str, contexts: int, seconds: float, **pool: int) -> None:
    module(cluster)
    lines(cluster, name, ({"number": number, "seconds": seconds} for number in range(contexts)))
    source = {"name": "lines", "configMapKeyRef": {"name": name, "key": "sets.jsonl"}}
    cluster.apply(doubling(name, inputsFrom=[source], pool={"slots": 16, **pool}))


def kill(cluster: Place, pod: str) -> None:
    """Have a pod be gone at once, without any grace."""
    cluster.run("kubectl", "-n", cluster.namespace, "delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def succeeded(cluster: Place, name: str) -> int:
    return int(cluster.status(name).get("contexts", {}).get("succeeded", 0))


def test_pods_are_killed_while_a_data_flow_runs(cluster: Place) -> None:
    name, random_ = cluster.unique("deaths"), random.Random(7)
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        submitted(cluster, name, CONTEXTS, 0.05, replicas=3)
        cluster.until(lambda: succeeded(cluster, name) > 20, "the first contexts succeeded", 240)
        killed = {"worker": 0, "operator": 0, "store": 0}
        for who in ("worker", "worker", "operator", "worker", "store", "worker", "operator", "worker"):
            label = workers_of(name) if who == "worker" else f"app.kubernetes.io/component={who}"
            pods = cluster.until(partial(cluster.pods, label), f"there is a pod of {label}")
            kill(cluster, random_.choice(pods)["metadata"]["name"])
            killed[who] += 1
            before = succeeded(cluster, name)
            cluster.until(partial(_went_on, cluster, name, before), f"it goes on after the death of a {who}")
        status = cluster.ended(name, seconds=600)
    assert status["contexts"] == {"open": 0, "succeeded": CONTEXTS, "failed": 0, "total": CONTEXTS}
    assert status["parameterSets"]["completed"] == 2 * CONTEXTS
    assert killed == {"worker": 5, "operator": 2, "store": 1}


def _went_on(cluster: Place, name: str, before: int) -> bool:
    contexts = cluster.status(name).get("contexts", {})
    return int(contexts.get("succeeded", 0)) > before or not contexts.get("open", 1)


def test_data_flows_finish_while_the_operator_is_down(cluster: Place) -> None:
    name = cluster.unique("alone")
    deployment = cluster.get("deployments", "-l", "app.kubernetes.io/component=operator")["items"][0]["metadata"][
        "name"
    ]
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        submitted(cluster, name, 300, 0.05, replicas=2)
        cluster.until(lambda: succeeded(cluster, name) > 5, "the first contexts succeeded")
        try:
            cluster.kubectl("scale", "deployment", deployment, "--replicas=0")
            cluster.until(lambda: not cluster.pods("app.kubernetes.io/component=operator"), "the operator is gone")
            seen = succeeded(cluster, name)
            cluster.until(lambda: _ready_work(cluster, name) == 0, "the workers have nothing left to run")
            assert succeeded(cluster, name) == seen  # nobody was there to write it
        finally:
            cluster.kubectl("scale", "deployment", deployment, "--replicas=1")
        status = cluster.ended(name)
    assert status["contexts"]["succeeded"] == 300


def test_of_two_operators_one_acts_and_the_other_follows_it(cluster: Place) -> None:
    label = "app.kubernetes.io/component=operator"
    [deployment] = cluster.get("deployments", "-l", label)["items"]
    scale = ("scale", "deployment", deployment["metadata"]["name"])
    names = [cluster.unique(name) for name in ("first", "second")]
    module(cluster)

    def leaders() -> list[str]:
        found = {
            pod["metadata"]["name"]: _metric(cluster, pod, "tidemill_operator_leader") for pod in cluster.pods(label)
        }
        return [name for name, leads in found.items() if leads and len(found) == 2 and None not in found.values()]

    try:
        cluster.kubectl(*scale, "--replicas=2")
        with cluster.gone_after(*(f"dataflow/{name}" for name in names)):
            for name in names:
                [leader] = cluster.until(leaders, "two operators are there, and one of them acts", show=leaders)
                cluster.apply(doubling(name, inputs=[{"context": "x", **given(number=1, seconds=0.0)}]))
                assert cluster.ended(name)["contexts"]["succeeded"] == 1
                assert leaders() == [leader]
                kill(cluster, leader)
                cluster.until(partial(_others, leaders, leader), "another one acts", show=leaders)
    finally:
        cluster.kubectl(*scale, "--replicas=1")
        cluster.until(lambda: len(cluster.pods(label)) == 1, "one operator is left")


def _others(leaders: Callable[[], list[str]], leader: str) -> bool:
    return leaders() not in ([], [leader])


def _metric(cluster: Place, pod: dict[str, Any], name: str) -> float | None:
    """Return a metric without labels of a pod, if it answers."""
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod['metadata']['name']}:8080/proxy/metrics"
    said = cluster.run("kubectl", "get", "--raw", path).stdout.splitlines()
    return next((float(line.split()[1]) for line in said if line.startswith(f"{name} ")), None)


def _ready_work(cluster: Place, name: str) -> int:
    """Return how much the workers of a data flow are running, by their own metrics."""
    pods = cluster.pods(workers_of(name))
    return sum(int(_metric(cluster, pod, "tidemill_worker_running") or 0) for pod in pods)


def test_an_object_that_is_deleted_and_made_again_meets_nothing_of_the_old_one(cluster: Place) -> None:
    name = cluster.unique("again")
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        submitted(cluster, name, 200, 0.2, replicas=1)
        cluster.until(lambda: succeeded(cluster, name) > 3, "the first contexts succeeded")
        cluster.delete("dataflow", name)
        submitted(cluster, name, 10, 0.0, replicas=1)
        status = cluster.ended(name)
    assert status["contexts"] == {"open": 0, "succeeded": 10, "failed": 0, "total": 10}
    assert status["parameterSets"]["completed"] == 20


def test_workers_are_replaced_under_load_and_nothing_is_lost(cluster: Place) -> None:
    name = cluster.unique("rolling")
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        submitted(cluster, name, 400, 0.1, replicas=2)
        cluster.until(lambda: succeeded(cluster, name) > 5, "the first contexts succeeded")
        old = {pod["metadata"]["name"] for pod in cluster.pods(workers_of(name))}
        patch = [{"op": "add", "path": "/spec/pools/0/env", "value": [{"name": "COLOUR", "value": "green"}]}]
        cluster.kubectl("patch", "dataflow", name, "--type=json", "-p", json.dumps(patch))
        cluster.until(
            lambda: not old & {pod["metadata"]["name"] for pod in cluster.pods(workers_of(name))},
            "all workers were replaced",
        )
        status = cluster.ended(name)
    assert status["contexts"] == {"open": 0, "succeeded": 400, "failed": 0, "total": 400}
    assert status["parameterSets"]["failed"] == 0


def test_workers_come_with_the_work_and_go_after_it(cluster: Place) -> None:
    name = cluster.unique("tide")
    pool = {"minReplicas": 0, "maxReplicas": 2, "scaling": {"targetBacklogSeconds": 1, "cooldownSeconds": 1}}
    module(cluster)
    lines(cluster, name, ({"number": number, "seconds": 0.1} for number in range(200)))
    source = {"name": "lines", "configMapKeyRef": {"name": name, "key": "sets.jsonl"}}
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        cluster.apply(doubling(name, pool={**pool, "slots": 4}))
        cluster.until(lambda: cluster.condition(name, "Accepted").get("status") == "True", "it was accepted")
        assert cluster.pods(workers_of(name)) == []
        cluster.apply(doubling(name, pool={**pool, "slots": 4}, inputsFrom=[source]))
        cluster.until(lambda: cluster.pods(workers_of(name)), "workers came")
        status = cluster.ended(name)
        assert status["contexts"]["succeeded"] == 200
        cluster.until(lambda: not cluster.pods(workers_of(name)), "workers went")


def test_a_data_flow_is_suspended_and_goes_on(cluster: Place) -> None:
    name = cluster.unique("held")
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        submitted(cluster, name, 100, 0.2, replicas=1)
        cluster.until(lambda: succeeded(cluster, name) > 2, "the first contexts succeeded")
        cluster.kubectl("patch", "dataflow", name, "--type=merge", "-p", '{"spec": {"suspend": true}}')
        cluster.until(lambda: cluster.condition(name, "Suspended").get("status") == "True", "it is suspended")
        cluster.until(lambda: _ready_work(cluster, name) == 0, "what was running has ended")
        seen = succeeded(cluster, name)
        assert seen < 100
        cluster.kubectl("patch", "dataflow", name, "--type=merge", "-p", '{"spec": {"suspend": false}}')
        status = cluster.ended(name)
    assert status["contexts"]["succeeded"] == 100
