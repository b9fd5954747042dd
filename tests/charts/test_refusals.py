"""Values that would not work are refused before anything is installed; the message names the value and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.charts.rendering import CHART, helm, refusal, with_values
from tools import chart

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
EXTERNAL = ("store.bundled.enabled=false", "store.external.enabled=true")

REFUSED = {
    "F1 two operators": (["operator.replicas=2"], "/operator/replicas", "must be 1"),
    "F2 a Lease too short to be renewed": (["operator.leaseSeconds=1"], "/operator/leaseSeconds", "5"),
    "F2 no heartbeat to be set beside the lease": (["operator.env.TIDEMILL_LEASE=5"], "TIDEMILL_LEASE", "propertyName"),
    "F3 an unknown key": (["operator.replica=1"], "/operator", "'replica' not allowed"),
    "F3 an unknown section": (["opertor.replicas=1"], "'opertor' not allowed", "additional properties"),
    "F3 a wrong type": (["crds.enabled=maybe"], "/crds/enabled", "want boolean"),
    "F4 a password in the values": (
        [*EXTERNAL, "store.external.url=redis://:S3CR3T-canary@valkey:6379"],
        "store.external.url has a user or password in it",
        "store.external.existingSecret",
    ),
    "F4 no TLS to somewhere else": (
        [*EXTERNAL, "store.external.url=redis://valkey.example.com:6379"],
        "store.external.url leads to valkey.example.com",
        "rediss://",
    ),
    "F4 a password of the bundled store": (["store.bundled.password=x"], "/store/bundled", "'password' not allowed"),
    "F4 a secret for the operator's environment": (
        ["operator.env.TIDEMILL_STORE=redis://x"],
        "TIDEMILL_STORE",
        "pattern",
    ),
    "F5 no memory limit": (["store.bundled.resources.limits=null"], "/store/bundled/resources", "'limits'"),
    "F5 no memory in the limit": (["store.bundled.resources.limits.memory=null"], "/limits", "'memory'"),
    "F5 maxmemory too near the limit": (
        ["store.bundled.maxmemory=400Mi"],
        "store.bundled.maxmemory is 419430400",
        "536870912",
    ),
    "F6 durable without a volume": (
        ["store.bundled.persistence.enabled=false"],
        'store.durability is "always"',
        "needs store.bundled.persistence.enabled",
    ),
    "F6 an unknown durability": (["store.durability=mostly"], "/store/durability", "'always', 'fast', 'none'"),
    "F6 a log that is not written": (["store.bundled.config.appendonly=no"], "appendonly", "propertyName"),
    "F7 nothing to act on": (["watch.namespaces=null"], "watch.namespaces is empty", "watch.clusterWide"),
    "F8 a tag that is moved": (
        ["operator.image.tag=latest"],
        'operator.image.tag is "latest"',
        "images.allowMutableTags",
    ),
    "F8 the same of the store": (["store.bundled.image.tag=latest"], "store.bundled.image.tag", "digest"),
    "tokens in the clear": (["api.enabled=true"], "api.enabled needs a certificate", "api.tls.existingSecret"),
    "no store at all": (["store.bundled.enabled=false"], "there is no store", "store.external.enabled"),
    "two stores": (["store.external.enabled=true"], "store.bundled.enabled and store.external.enabled", "choose one"),
    "an external store without an address": ([*EXTERNAL], "store.external needs existingSecret", '"url"'),
    "a claim and a folder": (
        ["store.bundled.persistence.hostPath=/x", "store.bundled.persistence.existingClaim=y"],
        "existingClaim and hostPath",
        "choose one",
    ),
    "no quantity": (["store.bundled.maxmemory=lots"], "/store/bundled/maxmemory", "pattern"),
    "a service account that nobody names": (
        ["operator.serviceAccount.create=false"],
        "operator.serviceAccount.create is false",
        "operator.serviceAccount.name",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_its_name(case: str) -> None:
    settings, *said = REFUSED[case]
    message = refusal(*settings)
    for part in said:
        assert part in message
    assert "S3CR3T-canary" not in message


def test_an_old_kubernetes_is_refused() -> None:
    helm()
    with pytest.raises(
        ValueError, match="requires kubeVersion: >=1.30.0-0 which is incompatible with Kubernetes v1.29.0"
    ):
        chart.render("--kube-version", "1.29.0")


def test_what_was_refused_goes_when_it_is_asked_for_by_name() -> None:
    assert with_values("operator.image.tag=latest", "images.allowMutableTags=true")
    assert with_values("store.durability=none", "store.bundled.persistence.enabled=false")
    assert with_values(
        *EXTERNAL, "store.external.url=redis://valkey.example.com:6379", "store.external.allowPlaintext=true"
    )
    assert with_values(*EXTERNAL, "store.external.url=redis://valkey.stores.svc:6379")


def _objects(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)] if "properties" in schema else []
    for name, part in {**schema.get("properties", {}), **schema.get("$defs", {})}.items():
        found += _objects(part, f"{path}.{name}")
    return found


def test_the_schema_knows_every_value_and_no_other() -> None:
    for path, part in _objects(SCHEMA):
        assert path.rpartition(".")[2] in ("amounts", "limits") or part["additionalProperties"] is False, path
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert _keys(SCHEMA) - {"global"} == _paths(values)


def _keys(schema: dict[str, Any], path: str = "") -> set[str]:
    """Every value that the schema has a place for; what is a map or comes by reference counts as one."""
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        reference = part.get("$ref", "").rpartition("/")[2]
        part = SCHEMA["$defs"][reference] if reference == "image" else part
        inner = part.get("additionalProperties") is False and name != "resources"
        found |= _keys(part, here) if inner else {here}
    return found


def _paths(values: dict[str, Any], path: str = "") -> set[str]:
    free = {"resources", "env", "labels", "config", "commonLabels", "commonAnnotations", "affinity", "nodeSelector"}
    found: set[str] = set()
    for name, value in values.items():
        here = f"{path}.{name}" if path else name
        inner = isinstance(value, dict) and name not in free and value
        found |= _paths(value, here) if inner else {here}
    return found
