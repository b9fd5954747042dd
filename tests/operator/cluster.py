"""A real API server for tests: etcd, kube-apiserver and kube-controller-manager, without a node and without root.

It is the one of ``TIDEMILL_TEST_KUBECONFIG`` if that is set, else one that the script ``../shared/cluster/cluster``
beside the repository starts under a name of its own and ends again. Where neither is possible, tests that need it are
skipped, and say why.
"""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.programs import cluster_environment

__all__ = ["ControlPlane", "Done", "control_plane"]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT.parent / "shared" / "cluster" / "cluster"
SETTING = "TIDEMILL_TEST_KUBECONFIG"
BUILDS = 40 * 60
"""Seconds that building the programs may take where they have not been built before."""


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything that it printed, on one line for each."""
        return (self.out + self.err).strip()


@dataclass(frozen=True)
class ControlPlane:
    """An API server that answers."""

    environment: Mapping[str, str] = field(repr=False)

    def kubectl(self, *arguments: str, given: Any = None, user: str | None = None) -> Done:
        """Run kubectl, as ``user`` if one is named; ``given`` is its standard input: text, or what becomes JSON."""
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        command = ["kubectl", *arguments, *(["--as", user] if user else [])]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, env=dict(self.environment), timeout=120, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, given: Any = None, user: str | None = None) -> str:
        """Run kubectl and return what it printed; fail the test if it failed."""
        done = self.kubectl(*arguments, given=given, user=user)
        assert done.code == 0, f"kubectl {' '.join(arguments)}: {done.said}"
        return done.out

    def get(self, *arguments: str) -> Any:
        """Return an object, or a list of them, as plain data."""
        return json.loads(self.must("get", *arguments, "-o", "json"))

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """Give a namespace that nobody else has, and delete it afterwards."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.must("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Give an API server; skip the test, with the reason, where there cannot be one."""
    if chosen := os.environ.get(SETTING):
        if shutil.which("kubectl") is None:
            pytest.skip(f"{SETTING} is set, but there is no kubectl in PATH")
        yield ControlPlane({**os.environ, "KUBECONFIG": chosen})
        return
    if not SCRIPT.is_file():
        pytest.skip(f"no API server: {SETTING} is not set, and there is no {SCRIPT}")
    name = f"tidemill-{os.getpid()}"
    try:
        _run(SCRIPT, "up", "--control-plane", "--name", name)
        yield ControlPlane({**os.environ, **cluster_environment(str(SCRIPT), "--control-plane", "--name", name)})
    finally:
        _run(SCRIPT, "down", "--control-plane", "--name", name)


def _run(*command: Any) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=BUILDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode and shutil.which("go") is None:
        pytest.skip(
            f"no API server: its programs have not been built, and there is no Go to build them: {done.stderr[-500:]}"
        )
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout
