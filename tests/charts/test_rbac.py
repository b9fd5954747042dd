"""What the operator, workers and people may do: exactly what is written down, and never what is on the second list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.charts.rendering import CHART, NAMES, NAMESPACE, named, objects
from tests.charts.rendering import with_values as rendered

GOLDEN = CHART.parent.parent / "tests" / "charts" / "golden" / "rbac.json"
NEVER = {
    ("", "secrets"),
    ("", "pods/exec"),
    ("", "serviceaccounts"),
    ("", "serviceaccounts/token"),
    ("", "nodes"),
    ("", "namespaces"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("apps", "daemonsets"),
    ("apps", "statefulsets"),
    ("batch", "cronjobs"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
}
"""What nobody of the chart may touch, in whatever way."""


def roles(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rules of each role, by "Kind namespace/name"."""
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one["rules"]
        for one in found
        if one["kind"] in ("Role", "ClusterRole")
    }


def spelt(rule: dict[str, Any]) -> str:
    """A rule in one line: what, which of them, and the verbs."""
    what = ", ".join(f"{group or 'core'}/{resource}" for group in rule["apiGroups"] for resource in rule["resources"])
    which = f" named {', '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
    return f"{what}{which}: {' '.join(rule['verbs'])}"


@pytest.mark.parametrize("name", ["default", "cluster-wide", "external"])
def test_the_rules_are_those_that_were_agreed_on(name: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = {where: [spelt(rule) for rule in rules] for where, rules in roles(objects(name)).items()}
    assert found == golden[name], "if it is meant: write it into tests/charts/golden/rbac.json, and say why"


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_given_what_nobody_needs(name: str) -> None:
    for where, rules in roles(objects(name)).items():
        for rule in rules:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]], where
            assert {"escalate", "bind", "impersonate"} & set(rule["verbs"]) == set(), where
            given = {(group, resource) for group in rule["apiGroups"] for resource in rule["resources"]}
            if rule["verbs"] == ["get"] and rule.get("resourceNames"):  # to read one thing by its name
                given -= {("apiextensions.k8s.io", "customresourcedefinitions"), ("", "secrets")}
            assert given & NEVER == set(), where
            assert not ("pods" in rule["resources"] and set(rule["verbs"]) - {"get", "list", "watch", "patch"}), where


def test_the_operator_reads_those_secrets_that_are_named_and_no_others() -> None:
    found = {
        tuple(rule.get("resourceNames", ()))
        for name in NAMES
        for rules in roles(objects(name)).values()
        for rule in rules
        if "secrets" in rule["resources"]
    }
    assert found == {("inputs-credentials",)}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_bound_to_workers(name: str) -> None:
    found = objects(name)
    bound = {
        subject["name"]
        for one in found
        if one["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in one["subjects"]
    }
    assert not {one for one in bound if "worker" in one or one == "default"}


@pytest.mark.parametrize("name", NAMES)
def test_rights_over_all_namespaces_are_asked_for(name: str) -> None:
    wide = [one["metadata"]["name"] for one in objects(name, "ClusterRoleBinding")]
    asks = [f"{NAMESPACE}-tidemill-api"] if name in ("cluster-wide", "hardened", "monitoring") else []
    acts = [f"{NAMESPACE}-tidemill-api-objects", f"{NAMESPACE}-tidemill-operator"] if name == "cluster-wide" else []
    reads = [] if name in ("bring-your-own", "external") else [f"{NAMESPACE}-tidemill-operator-kinds"]
    assert sorted(wide) == sorted(asks + acts + reads)


def test_the_api_may_ask_about_rights_and_has_few_itself() -> None:
    found = objects("hardened")
    bound = {
        one["roleRef"]["name"]
        for one in found
        if one["kind"] in ("RoleBinding", "ClusterRoleBinding")
        if one["subjects"][0]["name"] == "tidemill-api"
    }
    assert bound == {"system:auth-delegator", f"{NAMESPACE}-tidemill-api"}
    [rule] = named(found, "Role", f"{NAMESPACE}-tidemill-api")["rules"]
    assert spelt(rule) == "tidemill.alt/dataflows, tidemill.alt/dataflowruns: get patch"


def test_each_watched_namespace_has_a_role_and_no_other() -> None:
    found = rendered("watch.namespaces={a,b}")
    name = f"{NAMESPACE}-tidemill-operator"
    watched = {
        one["metadata"]["namespace"] for one in found if (one["kind"], one["metadata"]["name"]) == ("Role", name)
    }
    assert watched == {"a", "b"}
    accounts = {
        (one["metadata"]["namespace"], one["metadata"]["name"]) for one in found if one["kind"] == "ServiceAccount"
    }
    assert accounts >= {("a", "tidemill-worker"), ("b", "tidemill-worker"), (NAMESPACE, "tidemill-operator")}


def test_people_may_not_write_what_is_the_operators() -> None:
    people = {
        one["metadata"]["name"]: one
        for one in objects("default", "ClusterRole")
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == "rbac"
    }
    assert len(people) == 2
    for name, one in people.items():
        resources = {resource for rule in one["rules"] for resource in rule["resources"]}
        assert not [resource for resource in resources if resource.endswith(("/status", "/finalizers"))]
        labels = {label.rpartition("-")[2] for label in one["metadata"]["labels"] if "aggregate-to" in label}
        assert labels == ({"view", "edit", "admin"} if name.endswith("view") else {"edit", "admin"})
    bare = rendered("rbac.aggregate=false", "rbac.readKinds=false")
    assert {one["kind"] for one in bare} & {"ClusterRole", "ClusterRoleBinding"} == set()


def test_no_webhook_can_keep_objects_from_being_written() -> None:
    for name in NAMES:
        assert not [one for one in objects(name) if "Webhook" in one["kind"]]
