"""A real API server takes what the chart renders, in a namespace that enforces `restricted`; its policies refuse.

A control plane of a cluster beside the repository is started for it; where there is none, that is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.charts.rendering import CHART, NAMES, helm, objects, pods
from tests.operator.cluster import ControlPlane, control_plane
from tools import chart

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(3600)]

NAMESPACES = ("charts", "team-a", "team-b")
MONITORING = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}


class Cluster:
    """kubectl for one API server."""

    def __init__(self, plane: ControlPlane) -> None:
        self.run = plane.kubectl

    def apply(self, found: list[dict[str, Any]], *arguments: str) -> str:
        """Apply objects, fail with what the API server says against them, and return what it warns of."""
        done = self.run("apply", *arguments, "-f", "-", given="---\n".join(map(yaml.safe_dump, found)))
        assert done.code == 0, done.err[:3000]
        return done.err


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    helm()
    with control_plane() as plane:
        found = Cluster(plane)
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        found.apply(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
                for name in NAMESPACES
            ]
        )
        kinds = [one for one in objects("default") if one["kind"] == "CustomResourceDefinition"]
        found.apply(kinds, "--server-side", "--force-conflicts")
        found.run("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield found
        found.run("delete", "namespace", *NAMESPACES, "--wait=false")


def rendered(name: str, *settings: str) -> list[dict[str, Any]]:
    """A scenario as it is applied: in one of our namespaces, without what other operators bring."""
    values = CHART / "ci" / f"{name}-values.yaml"
    text = chart.render("-f", str(values), "--set", "crds.enabled=false", "--no-hooks", *settings, namespace="charts")
    return [one for one in yaml.safe_load_all(text) if one and one["kind"] not in MONITORING]


@pytest.mark.parametrize("name", NAMES)
def test_the_api_server_takes_all_of_it_and_warns_of_nothing(cluster: Cluster, name: str) -> None:
    warned = cluster.apply(rendered(name), "--dry-run=server", "--validate=strict")
    assert "Warning" not in warned, warned


@pytest.mark.parametrize("name", NAMES)
def test_its_pods_are_admitted_where_restricted_is_enforced(cluster: Cluster, name: str) -> None:
    for what, spec in pods(rendered(name)):
        account = {"serviceAccountName": "default", "serviceAccount": "default"}  # those of the chart are not there
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": what, "namespace": "charts"},
            "spec": {**spec, **account, "automountServiceAccountToken": False, "priorityClassName": ""},
        }
        warned = cluster.apply([pod], "--dry-run=server")
        assert "violate" not in warned


def test_a_pod_that_is_not_restricted_is_refused(cluster: Cluster) -> None:
    done = cluster.run("-n", "charts", "run", "root", "--image=x:1", "--dry-run=server")
    assert 'violates PodSecurity "restricted:latest"' in done.err


def test_the_manifests_are_taken_too(cluster: Cluster) -> None:
    path = CHART.parent.parent / "manifests" / "install.yaml"
    found = [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]
    namespace = [one for one in found if one["kind"] == "Namespace"]
    cluster.apply(namespace)
    cluster.apply(found, "--dry-run=server", "--validate=strict")


def test_the_sample_is_taken(cluster: Cluster) -> None:
    path = CHART.parent.parent / "examples" / "dataflow.yaml"
    done = cluster.run("-n", "charts", "apply", "--dry-run=server", "--validate=strict", "-f", str(path))
    assert done.code == 0, done.err


def test_rights_are_what_the_rules_say(cluster: Cluster) -> None:
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole"}
    cluster.apply([one for one in rendered("external") if one["kind"] in kinds])
    may = {
        ("operator", "patch", "dataflows.tidemill.alt/status", "team-a"): "yes",
        ("operator", "create", "deployments.apps", "team-b"): "yes",
        ("operator", "create", "jobs.batch", "team-b"): "yes",
        ("operator", "patch", "pods", "team-b"): "yes",
        ("operator", "get", "secrets/inputs-credentials", "charts"): "yes",
        ("operator", "get", "secrets/others", "charts"): "no",
        ("operator", "update", "leases.coordination.k8s.io/tidemill-operator", "charts"): "yes",
        ("operator", "update", "leases.coordination.k8s.io/other", "charts"): "no",
        ("operator", "get", "dataflows.tidemill.alt", "default"): "no",
        **{("operator", verb, "secrets", "charts"): "no" for verb in ("get", "list", "watch", "create", "delete")},
        **{("operator", "create", what, "charts"): "no" for what in ("pods", "pods/exec", "cronjobs.batch", "roles")},
        **{("operator", verb, "clusterroles", "charts"): "no" for verb in ("bind", "escalate", "create")},
        ("operator", "impersonate", "users", "charts"): "no",
        ("operator", "create", "serviceaccounts/token", "charts"): "no",
        ("operator", "create", "dataflows.tidemill.alt", "charts"): "no",
        ("operator", "list", "namespaces", "charts"): "no",
        ("worker", "get", "configmaps", "team-a"): "no",
        ("worker", "get", "secrets", "team-a"): "no",
        ("worker", "get", "dataflows.tidemill.alt", "team-a"): "no",
    }
    for (who, verb, what, namespace), expected in may.items():
        home = "charts" if who == "operator" else namespace
        account = f"system:serviceaccount:{home}:tidemill-{who}"
        resource, slash, name = what.partition("/")
        sub = ["--subresource", name] if slash and name in ("status", "exec", "token") else []
        target = resource if sub else what
        said = cluster.run("auth", "can-i", verb, target, "-n", namespace, "--as", account, *sub).out.strip()
        assert said == expected, (who, verb, what, namespace)


def test_who_may_edit_a_namespace_may_not_write_the_status(cluster: Cluster) -> None:
    cluster.apply([one for one in rendered("default") if one["kind"] == "ClusterRole"])
    cluster.run("-n", "charts", "create", "rolebinding", "alice", "--clusterrole=edit", "--user=alice")
    for verb, what, expected in (
        ("create", "dataflows.tidemill.alt", "yes"),
        ("patch", "dataflows.tidemill.alt", "yes"),
        ("patch", "dataflows.tidemill.alt --subresource=status", "no"),
        ("update", "dataflows.tidemill.alt --subresource=finalizers", "no"),
    ):
        arguments = ("auth", "can-i", verb, *what.split(), "-n", "charts", "--as", "alice")
        until(cluster, arguments, expected)


def until(cluster: Cluster, arguments: tuple[str, ...], expected: str) -> None:
    """Ask until the answer is the expected one: aggregated roles are filled by a controller, soon after."""
    for _ in range(60):
        said = cluster.run(*arguments).out.strip()
        if said == expected:
            return
        cluster.run("wait", "--for=delete", "namespace/nobody", "--timeout=1s")
    raise AssertionError(f"{arguments}: {said}, not {expected}")


def flow(name: str, value: object, image: str) -> dict[str, Any]:
    """A DataFlow with one seed, in a pool with an image."""
    [_, sample] = yaml.safe_load_all((CHART.parent.parent / "examples" / "dataflow.yaml").read_text(encoding="utf-8"))
    spec = {
        **sample["spec"],
        "seed": [{"value": value, "definition": "names"}],
        "pools": [{"name": "default", "image": image}],
    }
    return {**sample, "metadata": {"name": name, "namespace": "charts"}, "spec": spec}


@pytest.fixture
def policy(cluster: Cluster) -> Iterator[Cluster]:
    kinds = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    found = [one for one in rendered("hardened", "--set", "admissionPolicy.maxDepth=3") if one["kind"] in kinds]
    assert len(found) == 2
    cluster.apply(found)
    for _ in range(60):  # a policy takes effect a moment after it was made
        done = cluster.run(
            *("apply", "--dry-run=server", "-f", "-"), given=json.dumps(flow("early", ["a"], "elsewhere.example/x:1"))
        )
        if done.code:
            break
    yield cluster
    cluster.run("delete", "-f", "-", given="---\n".join(map(yaml.safe_dump, found)))


@pytest.mark.parametrize(
    ("value", "image", "said"),
    [
        (["word"], "registry.example/words:1", ""),
        ([[["deep"]]], "registry.example/words:1", ""),
        ({"a": {"b": {"c": 1}}}, "registry.example/words:1", ""),
        (["word"], "elsewhere.example/words:1", "elsewhere.example/words:1; images have to begin with one of"),
        ([[[["deeper"]]]], "registry.example/words:1", "spec.seed: a value is nested deeper than the 3 levels"),
        ({"a": {"b": {"c": {}}}}, "registry.example/words:1", "spec.seed: a value is nested deeper than the 3 levels"),
        ([{"a": [{"b": 1}]}], "registry.example/words:1", "nested deeper"),
    ],
)
def test_the_policy_refuses_by_name(policy: Cluster, value: object, image: str, said: str) -> None:
    done = policy.run("apply", "--dry-run=server", "-f", "-", given=json.dumps(flow("tried", value, image)))
    assert (done.code == 0) == (said == ""), done.err
    assert said in done.err
