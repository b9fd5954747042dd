"""The Deployment of a pool: who it belongs to, what its pods may, and what its workers are told."""

from dataclasses import replace
from typing import Any

import pytest

from tests.operator.decide.scenes import META
from tidemill_operator.decide.resources import APPLIED, LONGEST, Workers, deployment, deployment_name, selector
from tidemill_operator.kinds.pools import Pool

WORKERS = Workers("worker:1", secret="the-store")


def made(said: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    pool = Pool.model_validate({"name": "default", **(said or {})})
    return deployment(replace(META, **changed), pool, ["b:c", "a:b"], 2, WORKERS)


def container(said: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = made(said)["spec"]["template"]["spec"]["containers"][0]
    return found


def environment(said: dict[str, Any] | None = None) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container(said)["env"]}


def test_it_goes_with_its_data_flow() -> None:
    [owner] = made()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("DataFlow", "words", "uid-1", True)
    labels = made()["spec"]["template"]["metadata"]["labels"]
    assert selector("uid-1", "default").items() <= labels.items()
    assert made()["spec"]["selector"]["matchLabels"] == selector("uid-1", "default")


def test_its_pods_have_no_rights() -> None:
    pod = made()["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    context = container()["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


def test_its_workers_are_told_where_they_belong_and_no_secret() -> None:
    found = environment()
    assert found["TIDEMILL_POOL"] == "words.default"
    assert found["TIDEMILL_PREFIX"] == "tm-ns"
    assert found["TIDEMILL_OPERATIONS"] == "a:b,b:c"
    assert found["TIDEMILL_NAME"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert found["TIDEMILL_STORE_FILE"] == "/run/tidemill/store/url"
    assert "TIDEMILL_STORE" not in found
    [volume] = [one for one in made()["spec"]["template"]["spec"]["volumes"] if one["name"] == "store"]
    assert volume["secret"]["secretName"] == "the-store"


def test_they_have_longer_to_end_than_their_operations() -> None:
    said = {"gracePeriodSeconds": 90, "operationTimeoutSeconds": 80}
    assert environment(said)["TIDEMILL_GRACE"] == "90"
    assert made(said)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 90


def test_what_a_pool_says_of_its_pods_is_passed_on() -> None:
    said: dict[str, Any] = {
        "image": "mine@sha256:1",
        "imagePullPolicy": "Always",
        "resources": {"limits": {"memory": "1Gi"}},
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "env": [{"name": "HF_HOME", "value": "/tmp/hf"}],
        "serviceAccountName": "mine",
        "slots": 3,
        "runners": 2,
    }
    pod = made(said)["spec"]["template"]["spec"]
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"gpu": "yes"}, said["tolerations"])
    assert pod["serviceAccountName"] == "mine"
    assert (container(said)["image"], container(said)["imagePullPolicy"]) == ("mine@sha256:1", "Always")
    assert container(said)["resources"]["limits"] == {"memory": "1Gi"}
    assert environment(said)["HF_HOME"] == "/tmp/hf"
    assert (environment(said)["TIDEMILL_SLOTS"], environment(said)["TIDEMILL_RUNNERS"]) == ("3", "2")


def test_modules_are_mounted_and_found() -> None:
    said = {"modulesFrom": [{"configMapRef": {"name": "one"}}, {"configMapRef": {"name": "two"}}]}
    [volume] = [one for one in made(said)["spec"]["template"]["spec"]["volumes"] if one["name"] == "operations"]
    assert [one["configMap"]["name"] for one in volume["projected"]["sources"]] == ["one", "two"]
    assert environment(said)["PYTHONPATH"] == "/operations"
    assert "PYTHONPATH" not in environment()


def test_pods_follow_the_content_of_their_modules() -> None:
    pool = Pool.model_validate({"name": "default", "modulesFrom": [{"configMapRef": {"name": "one"}}]})
    one, two = (deployment(META, pool, [], 1, WORKERS, version) for version in ("v1", "v2"))
    assert one["spec"]["template"] != two["spec"]["template"]
    assert one["metadata"]["annotations"][APPLIED] != two["metadata"]["annotations"][APPLIED]


def test_what_was_applied_does_not_depend_on_how_many() -> None:
    pool = Pool(name="default")
    one, two = (deployment(META, pool, [], many, WORKERS) for many in (1, 2))
    assert one["metadata"]["annotations"] == two["metadata"]["annotations"]
    assert (one["spec"]["replicas"], two["spec"]["replicas"]) == (1, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a-b", "c"), ("a", "b-c")), (("a" * 80, "b"), ("a" * 81, "b")), (("a" * 60, "b"), ("a" * 60, "c"))],
)
def test_names_are_short_and_of_one_pool_only(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert deployment_name("words", "default") == "words-default"
    assert deployment_name(*one) != deployment_name(*other)
    assert all(len(deployment_name(*each)) <= LONGEST for each in (one, other))
