"""The playground chooses a cluster by what is there, and the README's commands are those that it does."""

from __future__ import annotations

import re
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


def test_the_readme_has_five_commands_to_a_running_flow() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"## On Kubernetes\n\n```\n(.*?)```", readme, re.DOTALL)
    commands = block.strip().splitlines()
    assert len(commands) == 5
    assert commands[0].split()[:2] == ["make", "images"]
    for name in images.IMAGES:
        assert f"{name}:{images.version()}" in commands[2]
    assert "examples/dataflow.yaml" in commands[4]
