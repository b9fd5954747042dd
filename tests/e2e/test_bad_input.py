"""What is wrong only where it runs: it is said in the status, nothing else is slowed down, and the operator lives."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.flows import doubling, given, module
from tests.e2e.place import Place

pytestmark = pytest.mark.cluster

LABEL = "app.kubernetes.io/component=operator"


@pytest.fixture(autouse=True)
def operator_lives(cluster: Place) -> Iterator[None]:
    """The operator is the one of before, and has not been started anew."""

    def seen() -> list[Any]:
        return [(pod["metadata"]["uid"], _restarts(pod)) for pod in cluster.pods(LABEL)]

    before = seen()
    yield
    assert seen() == before


def _restarts(pod: dict[str, Any]) -> int:
    return sum(int(one["restartCount"]) for one in pod["status"]["containerStatuses"])


def test_more_combinations_than_the_limit_fail_their_context_alone(cluster: Place) -> None:
    """A34: five parameters with a thousand seeds each would be 10^15 parameter sets."""
    vast, small = cluster.unique("vast"), cluster.unique("small")
    module(cluster)
    letters = "abcde"
    flow = doubling(vast, limits={"parameterSets": 1000})
    flow["spec"]["definitions"] |= {letter: {"primitive": "int"} for letter in letters}
    flow["spec"]["operations"]["five"] = {"name": "doubling:double", "inputs": {letter: letter for letter in letters}}
    seeds = [{"definition": letter, "value": number} for letter in letters for number in range(1000)]
    text = "".join(json.dumps({"inputs": seeds}) + "\n")
    lines = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": vast}, "data": {"sets.jsonl": text}}
    flow["spec"]["inputsFrom"] = [{"name": "all", "configMapKeyRef": {"name": vast, "key": "sets.jsonl"}}]
    with cluster.gone_after(f"dataflow/{vast}", f"dataflow/{small}", f"configmap/{vast}"):
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=lines)
        cluster.apply(flow, doubling(small, inputs=[{"context": "x", **given(number=2, seconds=0.0)}]))
        assert cluster.ended(small)["contexts"]["succeeded"] == 1
        status = cluster.ended(vast)
        described = cluster.kubectl("describe", "dataflow", vast)
    assert status["contexts"]["failed"] == 1
    assert "ParameterSetLimitExceeded" in described


def test_a_secret_that_is_not_there_is_named_and_never_shown(cluster: Place) -> None:
    """A42: the pods wait for it, and the data flow says so."""
    name = cluster.unique("secret")
    module(cluster)
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "nobody-made-it", "key": "token"}}}
    flow = doubling(name, pool={"replicas": 1, "env": [variable]}, inputs=[given(number=1, seconds=0.0)])
    with cluster.gone_after(f"dataflow/{name}"):
        cluster.apply(flow)
        found = cluster.until(
            lambda: "nobody-made-it" in (one := cluster.condition(name, "WorkersAvailable")).get("message", "") and one,
            "the condition WorkersAvailable names the Secret",
            show=lambda: cluster.status(name),
        )
        assert found["status"] == "False"
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nobody-made-it"}}
        with cluster.gone_after("secret/nobody-made-it"):
            cluster.apply({**secret, "stringData": {"token": "S3CR3T-canary"}})
            assert cluster.ended(name)["contexts"]["succeeded"] == 1
            assert "S3CR3T-canary" not in cluster.kubectl("describe", "dataflow", name)
            logs = cluster.kubectl("logs", "-l", LABEL, "--tail=-1")
    assert "S3CR3T-canary" not in logs
