"""What a real API server does with our kinds: transitions, merging, /scale, rights, and what kubectl shows."""

import copy
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operator.cluster import ControlPlane, Done
from tests.operator.kinds.things import dataflow, dataflowrun
from tidemill.errors import InvalidDocument
from tidemill.formats.read import parse_document

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

TENANT, READER = "alice", "bob"
CHART = Path(__file__).resolve().parents[3] / "charts" / "tidemill"
ROLES = ["template", "tenants", str(CHART), "--kube-version=1.34.0", "--show-only=templates/operator/aggregate.yaml"]


def made(said: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Return an object as a tenant writes it, into ``namespace``."""
    return {**copy.deepcopy(said), "metadata": {"name": said["metadata"]["name"], "namespace": namespace}}


def patch(api: ControlPlane, namespace: str, what: str, change: Any, *more: str, user: str | None = None) -> Done:
    arguments = ["patch", "-n", namespace, what, "--type=merge", "--patch-file=/dev/stdin", *more]
    return api.kubectl(*arguments, given=change, user=user)


@pytest.fixture
def run(api: ControlPlane, namespace: str) -> str:
    """A run with two input sets; returns its namespace."""
    inputs = [{"context": name, "inputs": [{"definition": "word", "value": [1, None]}]} for name in "ab"]
    files = [{"name": "f", "configMapKeyRef": {"name": "c", "key": "k"}}]
    said = dataflowrun(name="r", inputs=inputs, inputsFrom=files, limits={"inputs": 5})
    api.must("create", "-f", "-", given=made(said, namespace))
    return namespace


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataFlowRef": {"name": "other"}}, "spec.dataFlowRef.name of a run stays hello, it cannot become other"),
        ({"strict": False}, "spec.strict of a run stays as it is"),
        ({"journal": True}, "spec.journal of a run stays as it is"),
        ({"limits": {"inputs": 6}}, "spec.limits of a run stays as it is"),
        ({"limits": None}, "spec.limits of a run stays as it is"),
        ({"inputs": None}, 'nothing taken away; missing: ["a", "b"]'),
        ({"inputsFrom": []}, 'nothing taken away; missing: ["f"]'),
        ({"inputsFrom": [{"name": "f", "configMapKeyRef": {"name": "c", "key": "other"}}]},
            "the source of inputs f of a run stays as it is"),
        ({"inputs": [{"context": "a", "inputs": [{"definition": "word", "value": [1, 2]}]}]}, 'missing: ["b"]'),
        ({"inputs": [{"context": "a", "inputs": [{"definition": "word", "value": [1, 2]}]}, {"context": "b", "inputs": [
            {"definition": "word", "value": [1, None]}]}]}, "the input set a of a run stays as it is"),
    ],
)  # fmt: skip
def test_a_run_stays_what_it_is(api: ControlPlane, run: str, change: Any, said: str) -> None:
    done = patch(api, run, "dfr/r", {"spec": change})
    assert done.code != 0
    assert said in done.said
    assert "make a new DataFlowRun instead" in done.said


def test_what_can_be_changed_of_a_run(api: ControlPlane, run: str) -> None:
    more = [{"context": "c", "values": {"word": "x"}}]
    before = api.get("-n", run, "dfr/r")["spec"]["inputs"]
    for change in ({"suspend": True}, {"ttlSecondsAfterFinished": 5}, {"inputs": before + more}, {"cancel": True}):
        done = patch(api, run, "dfr/r", {"spec": change})
        assert done.code == 0, done.said
    done = patch(api, run, "dfr/r", {"spec": {"cancel": False}})
    assert "a run that was cancelled cannot be taken up again; make a new DataFlowRun" in done.said


def test_a_run_that_has_ended_stays_ended(api: ControlPlane, run: str) -> None:
    ended = {"status": {"completionTime": "2026-01-02T03:04:05Z"}}
    assert patch(api, run, "dfr/r", ended, "--subresource=status").code == 0
    for change in ({"completionTime": None}, {"completionTime": "2026-01-02T03:04:06Z"}):
        done = patch(api, run, "dfr/r", {"status": change}, "--subresource=status")
        assert "a run that has ended stays ended" in done.said
    more = [*api.get("-n", run, "dfr/r")["spec"]["inputs"], {"context": "c"}]
    done = patch(api, run, "dfr/r", {"spec": {"inputs": more}})
    assert "the run ended at 2026-01-02T03:04:05Z, nothing can be added to it; make a new DataFlowRun" in done.said
    assert patch(api, run, "dfr/r", {"spec": {"ttlSecondsAfterFinished": 1}}).code == 0


def test_a_data_flow_can_be_edited(api: ControlPlane, namespace: str) -> None:
    api.must("create", "-f", "-", given=made(dataflow(inputs=[{"values": {"word": "a"}}]), namespace))
    other = {"say": {"name": "m:other", "inputs": {"word": "word"}}}
    for change in ({"operations": other}, {"inputs": [{"context": "b", "values": {"word": "b"}}]}, {"inputs": None}):
        done = patch(api, namespace, "df/hello", {"spec": change})
        assert done.code == 0, done.said
    assert api.get("-n", namespace, "df/hello")["metadata"]["generation"] == 4


def test_those_who_apply_are_merged_by_the_names_of_what_they_apply(api: ControlPlane, namespace: str) -> None:
    def apply(manager: str, **spec: Any) -> Done:
        said = {**dataflow(), "metadata": {"name": "hello", "namespace": namespace}, "spec": spec}
        return api.kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", given=said)

    flow = dataflow()["spec"]
    pools = [{"name": "default", "env": [{"name": "A", "value": "1"}]}, {"name": "other"}]
    assert apply("author", **flow, pools=pools, inputs=[{"values": {"word": "a"}}]).code == 0
    mine = [{"name": "default", "maxReplicas": 3, "env": [{"name": "B", "value": "2"}]}]
    done = apply("tuner", pools=mine, inputs=[{"context": "extra", "values": {"word": "b"}}])
    assert done.code == 0, done.said
    spec = api.get("-n", namespace, "df/hello")["spec"]
    assert [(pool["name"], pool.get("maxReplicas")) for pool in spec["pools"]] == [("default", 3), ("other", None)]
    assert {each["name"] for each in spec["pools"][0]["env"]} == {"A", "B"}
    assert [each["context"] for each in spec["inputs"]] == ["", "extra"]
    conflict = apply("tuner", pools=[{"name": "default", "env": [{"name": "A", "value": "9"}]}])
    assert 'conflict with "author"' in conflict.said
    assert apply("tuner", pools=[{"name": "default"}]).code == 0
    spec = api.get("-n", namespace, "df/hello")["spec"]
    assert "maxReplicas" not in spec["pools"][0]
    assert [each["context"] for each in spec["inputs"]] == [""]


def test_conditions_are_merged_by_type(api: ControlPlane, namespace: str) -> None:
    api.must("create", "-f", "-", given=made(dataflow(), namespace))

    def apply(manager: str, kind: str, status: str) -> None:
        condition = {"type": kind, "status": status, "reason": "Because", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        said = {**dataflow(), "metadata": {"name": "hello", "namespace": namespace}}
        del said["spec"]
        said["status"] = {"conditions": [condition]}
        api.must("apply", "--server-side", f"--field-manager={manager}", "--subresource=status", "-f", "-", given=said)

    apply("one", "Accepted", "True")
    apply("other", "Succeeded", "False")
    found = api.get("-n", namespace, "df/hello")["status"]["conditions"]
    assert {each["type"]: each["status"] for each in found} == {"Accepted": "True", "Succeeded": "False"}


def test_the_scale_of_a_data_flow_is_that_of_its_default_pool(api: ControlPlane, namespace: str) -> None:
    api.must("create", "-f", "-", given=made(dataflow(pools=[{"name": "default", "maxReplicas": 5}]), namespace))
    api.must("scale", "-n", namespace, "df/hello", "--replicas=3")
    assert api.get("-n", namespace, "df/hello")["spec"]["replicas"] == 3
    status = {"status": {"replicas": 2, "selector": "tidemill.alt/pool=default"}}
    assert patch(api, namespace, "df/hello", status, "--subresource=status").code == 0
    scale = api.get("-n", namespace, "df/hello", "--subresource=scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "tidemill.alt/pool=default"}
    assert "less than or equal to 10000" in api.kubectl("scale", "-n", namespace, "df/hello", "--replicas=10001").said


def test_the_spec_and_the_status_are_written_apart(api: ControlPlane, namespace: str) -> None:
    said = made(dataflow(), namespace)
    said["status"] = {"replicas": 5}
    api.must("create", "-f", "-", given=said)
    assert "status" not in api.get("-n", namespace, "df/hello")
    change = {"spec": {"suspend": True}, "status": {"replicas": 1}}
    assert patch(api, namespace, "df/hello", change, "--subresource=status").code == 0
    found = api.get("-n", namespace, "df/hello")
    assert (found["spec"]["suspend"], found["status"], found["metadata"]["generation"]) == (False, {"replicas": 1}, 1)


def test_a_status_is_bounded(api: ControlPlane, namespace: str) -> None:
    api.must("create", "-f", "-", given=made(dataflow(), namespace))
    for status, said in (
        ({"failures": [{"context": "c", "reason": "Exception"}] * 11}, "Too many: 11: must have at most 10 items"),
        ({"conditions": [{"type": "accepted", "status": "Yes"}]}, "Unsupported value"),
        ({"durationSeconds": 1.5}, "must be of type integer"),
        ({"phase": "Running"}, 'unknown field "status.phase"'),
    ):
        done = patch(api, namespace, "df/hello", {"status": status}, "--subresource=status")
        assert said in done.said


@pytest.fixture
def tenants(api: ControlPlane, namespace: str) -> str:
    """A namespace where one may edit and one may read, by the roles of Kubernetes that the chart adds to."""
    if shutil.which("helm", path=api.environment["PATH"]) is None:
        pytest.skip("there is no helm in PATH, which makes the roles out of the chart")
    done = subprocess.run(
        ["helm", *ROLES], env=dict(api.environment), capture_output=True, text=True, check=True, timeout=60
    )
    api.must("apply", "--server-side", "-f", "-", given=done.stdout)
    for user, role in ((TENANT, "edit"), (READER, "view")):
        api.must("create", "rolebinding", user, "-n", namespace, f"--clusterrole={role}", f"--user={user}")
    deadline = time.monotonic() + 240  # the controller manager puts the rules of several roles into one
    while not may(api, namespace, "create", "dataflows", TENANT) or not may(
        api, namespace, "list", "dataflows", READER
    ):
        assert time.monotonic() < deadline, "the roles were not aggregated"
    return namespace


def may(api: ControlPlane, namespace: str, verb: str, what: str, user: str) -> bool:
    resource, _, part = what.partition("/")
    more = [f"--subresource={part}"] if part else []
    return api.kubectl("auth", "can-i", verb, resource, *more, "-n", namespace, user=user).out.strip() == "yes"


def test_a_tenant_writes_objects_and_not_their_status(api: ControlPlane, tenants: str) -> None:
    api.must("create", "-f", "-", given=made(dataflow(), tenants), user=TENANT)
    status = {"status": {"planDigest": "sha256:forged"}}
    refused = patch(api, tenants, "df/hello", status, "--subresource=status", user=TENANT)
    assert refused.code != 0
    assert f'User "{TENANT}" cannot get resource "dataflows/status"' in refused.said
    assert patch(api, tenants, "df/hello", status, user=TENANT).code == 0  # as if nothing had been said of it
    assert "status" not in api.get("-n", tenants, "df/hello")
    api.must("scale", "-n", tenants, "df/hello", "--replicas=1", user=TENANT)
    elsewhere = api.kubectl("get", "df", "-n", "default", user=TENANT)
    assert f'User "{TENANT}" cannot list resource "dataflows"' in elsewhere.said


def test_rights_of_tenants(api: ControlPlane, tenants: str) -> None:
    for what in ("dataflows", "dataflowruns"):
        for part in ("status", "finalizers"):
            for verb in ("get", "update", "patch"):
                assert not may(api, tenants, verb, f"{what}/{part}", TENANT), (verb, what, part)
        assert may(api, tenants, "delete", what, TENANT)
        assert may(api, tenants, "watch", what, READER)
        assert not may(api, tenants, "create", what, READER)


def test_lists_have_columns_for_a_glance_and_for_more(api: ControlPlane, namespace: str) -> None:
    api.must("create", "-f", "-", given=made(dataflow(), namespace))
    api.must("create", "-f", "-", given=made(dataflowrun(name="again"), namespace))
    at = "2026-01-01T00:00:00Z"
    conditions = [
        {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": at},
        {
            "type": "Succeeded",
            "status": "False",
            "reason": "OperationFailed",
            "message": "say: boom",
            "lastTransitionTime": at,
        },
    ]
    counts = {"open": 1, "succeeded": 7, "failed": 2, "total": 10}
    status = {"status": {"conditions": conditions, "contexts": counts, "durationSeconds": 61, "planDigest": "sha256:0"}}
    for what in ("df/hello", "dfr/again"):
        assert patch(api, namespace, what, status, "--subresource=status").code == 0
    head, row = api.must("get", "df", "-n", namespace).splitlines()
    assert head.split() == ["NAME", "SUCCEEDED", "REASON", "DONE", "FAILED", "TOTAL", "ETA", "AGE"]
    assert row.split()[:6] == ["hello", "False", "OperationFailed", "7", "2", "10"]
    head, row = api.must("get", "dfr", "-n", namespace, "-o", "wide").splitlines()
    wide = ["ACCEPTED", "SUSPENDED", "SECONDS", "PLAN", "MESSAGE"]
    assert head.split() == [
        "NAME",
        "DATA",
        "FLOW",
        "SUCCEEDED",
        "REASON",
        "DONE",
        "FAILED",
        "TOTAL",
        "ETA",
        "AGE",
        *wide,
    ]
    assert row.split()[:2] == ["again", "hello"]
    assert row.endswith("say: boom")
    both = api.must("get", "tidemill", "-n", namespace, "-o", "name").split()
    assert both == ["dataflowrun.tidemill.alt/again", "dataflow.tidemill.alt/hello"]


def test_runs_are_found_by_their_data_flow(api: ControlPlane, namespace: str) -> None:
    for name, flow in (("one", "hello"), ("two", "other"), ("three", "hello")):
        api.must("create", "-f", "-", given=made(dataflowrun(name=name, dataFlowRef={"name": flow}), namespace))
    found = api.must("get", "dfr", "-n", namespace, "--field-selector=spec.dataFlowRef.name=hello", "-o", "name")
    assert sorted(found.split()) == ["dataflowrun.tidemill.alt/one", "dataflowrun.tidemill.alt/three"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("df", "operations that run as soon as a new combination of their inputs exists"),
        ("df.spec", "A fixed number of workers for the pool default"),
        ("df.spec.operations.stage", "processing cleanup output"),
        ("df.spec.pools.env", "Names that begin with TIDEMILL_ are the operator's"),
        ("df.spec.inputs", "One may go without: it is called like the object"),
        ("dfr.spec", "Whether the run is ended: its open contexts fail with the reason RunCancelled"),
        ("dfr.status.conditions", "ImplementationsAvailable"),
    ],
)
def test_kubectl_explains_the_fields(api: ControlPlane, path: str, said: str) -> None:
    assert said in " ".join(api.must("explain", path).split())


def test_large_objects(api: ControlPlane, namespace: str) -> None:
    def large(size: int) -> dict[str, Any]:
        return made(dataflow(configs={"say": "x" * size}), namespace)

    done = api.kubectl("apply", "-f", "-", given=large(270_000))
    assert "may not be more than 262144 bytes" in done.said  # the annotation in which kubectl keeps what was applied
    api.must("apply", "--server-side", "-f", "-", given=large(1_400_000))
    done = api.kubectl("apply", "--server-side", "-f", "-", given=large(1_600_000))
    assert "request is too large" in done.said


def test_of_keys_that_are_there_twice_the_last_counts(api: ControlPlane) -> None:
    text = yaml.safe_dump(made(dataflow(name="never-made", suspend=True), "default")).replace(
        "  suspend:", "  suspend: false\n  suspend:"
    )
    found = json.loads(api.must("create", "--dry-run=server", "-o", "json", "-f", "-", given=text))
    assert found["spec"]["suspend"] is True
    with pytest.raises(InvalidDocument, match="'suspend' is defined twice"):  # so files are better checked before
        parse_document(text)


def test_the_largest_objects_are_within_what_rules_may_cost(api: ControlPlane, namespace: str) -> None:
    names = [f"{'o' * 240}{at}" for at in range(256)]
    pools = [{"name": f"{'p' * 60}{at}", "minReplicas": 1, "maxReplicas": 2, "env": [
        {"name": f"{'E' * 200}{number}", "value": "x"} for number in range(128)]} for at in range(16)]  # fmt: skip
    flow = {
        "operations": {name: {"name": "m:say", "pool": pools[-1]["name"], "conditionsMode": "any"} for name in names},
        "flow": {name: {} for name in names},
    }
    inputs = [
        {"context": f"{'c' * 60}{at}", "inputs": [{"definition": "word", "value": ["x" * 9]}] * 60} for at in range(128)
    ]
    api.must("create", "-f", "-", given=made(dataflow(flow=flow, pools=pools, inputs=inputs[:8]), namespace))
    assert patch(api, namespace, "df/hello", {"spec": {"pools": list(reversed(pools))}}).code == 0
    wrong = patch(api, namespace, "df/hello", {"spec": {"pools": pools[:-1]}})
    assert f"UnknownPool: spec.pools has no {pools[-1]['name']}, of operation ooo" in wrong.said
    assert "budget" not in wrong.said
    files = [{"name": f"{'f' * 60}{at}", "url": f"s3://bucket/{'k' * 2000}"} for at in range(16)]
    api.must(
        "create", "-f", "-", given=made(dataflowrun(name="r", inputs=inputs[:-1], inputsFrom=files[:-1]), namespace)
    )
    done = patch(api, namespace, "dfr/r", {"spec": {"inputs": inputs, "inputsFrom": files}})
    assert done.code == 0, done.said
    done = patch(api, namespace, "dfr/r", {"spec": {"inputs": inputs[1:]}})
    assert f'missing: ["{inputs[0]["context"]}"]' in done.said
