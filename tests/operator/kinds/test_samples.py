"""The samples for Kubernetes: each runs here as it stands, the operator accepts it, and an API server admits it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operator.cluster import ControlPlane
from tidemill.formats.load import load_flow
from tidemill.plan.compile import compile_plan
from tidemill_operator.kinds.accept import accept, input_sets
from tidemill_operator.kinds.objects import DataFlowObject, read_object

ROOT = Path(__file__).resolve().parents[3] / "examples"
SAMPLES = ROOT / "kubernetes"
FLOWS = ["hello", "fan-out", "tour", "jobs", "failing", "shouldi"]


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def results(name: str) -> dict[str, Any]:
    """Run a sample with the command line; return what became of each context."""
    command = [sys.executable, "-m", "tidemill.cli", "run", str(SAMPLES / f"{name}.yaml"), "-q", "-o", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["context"]: each["result"] or each["failure"] for each in found}


def test_hello_greets() -> None:
    assert results("hello") == {"context-1": {"greeting": ["hello", "ahoy"]}}


def test_the_fan_out_is_of_a_thousand() -> None:
    assert results("fan-out") == {"context-1": {"square": [number * number for number in range(1, 1001)]}}


def test_the_tour_has_a_lock_a_condition_a_list_and_a_data_flow_within() -> None:
    assert results("tour") == {
        "context-1": {
            "receipt": ["tea: 3.00 at till 1", "milk: 4.00 at till 1", "sugar: 5.00 at till 1"],
            "parcel": ["[TEA]", "[MILK]", "[SUGAR]"],
        }
    }


def test_the_jobs_have_a_data_flow_each() -> None:
    assert results("jobs") == {"context-1": {"words": [["tide", "mill"], ["ebb"], ["wheel", "sluice"]]}}


def test_the_failing_one_fails_in_one_context_and_says_why() -> None:
    found = results("failing")
    assert found["good"] == {"answer": 42}
    assert (found["bad"]["reason"], found["bad"]["instance"]) == ("Exception", "parse")
    assert found["bad"]["message"].startswith("JSONDecodeError: Expecting value")


def test_shouldi_is_the_data_flow_of_the_example() -> None:
    here, there = (
        compile_plan(load_flow(ROOT / path).dataflow) for path in ("kubernetes/shouldi.yaml", "shouldi/dataflow.yaml")
    )
    assert here.digest == there.digest


@pytest.mark.parametrize("name", FLOWS)
def test_the_operator_accepts_it(name: str) -> None:
    found = read_object(sample(name))
    assert isinstance(found, DataFlowObject)
    accepted = accept(found)
    assert accepted.pools == (("apart", "default") if name == "jobs" else ("default",))
    given = input_sets(found, accepted)
    assert all(each.name == name or each.name.startswith(f"{name}.") for each in given)
    assert given


def test_the_run_fits_its_data_flow() -> None:
    flow, run = read_object(sample("fan-out")), read_object(sample("again"))
    assert isinstance(flow, DataFlowObject)
    assert [each.name for each in input_sets(run, accept(flow))] == ["again.few", "again.more"]


def test_every_sample_is_part_of_the_whole_or_needs_an_image() -> None:
    named = set(yaml.safe_load((SAMPLES / "kustomization.yaml").read_text(encoding="utf-8"))["resources"])
    files = {path.name for path in SAMPLES.glob("*.yaml")} - {"kustomization.yaml"}
    assert files - named == {"shouldi.yaml"}
    assert sample("shouldi")["spec"]["pools"][0]["image"]


@pytest.mark.cluster
@pytest.mark.timeout(3600)
def test_an_api_server_admits_them(api: ControlPlane, namespace: str) -> None:
    api.must("apply", "-n", namespace, "-k", str(SAMPLES))
    api.must("apply", "-n", namespace, "-f", str(SAMPLES / "shouldi.yaml"))
    names = api.must("get", "tidemill", "-n", namespace, "-o", "name").split()
    assert sorted(names) == [
        *(f"dataflow.tidemill.alt/{name}" for name in sorted(FLOWS)),
        "dataflowrun.tidemill.alt/again",
    ]
    for name in FLOWS:  # what the API server gives back is accepted like what was given
        found = read_object(api.get("-n", namespace, f"df/{name}"))
        assert isinstance(found, DataFlowObject)
        assert accept(found).plan.digest == accept(read_of(name)).plan.digest


def read_of(name: str) -> DataFlowObject:
    found = read_object(sample(name))
    assert isinstance(found, DataFlowObject)
    return found
