"""A Prometheus scrapes operator, API and workers in the cluster; what dashboard and alerts ask is answered."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.flows import doubling, given, module
from tests.e2e.node import Node
from tests.e2e.place import ROOT, Place
from tests.e2e.prometheus import Prometheus

pytestmark = pytest.mark.cluster

DASHBOARD = json.loads((ROOT / "charts" / "tidemill" / "files" / "dashboard.json").read_text(encoding="utf-8"))
QUIET = ("tidemill_operator_store_errors_total", "tidemill_api_refused_total", "tidemill_operator_scalings_total")
"""What has no series until something is counted that need not happen here."""


@pytest.fixture(scope="module")
def prometheus(cluster: Place) -> Iterator[Prometheus]:
    """A Prometheus that has seen a data flow succeed, one fail, one be refused, and a question to the API."""
    made = Prometheus(cluster, Node(cluster))
    made.stop()  # one that was left behind
    made.start()
    made.discover()
    names = [cluster.unique(name) for name in ("seen", "failing", "wrong")]
    module(cluster)
    with cluster.gone_after(*(f"dataflow/{name}" for name in names)):
        wrong = doubling(names[2])
        wrong["spec"]["operations"]["double"]["inputs"]["number"] = "nmuber"
        cluster.apply(
            doubling(names[0], inputs=[{"context": f"n{at}", **given(number=at, seconds=0.1)} for at in range(20)]),
            doubling(names[1], inputs=[{"context": "bad", **given(number=-1, seconds=0.0)}]),
            wrong,
        )
        for name in names[:2]:
            cluster.ended(name)
        made.discover()
        [service] = cluster.get("services", "-l", "app.kubernetes.io/component=api")["items"]
        ports = {port["name"] for port in service["spec"]["ports"]}
        where = f"{service['metadata']['name']}:{'api' if 'api' in ports else 'https'}"
        cluster.run("kubectl", "get", "--raw", f"/api/v1/namespaces/{cluster.namespace}/services/{where}/proxy/v1/x")
        yield made
        made.stop()


def test_all_that_the_monitors_mean_is_scraped(prometheus: Prometheus) -> None:
    def look() -> Any:
        targets = prometheus.get("targets", state="active")["activeTargets"]
        up = {one["labels"]["job"] for one in targets if one["health"] == "up"}
        return up == {job["job_name"] for job in prometheus.jobs} and targets

    def show() -> Any:
        return [(one["labels"], one["health"], one["lastError"]) for one in prometheus.get("targets")["activeTargets"]]

    targets = prometheus.place.until(look, "every job has a target that is up", show=show)
    workers = [one for one in targets if one["labels"]["job"].startswith("PodMonitor")]
    assert {one["labels"]["namespace"] for one in workers} == {prometheus.place.namespace}
    assert all(one["labels"]["pod"] for one in targets)


def asked() -> dict[str, str]:
    """What the dashboard asks, with its variables filled in; by title and number."""
    found = {}
    for panel in DASHBOARD["panels"]:
        for at, target in enumerate(panel.get("targets", [])):
            said = target["expr"].replace("$namespace", ".*").replace("$__rate_interval", "1m").replace("[5m]", "[1m]")
            found[f"{panel['title']} {at}"] = said
    return found


def test_what_the_dashboard_shows_is_there(prometheus: Prometheus) -> None:
    left = {title: said for title, said in asked().items() if not any(name in said for name in QUIET)}
    assert len(left) > 30

    def look() -> bool:
        for title, said in list(left.items()):
            if prometheus.query(said):
                del left[title]
        return not left

    prometheus.place.until(look, "every panel has data", 60, show=lambda: left)
    for said in asked().values():
        prometheus.query(said)  # raises where it cannot be evaluated


def test_what_is_counted_is_what_has_happened(prometheus: Prometheus) -> None:
    def count(expression: str) -> float:
        found = prometheus.query(expression)
        return float(found[0]["value"][1]) if found else 0.0

    place = prometheus.place
    place.until(lambda: count('sum(tidemill_worker_reports_total{kind="completed"})') >= 40, "20 doubles and outputs")
    assert count('sum(tidemill_worker_reports_total{kind="failed"})') == 1
    assert count("sum(tidemill_operator_leader)") == 1
    assert count("sum(tidemill_operator_rejected_total)") >= 1
    said = 'sum(tidemill_operator_object_contexts{kind="DataFlow",state="succeeded",name=~"seen-.*"})'
    place.until(lambda: count(said) == 20, "the contexts of the object are counted", show=lambda: count(said))


def test_the_alerts_are_evaluated_and_none_comes_while_all_is_well(prometheus: Prometheus) -> None:
    def look() -> Any:
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        return all(rule["health"] == "ok" for rule in rules) and rules

    rules = prometheus.place.until(look, "all rules were evaluated", show=lambda: prometheus.get("rules"))
    assert [rule["name"] for rule in rules] == [rule["alert"] for rule in prometheus.rules["groups"][0]["rules"]]
    critical = [rule for rule in rules if rule["labels"]["severity"] == "critical" and rule["state"] == "firing"]
    assert [rule["name"] for rule in critical if "StoreErrors" not in rule["name"]] == []


def test_an_operator_that_is_gone_is_noticed(prometheus: Prometheus) -> None:
    place = prometheus.place
    [deployment] = place.get("deployments", "-l", "app.kubernetes.io/component=operator")["items"]
    name = deployment["metadata"]["name"]

    def state() -> str:
        groups = prometheus.get("rules")["groups"]
        found = [rule for group in groups for rule in group["rules"] if rule["name"] == "TidemillOperatorDown"]
        return str(found[0]["state"])

    place.until(lambda: state() == "inactive", "the operator acts")
    try:
        place.kubectl("scale", "deployment", name, "--replicas=0")
        prometheus.discover()
        place.until(lambda: state() == "pending", "the alert is on its way")
    finally:
        place.kubectl("scale", "deployment", name, "--replicas=1")
        place.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")
    prometheus.discover()
    place.until(lambda: state() == "inactive", "the alert is off again")


def test_the_program_is_the_real_one(prometheus: Prometheus) -> None:
    assert re.match(r"\d+\.\d+", prometheus.get("status/buildinfo")["version"])
