"""Pools of kind Job on a real cluster: one pod for each parameter set, or for a whole context, also where pods die."""

from typing import Any

import pytest

from tests.e2e.flows import doubling, given, module
from tests.e2e.node import Node
from tests.e2e.place import ROOT, Place

pytestmark = pytest.mark.cluster


def apart(name: str, *numbers: int, seconds: float, most: int = 2) -> dict[str, Any]:
    """Return a DataFlow that doubles each number in a Job, and puts results together in a worker that stays."""
    sets = [{"context": f"n{number}", **given(number=number, seconds=seconds)} for number in numbers]
    flow = doubling(name, inputs=sets)
    flow["spec"]["operations"]["double"]["pool"] = "apart"
    modules = [{"configMapRef": {"name": "doubling"}}]
    flow["spec"]["pools"].append({"name": "apart", "kind": "Job", "maxReplicas": most, "modulesFrom": modules})
    return flow


def jobs_of(cluster: Place, name: str) -> list[Any]:
    """Return the Jobs of a data flow."""
    items: list[Any] = cluster.get("jobs", "-l", f"app.kubernetes.io/instance={name}")["items"]
    return items


def active(cluster: Place, name: str) -> list[Any]:
    """Return those of its Jobs that have not ended."""
    return [one for one in jobs_of(cluster, name) if not one["status"].get("conditions")]


def test_each_parameter_set_has_a_job_and_no_more_are_there_at_once_than_may_be(cluster: Place) -> None:
    name = cluster.unique("apart")
    module(cluster)
    seen: dict[str, str] = {}
    most = 0

    def look() -> bool:
        nonlocal most
        found = jobs_of(cluster, name)
        seen.update({one["metadata"]["name"]: one["metadata"]["uid"] for one in found})
        most = max(most, sum(not one["status"].get("conditions") for one in found))
        return cluster.condition(name, "Succeeded").get("status") == "True"

    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(apart(name, 1, 2, 3, 4, seconds=1.0))
        cluster.until(look, "it has succeeded", show=lambda: cluster.status(name))
        status = cluster.status(name)
        assert {one["context"]: one["result"] for one in status["results"]} == {
            f"{name}.n{number}": {"double": 2 * number} for number in (1, 2, 3, 4)
        }
        assert (len(seen), most) == (4, 2)
        kept = cluster.until(lambda: not active(cluster, name) and jobs_of(cluster, name), "its Jobs have ended")
        assert all(one["status"].get("succeeded") == 1 for one in kept)
        [pod, *_] = cluster.get("pods", "-l", f"job-name={kept[-1]['metadata']['name']}")["items"]
        assert pod["spec"]["automountServiceAccountToken"] is False
    cluster.until(lambda: not jobs_of(cluster, name), "they go with their data flow")


def test_what_a_pod_had_that_was_killed_is_run_by_another_job(cluster: Place) -> None:
    name, node = cluster.unique("killed"), Node(cluster)
    module(cluster)
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(apart(name, 7, seconds=15.0, most=1))
        cluster.until(
            lambda: cluster.status(name).get("parameterSets", {}).get("leased") == 1,
            "a Job has it",
            show=lambda: cluster.status(name),
        )
        [job] = active(cluster, name)
        [pod] = cluster.get("pods", "-l", f"job-name={job['metadata']['name']}")["items"]
        node.kill(pod)
        status = cluster.ended(name)
        assert [one["result"] for one in status["results"]] == [{"double": 14}]
        ended = {one["metadata"]["name"]: one["status"] for one in jobs_of(cluster, name)}
    assert ended[job["metadata"]["name"]].get("failed") == 1
    assert len(ended) == 2


def test_a_context_is_a_job(cluster: Place) -> None:
    with cluster.gone_after("dataflow/jobs"):
        cluster.kubectl("apply", "-f", str(ROOT / "examples" / "kubernetes" / "jobs.yaml"))
        status = cluster.ended("jobs")
        done = jobs_of(cluster, "jobs")
    assert status["results"][0]["result"] == {"words": [["tide", "mill"], ["ebb"], ["wheel", "sluice"]]}
    assert len(done) == 3
