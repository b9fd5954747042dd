"""A Prometheus in the cluster, which scrapes what the chart's monitors say, as the Prometheus operator would have it.

The monitors are rendered out of the chart. `scrape` turns each of them into a job, and `targets` finds what it means:
the program is Debian's, which is built without the discovery of Kubernetes.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from tests.e2e.node import Node
from tests.e2e.place import ROOT, Place
from tools import chart
from tools.programs import program

__all__ = ["Prometheus"]

DOCKERFILE = """FROM debian:bookworm-slim
COPY prometheus /bin/prometheus
USER 65534:65534
ENTRYPOINT ["/bin/prometheus"]
"""
INTERVAL = "2s"
TARGETS = "/data/targets"
NAME = "prometheus"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": "tests"}


def _selected(monitor: dict[str, Any]) -> str:
    return ",".join(f"{label}={value}" for label, value in monitor["spec"]["selector"]["matchLabels"].items())


def scrape(monitor: dict[str, Any]) -> dict[str, Any]:
    """Return the job that a ServiceMonitor or PodMonitor of one endpoint means."""
    [endpoint] = monitor["spec"]["endpoints" if monitor["kind"] == "ServiceMonitor" else "podMetricsEndpoints"]
    name = f"{monitor['kind']}-{monitor['metadata']['name']}"
    return {
        "job_name": name,
        "file_sd_configs": [{"files": [f"{TARGETS}/{name}.json"], "refresh_interval": INTERVAL}],
        "metrics_path": endpoint["path"],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["interval"],
        "honor_labels": endpoint.get("honorLabels", False),
    }


def targets(place: Place, monitor: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a monitor means now: addresses, with the labels that they get."""
    own = monitor["metadata"]["namespace"]
    namespaces = monitor["spec"].get("namespaceSelector", {}).get("matchNames", [own])
    find = _of_services if monitor["kind"] == "ServiceMonitor" else _of_pods
    return [
        {"targets": [address], "labels": {"namespace": namespace, "pod": pod}}
        for namespace in namespaces
        for address, pod in find(replace(place, namespace=namespace), monitor)
    ]


def _of_services(place: Place, monitor: dict[str, Any]) -> Iterator[tuple[str, str]]:
    port = monitor["spec"]["endpoints"][0]["port"]
    for service in place.get("services", "-l", _selected(monitor))["items"]:
        label = f"kubernetes.io/service-name={service['metadata']['name']}"
        for piece in place.get("endpointslices", "-l", label)["items"]:
            numbers = [one["port"] for one in piece.get("ports") or () if one["name"] == port]
            for one in piece.get("endpoints") or ():
                for number in numbers:
                    yield f"{one['addresses'][0]}:{number}", one["targetRef"]["name"]


def _of_pods(place: Place, monitor: dict[str, Any]) -> Iterator[tuple[str, str]]:
    port = monitor["spec"]["podMetricsEndpoints"][0]["port"]
    for pod in place.pods(_selected(monitor)):
        ports = [one for container in pod["spec"]["containers"] for one in container.get("ports", ())]
        for one in ports:
            if one.get("name") == port and pod["status"].get("podIP"):
                yield f"{pod['status']['podIP']}:{one['containerPort']}", pod["metadata"]["name"]


def rendered(place: Place) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the monitors and the rules of the chart as they are for this release."""
    said = ["api.enabled=true", "api.allowPlaintext=true"]
    for monitor in ("serviceMonitor", "podMonitor"):
        said += [f"metrics.{monitor}.enabled=true", f"metrics.{monitor}.interval={INTERVAL}"]
    words = [word for value in (*said, "metrics.prometheusRule.enabled=true") for word in ("--set", value)]
    objects = [one for one in yaml.safe_load_all(chart.render(*words, namespace=place.system)) if one]
    monitors = [one for one in objects if one["kind"] in ("ServiceMonitor", "PodMonitor")]
    [rules] = [one["spec"] for one in objects if one["kind"] == "PrometheusRule"]
    return monitors, rules


class Prometheus:
    """A Prometheus that runs, and what it answers."""

    def __init__(self, place: Place, node: Node) -> None:
        self.place = place
        self.monitors, self.rules = rendered(place)
        self.jobs = [scrape(monitor) for monitor in self.monitors]
        self.image = node.image("tidemill-prometheus", DOCKERFILE, prometheus=_program())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "global": {"evaluation_interval": INTERVAL},
            "rule_files": ["/etc/prometheus/rules.yaml"],
            "scrape_configs": self.jobs,
        }
        files = {"prometheus.yaml": yaml.safe_dump(settings), "rules.yaml": yaml.safe_dump(self.rules)}
        meta = {"name": NAME, "namespace": self.place.namespace, "labels": LABELS}
        self.place.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": files})
        self.place.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": _pod(self.image)})
        self.place.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")

    def discover(self) -> None:
        """Have it know what is there now."""
        found = {job["job_name"]: targets(self.place, one) for job, one in zip(self.jobs, self.monitors, strict=True)}
        said = "".join(
            f"cat > {TARGETS}/{name}.json <<'END'\n{json.dumps(all_)}\nEND\n" for name, all_ in found.items()
        )
        self.place.kubectl("exec", NAME, "-i", "--", "sh", "-s", given=f"mkdir -p {TARGETS}\n{said}")

    def stop(self) -> None:
        """Remove it, and all that it needed."""
        for kind in ("pod", "configmap"):
            self.place.delete(kind, NAME, "--grace-period=1")

    def get(self, what: str, **query: str) -> Any:
        """Ask its API."""
        path = f"/api/v1/namespaces/{self.place.namespace}/pods/{NAME}:9090/proxy/api/v1/{what}"
        said = self.place.kubectl("get", "--raw", f"{path}?{urllib.parse.urlencode(query)}")
        found = json.loads(said)
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found


def _program() -> Any:
    path = ROOT / program("prometheus")
    assert path.is_file()
    return path


def _pod(image: str) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": NAME,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": ["--config.file=/etc/prometheus/prometheus.yaml", "--storage.tsdb.path=/data"],
                "ports": [{"containerPort": 9090}],
                "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/prometheus"},
                    {"name": "data", "mountPath": "/data"},
                ],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}, {"name": "data", "emptyDir": {}}],
    }
