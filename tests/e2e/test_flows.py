"""Data flows on a real cluster: what a user applies succeeds with the right results, or says why not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.flows import doubling, given, lines, module
from tests.e2e.node import Node
from tests.e2e.place import ROOT, Place

pytestmark = pytest.mark.cluster

KUBERNETES = ROOT / "examples" / "kubernetes"
SAMPLES = [ROOT / "examples" / "dataflow.yaml", *(KUBERNETES / f"{name}.yaml" for name in ("hello", "fan-out", "tour"))]


def objects(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def with_operations(cluster: Place) -> None:
    """Have the operations of the samples in a ConfigMap, as their page says."""
    cluster.modules("sample-operations", sample_operations=(KUBERNETES / "sample_operations.py").read_text())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.stem))
def test_a_sample_succeeds(cluster: Place, sample: Path) -> None:
    with_operations(cluster)
    (name,) = [one["metadata"]["name"] for one in objects(sample) if one["kind"] == "DataFlow"]
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.kubectl("apply", "-f", str(sample))
        status = cluster.ended(name)
    conditions = {one["type"]: one for one in status["conditions"]}
    assert conditions["Succeeded"]["status"] == "True", status
    assert status["contexts"]["open"] == 0
    assert status["observedGeneration"] >= 1


def test_the_sample_with_an_image_of_its_own_judges_packages(cluster: Place) -> None:
    """It runs real tools, as child processes of a worker in a pod, without a network."""
    folder = ROOT / "examples" / "shouldi"
    [tag] = [line.split()[-2] for line in (folder / "Dockerfile").read_text().splitlines() if "docker build -t" in line]
    node = Node(cluster)
    name, _, version = tag.partition(":")
    assert node.image(name, (folder / "Dockerfile").read_text(), version=version, shouldi=folder / "shouldi") == tag
    (sample,) = objects(KUBERNETES / "shouldi.yaml")
    sample["spec"]["inputs"] = [one for one in sample["spec"]["inputs"] if one["context"] == "click"]  # the smaller one
    with cluster.gone_after("dataflow/shouldi"):
        cluster.apply(sample)
        status = cluster.ended("shouldi")
    assert status["contexts"] == {"open": 0, "succeeded": 1, "failed": 0, "total": 1}, status
    (found,) = status["results"]
    (said,) = found["result"]["verdict"]
    assert (found["context"], said["name"], said["source"]) == ("shouldi.click", "click", "installed")
    assert said["verdict"] in ("yes", "maybe")


def test_the_sample_that_fails_says_why_and_the_one_that_runs_again_succeeds(cluster: Place) -> None:
    with_operations(cluster)
    with cluster.gone_after("dataflow/failing", "dataflowrun/again", "dataflow/fan-out"):
        for name in ("failing", "fan-out", "again"):
            cluster.kubectl("apply", "-f", str(KUBERNETES / f"{name}.yaml"))
        conditions = {one["type"]: one for one in cluster.ended("failing")["conditions"]}
        assert conditions["Succeeded"]["status"] == "False"
        assert conditions["Succeeded"]["message"]
        conditions = {one["type"]: one for one in cluster.ended("again", "dataflowrun")["conditions"]}
        assert conditions["Succeeded"]["status"] == "True"


def test_results_are_in_the_status_where_they_are_small(cluster: Place) -> None:
    name = cluster.unique("few")
    module(cluster)
    sets = [{"context": f"n{number}", **given(number=number, seconds=0.0)} for number in (1, 2, 3)]
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(doubling(name, inputs=sets))
        status = cluster.ended(name)
    found = {one["context"].removeprefix(f"{name}."): one["result"] for one in status["results"]}
    assert found == {f"n{number}": {"double": number * 2} for number in (1, 2, 3)}
    assert status["contexts"] == {"open": 0, "succeeded": 3, "failed": 0, "total": 3}


def test_a_failure_can_be_read_with_kubectl_describe(cluster: Place) -> None:
    name = cluster.unique("failing")
    module(cluster)
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(doubling(name, inputs=[{"context": "bad", **given(number=-1, seconds=0.0)}]))
        status = cluster.ended(name)
        described = cluster.kubectl("describe", "dataflow", name)
    assert status["contexts"]["failed"] == 1
    assert "-1 is below zero" in described
    assert "double" in described
    succeeded = next(one for one in status["conditions"] if one["type"] == "Succeeded")
    assert succeeded["status"] == "False"
    assert succeeded["reason"]
    assert succeeded["message"]


def test_a_thousand_contexts_out_of_a_config_map(cluster: Place) -> None:
    name = cluster.unique("thousand")
    module(cluster)
    lines(cluster, name, ({"number": number, "seconds": 0.0} for number in range(1000)))
    source = {"name": "lines", "configMapKeyRef": {"name": name, "key": "sets.jsonl"}}
    with cluster.gone_after(f"dataflow/{name}", f"configmap/{name}"):
        cluster.apply(doubling(name, inputsFrom=[source], pool={"replicas": 2}))
        status = cluster.ended(name)
        size = len(cluster.kubectl("get", "dataflow", name, "-o", "json"))
    assert status["contexts"] == {"open": 0, "succeeded": 1000, "failed": 0, "total": 1000}
    assert status["parameterSets"]["completed"] == 2000  # double and the output operation
    assert size < 16 * 1024


def test_inputs_that_are_added_are_run_and_the_others_are_left_alone(cluster: Place) -> None:
    name = cluster.unique("growing")
    module(cluster)
    first = [{"context": "one", **given(number=1, seconds=0.0)}]
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(doubling(name, inputs=first))
        cluster.ended(name)
        cluster.apply(doubling(name, inputs=[*first, {"context": "two", **given(number=2, seconds=0.0)}]))
        status = cluster.until(
            lambda: (found := cluster.status(name)).get("contexts", {}).get("succeeded") == 2 and found,
            "the second context succeeded",
            show=lambda: cluster.status(name),
        )
    assert status["parameterSets"]["completed"] == 4


def test_a_run_of_a_data_flow_has_inputs_of_its_own(cluster: Place) -> None:
    name = cluster.unique("named")
    module(cluster)
    run = {
        "apiVersion": "tidemill.alt/v1alpha1",
        "kind": "DataFlowRun",
        "metadata": {"name": f"{name}-run"},
        "spec": {"dataFlowRef": {"name": name}, "inputs": [{"context": "x", **given(number=21, seconds=0.0)}]},
    }
    with cluster.gone_after(f"dataflowrun/{name}-run", f"dataflow/{name}"):
        cluster.apply(doubling(name))
        cluster.apply(run)
        status = cluster.ended(f"{name}-run", "dataflowrun")
        assert [one["result"] for one in status["results"]] == [{"double": 42}]
        assert status["planDigest"] == cluster.status(name)["planDigest"]


def test_what_nobody_implements_is_named(cluster: Place) -> None:
    name = cluster.unique("missing")
    module(cluster)
    flow = doubling(name, inputs=[{"context": "x", **given(number=1, seconds=0.0)}])
    flow["spec"]["operations"]["double"]["name"] = "doubling:triple"
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(flow)
        found = cluster.until(
            lambda: (one := cluster.condition(name, "ImplementationsAvailable")).get("status") == "False" and one,
            "the condition ImplementationsAvailable is False",
            show=lambda: cluster.status(name),
        )
    assert "doubling:triple" in found["message"]


def test_a_data_flow_that_cannot_be_is_refused_with_field_and_reason(cluster: Place) -> None:
    name = cluster.unique("wrong")
    flow = doubling(name)
    flow["spec"]["operations"]["double"]["inputs"]["number"] = "nmuber"
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(flow)
        found = cluster.until(
            lambda: (one := cluster.condition(name, "Accepted")).get("status") == "False" and one,
            "the condition Accepted is False",
            show=lambda: cluster.status(name),
        )
    assert "nmuber" in found["message"]
    assert "number" in found["message"]  # what it may have been


def test_values_that_nest_without_end_are_refused_and_the_operator_lives(cluster: Place) -> None:
    name = cluster.unique("deep")
    text = "[" * 5000 + "]" * 5000
    flow = doubling(name)
    flow["spec"]["seed"].append({"value": "VALUE", "definition": "names"})
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.kubectl("create", "-f", "-", given=json.dumps(flow).replace('"VALUE"', text))
        found = cluster.until(
            lambda: (one := cluster.condition(name, "Accepted")).get("status") == "False" and one,
            "the condition Accepted is False",
            show=lambda: cluster.status(name),
        )
        assert found["reason"] == "TooDeep" or "TooDeep" in found["message"]
    pods = cluster.pods("app.kubernetes.io/component=operator")
    assert [one["status"]["containerStatuses"][0]["restartCount"] for one in pods] == [0]
