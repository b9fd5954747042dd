"""The playground chooses a cluster by what is there, and the README's commands are those that it does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import images, playground
from tools.programs import Missing

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_cluster_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("kind", "dev"):
        monkeypatch.setenv("CLUSTER", said)
        assert playground.chosen() == said
    monkeypatch.setenv("CLUSTER", "minikube")
    with pytest.raises(Missing, match="CLUSTER is 'minikube' and has to be kind or dev"):
        playground.chosen()


def test_without_any_cluster_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLUSTER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CLUSTER_TOOL", str(tmp_path / "none"))
    with pytest.raises(Missing, match="install Docker and kind"):
        playground.chosen()
    (tmp_path / "none").touch()
    assert playground.chosen() == "dev"


def test_a_step_that_fails_says_what_was_run() -> None:
    with pytest.raises(Missing, match=r"sh -c echo why; exit 3 failed:\nwhy"):
        playground.run("sh", "-c", "echo why; exit 3")


def test_the_cluster_of_kind_has_the_name_that_images_are_loaded_into() -> None:
    made = yaml.safe_load((ROOT / "kind-config.yaml").read_text(encoding="utf-8"))
    assert (made["kind"], made["name"]) == ("Cluster", playground.NAME)
    assert [node["role"] for node in made["nodes"]] == ["control-plane", "worker", "worker"]


def test_the_cluster_of_kind_is_told_in_words_that_kind_knows() -> None:
    made = yaml.safe_load((ROOT / "kind-config.yaml").read_text(encoding="utf-8"))
    assert made["apiVersion"] == "kind.x-k8s.io/v1alpha4"
    assert set(made) <= {"kind", "apiVersion", "name", "nodes", "networking", "featureGates", "runtimeConfig"}
    known = {"role", "image", "labels", "extraMounts", "extraPortMappings", "kubeadmConfigPatches"}
    for node in made["nodes"]:
        assert set(node) <= known
        assert all(isinstance(value, str) for value in node.get("labels", {}).values())


PROGRAM = """#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
case "${0##*/} $*" in
  "kind get clusters") [ -e "$CALLS.made" ] && echo tidemill ;;
  "kind create"*) touch "$CALLS.made" ;;
  *"-o json") echo '{"status": {"contexts": {"succeeded": 1}}}' ;;
esac
exit 0
"""
STEPS = (
    r"docker info",
    r"kind get clusters",
    r"kind create cluster --config kind-config.yaml --wait 120s",
    r"kubectl config use-context kind-tidemill",
    r"docker build -t tidemill-operator:\S+ -f operator/Dockerfile .* \.",
    r"docker build -t tidemill-worker:\S+ -f worker/Dockerfile .* \.",
    r"kind load docker-image --name tidemill tidemill-operator:\S+ tidemill-worker:\S+",
    r"helm upgrade --install tidemill charts/tidemill --namespace tidemill --create-namespace --wait .*",
    r"kubectl label namespace tidemill pod-security.kubernetes.io/enforce=restricted --overwrite",
    r"kubectl -n tidemill get pods",
    r"kubectl -n tidemill apply -f examples/dataflow.yaml",
    r"kubectl -n tidemill wait --for=condition=Succeeded dataflow/words --timeout=180s",
    r"kubectl -n tidemill get dataflows,pods",
    r"kubectl -n tidemill get dataflow/words -o json",
)


@pytest.fixture
def kind(tmp_path: Path) -> dict[str, str]:
    """An environment whose docker, kind, kubectl and helm write down what they are told, and do nothing."""
    for name in ("docker", "kind", "kubectl", "helm"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)
    git = shutil.which("git")
    path = f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin{os.pathsep}{Path(git or '/usr/bin/git').parent}"
    kept = {key: value for key, value in os.environ.items() if key not in ("CLUSTER", "BUILDER", "KUBECONFIG")}
    return {**kept, "PATH": path, "CALLS": str(tmp_path / "calls"), "HELM": str(tmp_path / "helm"), "PYTHONPATH": "."}


def played(environment: dict[str, str], *arguments: str) -> list[str]:
    """Run the playground and return what it has called."""
    calls = Path(environment["CALLS"])
    calls.unlink(missing_ok=True)
    command = [sys.executable, "tools/playground.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return calls.read_text().splitlines()


def test_with_docker_and_kind_they_are_used_step_by_step(kind: dict[str, str]) -> None:
    called = played(kind)
    assert len(called) == len(STEPS), called
    for step, call in zip(STEPS, called, strict=True):
        assert re.fullmatch(step, call), call
    assert "kind create" not in " ".join(played(kind))  # it is there already
    assert played(kind, "--down") == ["docker info", "kind delete cluster --name tidemill"]


def test_the_same_sources_are_the_same_images() -> None:
    assert images.sources() == images.sources()
    assert re.fullmatch(r"[0-9a-f]{16}", images.sources())


def test_the_readme_has_five_commands_to_a_running_flow() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"## On Kubernetes\n\n```\n(.*?)```", readme, re.DOTALL)
    commands = block.strip().splitlines()
    assert len(commands) == 5
    assert commands[0].split()[:2] == ["make", "images"]
    for name in images.IMAGES:
        assert f"{name}:{images.version()}" in commands[2]
    assert "examples/dataflow.yaml" in commands[4]
