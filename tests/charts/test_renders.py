"""Every scenario of the chart renders, and what it renders keeps its promises: names, pods, secrets, images, store."""

from __future__ import annotations

import base64
import re
import subprocess

import pytest
import yaml

from tests.charts.rendering import CHART, NAMES, NAMESPACE, SCENARIOS, containers, helm, named, objects, pods, text
from tests.charts.rendering import with_values as rendered
from tidemill.backends.redis.access import commands
from tidemill_operator.api.settings import ApiSettings
from tidemill_operator.settings import Settings
from tools.chart import KUBERNETES

CLUSTER_WIDE = {
    *("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
}


def test_there_are_scenarios_for_all_that_can_be_chosen() -> None:
    assert {"default", "external", "cluster-wide", "monitoring", "hardened", "playground"} <= set(NAMES)


@pytest.mark.parametrize("path", SCENARIOS, ids=NAMES)
def test_helm_lint_has_nothing_to_say(path: str) -> None:
    done = subprocess.run(
        [helm(), "lint", "--strict", "--kube-version", KUBERNETES, "-f", path, CHART],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "WARNING" in done.stdout) == (0, False), done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_no_name_stands_twice_and_all_say_where_they_are(name: str) -> None:
    found = objects(name)
    places = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found]
    assert len(set(places)) == len(places)
    for kind, namespace, what in places:
        assert (namespace is None) == (kind in CLUSTER_WIDE), (kind, what)
        assert len(what) <= 63


@pytest.mark.parametrize("name", NAMES)
def test_all_objects_have_the_recommended_labels(name: str) -> None:
    for one in objects(name):
        if one["kind"] in ("CustomResourceDefinition", "ResourceQuota"):
            continue
        labels = one["metadata"]["labels"]
        wanted = {"name", "instance", "component", "version", "part-of", "managed-by"}
        assert wanted <= {key.partition("/")[2] for key in labels}, one["metadata"]["name"]


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_meets_the_restricted_standard_and_more(name: str) -> None:
    found = list(pods(objects(name)))
    assert found
    for what, pod in found:
        security = pod["securityContext"]
        assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 65532), what
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(pod.get(host) for host in ("hostNetwork", "hostPID", "hostIPC"))
        assert {kind for volume in pod["volumes"] for kind in volume} <= {
            *("name", "configMap", "secret", "emptyDir", "persistentVolumeClaim"),
        }
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= set(container["resources"]), what
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", NAMES)
def test_only_those_have_a_token_who_talk_to_the_api_server(name: str) -> None:
    mounted = {what for what, pod in pods(objects(name)) if pod.get("automountServiceAccountToken", True)}
    assert {what.rpartition("-")[2] for what in mounted} <= {"operator", "api", "test"}
    assert all(one["automountServiceAccountToken"] is False for one in objects(name, "ServiceAccount"))


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_in_an_environment_an_argument_or_a_config_map(name: str) -> None:
    found = objects(name)
    secrets = {
        base64.b64decode(value).decode() for one in found if one["kind"] == "Secret" for value in one["data"].values()
    }
    passwords = {match[1] for secret in secrets if (match := re.search(r"://[^:/@]*:([^@]+)@", secret))}
    others = yaml.safe_dump([one for one in found if one["kind"] != "Secret"])
    assert not [secret for secret in secrets | passwords if "@" in secret or secret in passwords if secret in others]
    for _, pod in pods(found):
        for container in containers(pod):
            assert "envFrom" not in container
            sources = [one["valueFrom"] for one in container.get("env", []) if "valueFrom" in one]
            assert all(set(source) == {"fieldRef"} for source in sources)


@pytest.mark.parametrize("name", NAMES)
def test_images_have_a_version_and_no_host_that_nobody_chose(name: str) -> None:
    for _, pod in pods(objects(name)):
        for container in containers(pod):
            image = container["image"]
            assert re.search(r":[\w.-]*\d[\w.-]*$|@sha256:[0-9a-f]{64}$", image), image
            host = image.partition("/")[0]
            assert name == "hardened" or "." not in host.partition(":")[0], image


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_of_the_operator_are_its_settings(name: str) -> None:
    said = environment(name, "operator")
    fields = {f"TIDEMILL_{field.upper()}" for field in Settings.model_fields}
    assert set(said) <= fields
    assert "TIDEMILL_STORE" not in said
    known = {variable: value for variable, value in said.items() if variable != "TIDEMILL_STORE_FILE"}
    settings = Settings.read(known)
    assert settings.clusterwide == (name == "cluster-wide")
    assert settings.store_secret == text_of_secret(name)


@pytest.mark.parametrize("name", ["cluster-wide", "hardened"])
def test_the_environment_of_the_api_are_its_settings(name: str) -> None:
    said = environment(name, "api")
    assert set(said) <= {f"TIDEMILL_{field.upper()}" for field in ApiSettings.model_fields}
    known = {variable: value for variable, value in said.items() if variable != "TIDEMILL_STORE_FILE"}
    settings = ApiSettings.read(known)
    assert settings.namespaces == ([] if name == "cluster-wide" else [NAMESPACE])
    assert bool(settings.certificate) == (name == "hardened")


