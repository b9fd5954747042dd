"""What the chart says of workers fits what the operator makes of them: labels, ports, folders, keys in the store."""

from __future__ import annotations

from typing import Any

from tests.charts.rendering import named, objects
from tests.charts.rendering import with_values as rendered
from tidemill.backends.redis.client import Client
from tidemill_operator.decide import resources
from tidemill_operator.kinds.pools import Pool
from tidemill_operator.observed import Meta


def pod() -> dict[str, Any]:
    """The template of a pod of a worker, as the operator makes it."""
    meta = Meta("DataFlow", "team", "words", "1-2-3")
    made = resources.deployment(
        meta, Pool(name="default"), ["words:measure"], 1, resources.Workers("tidemill-worker:1")
    )
    template: dict[str, Any] = made["spec"]["template"]
    return template


def test_policies_and_monitors_mean_the_pods_of_workers() -> None:
    labels = set(pod()["metadata"]["labels"].items())
    [monitor] = objects("monitoring", "PodMonitor")
    assert set(monitor["spec"]["selector"]["matchLabels"].items()) <= labels
    port = pod()["spec"]["containers"][0]["ports"][0]
    assert (port["name"], port["containerPort"]) == (monitor["spec"]["podMetricsEndpoints"][0]["port"], 8080)
    policy = named(objects("hardened"), "NetworkPolicy", "tidemill-worker")
    assert set(policy["spec"]["podSelector"]["matchLabels"].items()) <= labels


def test_only_workers_and_the_chart_reach_the_store() -> None:
    [rule] = named(objects("hardened"), "NetworkPolicy", "tidemill-store")["spec"]["ingress"]
    selectors = [set(one["podSelector"]["matchLabels"].items()) for one in rule["from"]]
    assert len(selectors) == 3
    assert any(selector <= set(pod()["metadata"]["labels"].items()) for selector in selectors)


def test_the_url_lies_where_the_documentation_says() -> None:
    mounts = {one["name"]: one["mountPath"] for one in pod()["spec"]["containers"][0]["volumeMounts"]}
    [operator] = objects("default", "Deployment")
    [container] = operator["spec"]["template"]["spec"]["containers"]
    own = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts["store"] == own["store"] == "/run/tidemill/store"
    assert mounts["operations"] if "operations" in mounts else resources.OPERATIONS == "/operations"


def test_the_keys_of_a_namespace_are_those_that_its_user_may_touch() -> None:
    users = named(rendered("watch.namespaces={team}"), "ConfigMap", "tidemill-store")["data"]["users"]
    [pattern] = [word for line in users.splitlines() if "worker-" in line for word in line.split() if word[0] == "~"]
    before, _, after = pattern.removeprefix("~").partition("?")
    tag = Client("redis://127.0.0.1", prefix=resources.prefix_of("team")).tag
    other = Client("redis://127.0.0.1", prefix=resources.prefix_of("team1")).tag
    assert tag.startswith(before)
    assert tag[len(before) + 1] == after[0]
    assert not (other.startswith(before) and other[len(before) + 1] == after[0])
