"""What tests do to a cluster besides talking to its API: images of their own, and processes that are killed in pods.

It needs to know what kind of cluster it is, as `make playground` does; tests that need it are skipped elsewhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.place import ROOT, Place
from tools.images import Builder, builder
from tools.images import version as ours
from tools.playground import chosen, load
from tools.programs import Missing, cluster_beside

__all__ = ["Node"]


class Node:
    """The machine that pods run on."""

    def __init__(self, place: Place) -> None:
        try:
            self.kind = chosen()
        except Missing as error:
            pytest.skip(f"NOT TESTED: what runs the pods is not known: {error}")
        self._place = place

    @property
    def builder(self) -> Builder:
        """What builds images for it."""
        return builder("docker" if self.kind == "kind" else "cluster")

    def image(self, name: str, dockerfile: str, version: str = ours(), **files: Path) -> str:
        """Build an image of these files and folders, give it to the cluster, and return its name with its tag."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Dockerfile").write_text(dockerfile, encoding="utf-8")
            for to, source in files.items():
                subprocess.run(["cp", "-rL", source, Path(folder) / to], check=True)
            self._run(self.builder.command(name, f"{folder}/Dockerfile", folder, {}, 0, version))
        tag = f"{name}:{version}"
        load(self.kind, tag)
        return tag

    def run(self, where: str, *command: str) -> str:
        """Run a command on the node of this name, and return what it printed."""
        tool = cluster_beside()
        if self.kind == "kind":
            return self._run(["docker", "exec", where, *command])
        assert tool is not None
        return self._run([tool, "node-exec", *command])

    def kill(self, pod: dict[str, Any]) -> bool:
        """Send SIGKILL to the first process of a pod's first container, and so to all of them; the pod stays. Return
        whether it has still been there: what the API says of it may be late."""
        said = pod["status"]["containerStatuses"][0].get("containerID", "")
        container = said.rpartition("/")[2]
        try:
            self.run(pod["spec"]["nodeName"], "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", container)
        except AssertionError as error:
            if "not found" in str(error) or "already finished" in str(error):
                return False
            raise
        return True

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self._place.environment},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{json.dumps(command)}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout
