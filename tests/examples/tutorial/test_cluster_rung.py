"""The rung on a cluster, as far as it can be seen without one; tests/e2e/test_tutorial.py climbs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from downloads import flow
from ladder.measure import ON_A_CLUSTER, RUNGS, available
from ladder.pods import Usage, told, used

from tidemill import load

FOLDER = Path(__file__).resolve().parents[3] / "examples" / "tutorial"


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def test_the_object_is_the_data_flow_of_the_rungs_before() -> None:
    kept = load(FOLDER / "rung10" / "dataflow.yaml")
    assert kept.export(linked=True) == flow().export(linked=True)
    [found] = objects("rung10/dataflow.yaml")
    [pool] = found["spec"]["pools"]
    [config] = [one for one in objects("kustomization.yaml")[0]["configMapGenerator"] if one["name"] == "downloads"]
    assert pool["modulesFrom"] == [{"configMapRef": {"name": config["name"]}}]
    assert config["files"] == ["downloads.py"]


def test_the_operations_need_nothing_that_a_worker_has_not() -> None:
    """Alone in a folder, as in a ConfigMap, and without what the other rungs import."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['bs4', 'ladder', 'psutil'])); import downloads; downloads.flow()"
    )
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)


def test_where_kubectl_reaches_nothing_the_rung_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert available() == list(RUNGS)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert available() == list(RUNGS)


def test_where_kubectl_reaches_a_cluster_with_tidemill_the_rung_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert available() == [*RUNGS, *ON_A_CLUSTER]


def test_what_pods_use_is_read_from_their_processes() -> None:
    text = (
        "5000-6000 ---p 00000000 00:00 0 [rollup]\nRss: 9000 kB\nPss: 4000 kB\nSwapPss: 0 kB\nPss: 96 kB\n"
        "1 (python 3 (a)) S 0 1 1 0 -1 4194560 11739 0 0 0 83 20 7 5 20 0 3 0 3891320 1 2\n"
        "9 (sh) S 0 25 25 0 -1 4194560 908 0 0 0 500 100 0 0 20 0 1 0 3928619 1 2\n"
    )
    assert told(text) == Usage(1.15, 4096 * 1024)


def test_only_pods_that_run_are_asked() -> None:
    asked = []

    def kubectl(*arguments: str) -> str:
        if arguments[0] == "get":
            phases = {"one": "Running", "two": "Pending", "three": "Running"}
            items = [{"metadata": {"name": name}, "status": {"phase": phase}} for name, phase in phases.items()]
            return json.dumps({"items": items})
        asked.append(arguments[1])
        return "Pss: 2 kB\n1 (python) S 0 1 1 0 -1 1 1 0 0 0 100 0 0 0 20 0\n"

    assert used(kubectl, "app=it") == Usage(2.0, 4096)
    assert asked == ["one", "three"]