def environment(name: str, component: str) -> dict[str, str]:
    """The environment of the operator or the API in a scenario."""
    [found] = [
        one
        for one in objects(name, "Deployment")
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    [container] = containers(found["spec"]["template"]["spec"])
    return {one["name"]: one.get("value", "from the field") for one in container["env"]}


def text_of_secret(name: str) -> str:
    """The Secret with the URL that workers of a scenario mount."""
    made = [one["metadata"]["name"] for one in objects(name, "Secret") if one["metadata"]["name"].endswith("-worker")]
    return made[0] if made else {"external": "store-url", "bring-your-own": "mine"}[name]


def test_what_may_be_set_besides_are_settings_that_the_chart_does_not_set() -> None:
    schema = (CHART / "values.schema.json").read_text(encoding="utf-8")
    [names] = re.findall(r"\^TIDEMILL_\(([A-Z_|]+)\)\$", schema)
    [operator] = objects("default", "Deployment")
    set_already = {one["name"] for one in containers(operator["spec"]["template"]["spec"])[0]["env"]}
    fields = {field.upper() for field in Settings.model_fields}
    page = (CHART.parent.parent / "docs" / "running.md").read_text(encoding="utf-8")
    for one in names.split("|"):
        assert one in fields
        assert f"TIDEMILL_{one}" not in set_already
        assert f"`TIDEMILL_{one}`" in page


def test_the_operator_is_replaced_and_never_doubled() -> None:
    [operator] = objects("default", "Deployment")
    assert (operator["spec"]["replicas"], operator["spec"]["strategy"]) == (1, {"type": "Recreate"})
    probes = containers(operator["spec"]["template"]["spec"])[0]
    assert probes["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert probes["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_a_worker_may_touch_the_keys_of_its_namespace_and_call_what_the_library_needs() -> None:
    found = rendered("watch.namespaces={team,team1}")
    users = named(found, "ConfigMap", "tidemill-store")["data"]["users"].splitlines()
    rules = {line.split()[0]: line.split() for line in users}
    assert set(rules) == {"operator", "worker-team", "worker-team1"}
    assert [word for word in rules["worker-team"] if word.startswith("~")] == ["~{tm-team?:*"]
    needed = {f"+{name.lower().replace(' ', '|')}" for name in commands()}
    for user, words in rules.items():
        granted = {word for word in words if word.startswith("+")}
        loads = {"+function|load"}  # a worker that may could change what those of other namespaces run
        assert (granted & loads, needed - loads - granted) == (loads if user == "operator" else set(), set())
        assert "-@all" in words
        forbidden = {"keys", "scan", "eval", "config|set", "config", "debug", "flushall", "shutdown", "acl", "client"}
        assert granted & {f"+{name}" for name in (*forbidden, "@all", "module", "replicaof", "monitor")} == set()


@pytest.mark.parametrize(("durability", "log", "fsync"), [("always", "yes", "always"), ("fast", "yes", "everysec")])
def test_the_store_keeps_what_was_chosen_and_drops_nothing(durability: str, log: str, fsync: str) -> None:
    found = rendered(f"store.durability={durability}")
    lines = named(found, "ConfigMap", "tidemill-store")["data"]["store.conf"].splitlines()
    said = dict(line.split(maxsplit=1) for line in lines)
    assert (said["appendonly"], said["appendfsync"], said["maxmemory-policy"]) == (log, fsync, "noeviction")
    assert int(said["maxmemory"]) <= 512 * 2**20 * 3 // 4


def test_what_is_configured_of_the_store_stands_before_what_is_needed() -> None:
    found = rendered("store.bundled.config.maxclients=5")
    lines = named(found, "ConfigMap", "tidemill-store")["data"]["store.conf"].splitlines()
    assert lines[0] == "maxclients 5"
    assert len(lines) > 20


def test_two_releases_in_one_namespace_share_nothing_but_the_kinds() -> None:
    helm()
    from tools import chart

    names = []
    for release in ("one", "two"):
        found = yaml.safe_load_all(chart.render(release=release, namespace=NAMESPACE))
        names.append({(one["kind"], one["metadata"]["name"]) for one in found if one})
    assert {kind for kind, _ in names[0] & names[1]} <= {"CustomResourceDefinition"}


def test_the_kinds_can_be_left_out_and_are_kept_when_installed() -> None:
    kinds = [one for one in rendered() if one["kind"] == "CustomResourceDefinition"]
    assert {one["metadata"]["name"] for one in kinds} == {"dataflows.tidemill.alt", "dataflowruns.tidemill.alt"}
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in kinds)
    assert not [one for one in rendered("crds.enabled=false") if one["kind"] == "CustomResourceDefinition"]
    free = [one for one in rendered("crds.keep=false") if one["kind"] == "CustomResourceDefinition"]
    assert not [one for one in free if "helm.sh/resource-policy" in one["metadata"].get("annotations", {})]


def test_notes_say_what_to_type_next() -> None:
    notes = (CHART / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    for command in ("kubectl -n {{ $namespace }} apply -f examples/dataflow.yaml", "helm -n", "rollout status"):
        assert command in notes
    assert (
        "NetworkPolicies are installed. They have no effect where the network of the cluster does not enforce" in notes
    )
    [sample] = re.findall(r"apply -f (\S+)", notes.partition("crds.yaml")[0])
    found = list(yaml.safe_load_all((CHART.parent.parent / sample).read_text(encoding="utf-8")))
    assert f"describe dataflow {found[-1]['metadata']['name']}" in notes


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_unrendered(name: str) -> None:
    for one in objects(name):
        if one["kind"] in ("ConfigMap", "PrometheusRule"):
            continue
        assert "{{" not in yaml.safe_dump(one)
    assert "<no value>" not in text(name)
