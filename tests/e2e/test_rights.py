"""Who may do what on a real cluster: workers nothing, the operator no more than it needs, pods what is restricted."""

import json

import pytest

from tests.e2e.flows import doubling, given, module, workers_of
from tests.e2e.place import Place

pytestmark = pytest.mark.cluster

INSIDE = """
import json, os
print(json.dumps([os.path.exists("/var/run/secrets/kubernetes.io"), dict(os.environ), os.getuid()]))
"""
WORKER_MAY_NOT = ["get pods", "list secrets", "get dataflows", "create deployments", "patch dataflows/status"]
OPERATOR_MAY_NOT = ["list secrets", "create pods", "delete nodes", "create clusterrolebindings", "update roles"]


@pytest.fixture(scope="module")
def worker(cluster: Place) -> str:
    """The name of a data flow with one worker."""
    name = cluster.unique("rights")
    module(cluster)
    cluster.apply(doubling(name, inputs=[{"context": "x", **given(number=1, seconds=0.0)}]))
    cluster.ended(name)
    return name


def test_the_namespace_takes_restricted_pods_only(cluster: Place, worker: str) -> None:
    labels = cluster.get("namespace", cluster.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    spec = {"containers": [{"name": "a", "image": "a:1"}]}
    plain = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain"}, "spec": spec}
    assert "violates PodSecurity" in cluster.refused("apply", "--dry-run=server", "-f", "-", given=plain)


def test_a_worker_has_no_token_and_no_secret_in_its_environment(cluster: Place, worker: str) -> None:
    pod = cluster.pods(workers_of(worker))[0]["metadata"]["name"]
    token, environment, uid = json.loads(cluster.kubectl("exec", pod, "--", "python", "-c", INSIDE))
    assert not token
    assert uid != 0
    assert [name for name, value in environment.items() if "@" in value and "://" in value] == []
    written = "open('/somewhere', 'w')"
    assert "Read-only file system" in cluster.refused("exec", pod, "--", "python", "-c", written)


def test_the_service_account_of_workers_may_do_nothing(cluster: Place, worker: str) -> None:
    account = cluster.pods(workers_of(worker))[0]["spec"]["serviceAccountName"]
    may_not(cluster, account, WORKER_MAY_NOT)


def test_the_operator_may_not_read_secrets_or_make_pods(cluster: Place) -> None:
    account = cluster.pods("app.kubernetes.io/component=operator")[0]["spec"]["serviceAccountName"]
    may_not(cluster, account, OPERATOR_MAY_NOT)


def may_not(cluster: Place, account: str, rights: list[str]) -> None:
    user = f"system:serviceaccount:{cluster.namespace}:{account}"
    for right in rights:
        done = cluster.run("kubectl", "-n", cluster.namespace, "auth", "can-i", *right.split(), "--as", user)
        assert done.stdout.strip() == "no", right


def test_who_may_edit_may_not_write_what_the_operator_has_found_out(cluster: Place, worker: str) -> None:
    with cluster.account() as name:
        user = ("--as", f"system:serviceaccount:{cluster.namespace}:{name}")
        cluster.kubectl("annotate", "dataflow", worker, "tests/edited=yes", *user)
        lie = json.dumps({"status": {"contexts": {"open": 0, "succeeded": 7, "failed": 0, "total": 7}}})
        patch = ("patch", "dataflow", worker, "--type=merge", "-p", lie)
        said = cluster.refused(*patch, "--subresource=status", *user)
        assert "dataflows/status" in said
        assert "forbidden" in said
        cluster.kubectl(*patch, *user)  # what is no spec is dropped
    assert cluster.status(worker)["contexts"]["succeeded"] == 1
