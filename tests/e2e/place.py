"""A cluster with Tidemill in it, as tests use it: kubectl, and waiting with a deadline.

`make playground` installs it, so what is tested is what a user has after that one command. Where neither it nor a
cluster of ``TIDEMILL_E2E_KUBECONFIG`` can be had, the tests are skipped, and say why.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.playground import NAME, NAMESPACE, chosen
from tools.programs import Missing, cluster_beside, cluster_environment

__all__ = ["ROOT", "Place", "Wrong", "place"]

ROOT = Path(__file__).resolve().parents[2]
SETTING = "TIDEMILL_E2E_KUBECONFIG"
INSTALLING = 45 * 60
"""Seconds for building cluster and images where nothing of it has been built before."""
DEADLINE = 300.0
"""Seconds in which whatever a test waits for has to have happened."""


class Wrong(AssertionError):
    """Something that did not happen in time, with what was seen last."""


@dataclass(frozen=True)
class Place:
    """A namespace of a cluster in which Tidemill runs. ``release`` is the one of its chart."""

    environment: Mapping[str, str] = field(repr=False)
    namespace: str = NAMESPACE
    release: str = NAME
    system: str = NAMESPACE

    def run(self, *command: str, given: Any = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a program that knows the cluster."""
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        return subprocess.run(
            command,
            input=text,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def kubectl(self, *arguments: str, given: Any = None) -> str:
        """Run kubectl in the namespace and return what it printed; fail the test if it failed."""
        done = self.run("kubectl", "-n", self.namespace, *arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def refused(self, *arguments: str, given: Any = None) -> str:
        """Run kubectl, which has to fail, and return what it said."""
        done = self.run("kubectl", "-n", self.namespace, *arguments, given=given)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} was accepted: {done.stdout.strip()}"
        return done.stderr

    def get(self, *arguments: str) -> Any:
        """Return an object, or a list of them."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def there(self, *arguments: str) -> bool:
        """Say whether an object exists."""
        return self.run("kubectl", "-n", self.namespace, "get", *arguments, "-o", "name").returncode == 0

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects."""
        self.kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": list(objects)})

    def delete(self, kind: str, name: str, *arguments: str) -> None:
        """Delete an object, and wait until it is gone."""
        self.kubectl("delete", kind, name, "--ignore-not-found", "--timeout=120s", *arguments)

    def pods(self, selector: str) -> list[Any]:
        """Return the pods with these labels that run, or are about to."""
        items: list[Any] = self.get("pods", "-l", selector)["items"]
        living = [pod for pod in items if pod.get("status", {}).get("phase") in ("Pending", "Running")]
        return [pod for pod in living if not pod["metadata"].get("deletionTimestamp")]

    def status(self, name: str, kind: str = "dataflow") -> dict[str, Any]:
        """Return the status of an object."""
        said = self.kubectl("get", kind, name, "-o", "jsonpath={.status}")  # not the spec, which may be anything
        found: dict[str, Any] = json.loads(said or "{}")
        return found

    def condition(self, name: str, type_: str, kind: str = "dataflow") -> dict[str, Any]:
        """Return a condition of an object, empty if it has none."""
        conditions = self.status(name, kind).get("conditions", [])
        return next((one for one in conditions if one["type"] == type_), {})

    def ended(self, name: str, kind: str = "dataflow", seconds: float = DEADLINE) -> dict[str, Any]:
        """Wait until an object has ended, whichever way, and return its status."""

        def look() -> dict[str, Any] | None:
            status = self.status(name, kind)
            conditions = {one["type"]: one for one in status.get("conditions", [])}
            return status if conditions.get("Succeeded", {}).get("status") in ("True", "False") else None

        what = f"{kind} {name} has ended"
        found: dict[str, Any] = self.until(look, what, seconds, show=lambda: self.status(name, kind))
        return found

    def until(
        self, look: Callable[[], Any], what: str, seconds: float = DEADLINE, show: Callable[[], Any] | None = None
    ) -> Any:
        """Look again and again until something is there, and return it."""
        end = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > end:
                raise Wrong(f"not within {seconds:g} s: {what}; seen last: {show() if show else found}")
            time.sleep(0.2)
        return found

    def modules(self, name: str, **files: str) -> None:
        """Have a ConfigMap of Python modules."""
        data = {f"{module}.py": text for module, text in files.items()}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    @contextmanager
    def gone_after(self, *objects: str) -> Iterator[None]:
        """Delete objects ("kind/name") afterwards, whatever happened."""
        try:
            yield
        finally:
            for one in objects:
                kind, _, name = one.partition("/")
                self.run("kubectl", "-n", self.namespace, "delete", kind, name, "--ignore-not-found", "--timeout=120s")

    @contextmanager
    def account(self, role: str = "edit") -> Iterator[str]:
        """Give the name of a service account that has a role in the namespace, and delete it afterwards."""
        name = self.unique("tenant")
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        }
        self.kubectl("create", "serviceaccount", name)
        with self.gone_after(f"rolebinding/{name}", f"serviceaccount/{name}"):
            self.apply(binding)
            yield name

    def unique(self, name: str) -> str:
        """Return a name that nobody else has."""
        return f"{name}-{uuid.uuid4().hex[:6]}"


def place() -> Place:
    """Return a place that is ready; skip the tests, with the reason, where there can be none."""
    if said := os.environ.get(SETTING):
        return Place({**os.environ, "KUBECONFIG": said})
    try:
        which = chosen()
    except Missing as error:
        pytest.skip(f"no cluster: {error}")
    done = subprocess.run(
        [sys.executable, "-m", "tools.playground"],
        cwd=ROOT,
        env={**os.environ, "CLUSTER": which, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=INSTALLING,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"make playground failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    tool = cluster_beside() if which == "dev" else None
    return Place({**os.environ, **(cluster_environment(tool) if tool is not None else {})})
