"""A second release of the chart beside that of the playground, in namespaces of its own, with a store of its own.

It leaves the kinds to the first release, has the images and values of that one, and goes when the tests are over.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.e2e.node import Node
from tests.e2e.place import ROOT, Place
from tools.images import IMAGES, version
from tools.playground import NAME, NAMESPACE
from tools.programs import program

__all__ = ["Release", "release"]

IGNORED = ("events", "events.events.k8s.io", "pods.metrics.k8s.io")
OF_ALL_NAMESPACES = ("serviceaccount/default", "configmap/kube-root-ca.crt")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


class Release:
    """A release that is installed, upgraded and uninstalled."""

    def __init__(self, cluster: Place, node: Node) -> None:
        self.name = "second"
        self.first = cluster.unique("second")
        self.second = f"{self.first}-b"
        self.node = node
        self.place = replace(cluster, namespace=self.first, release=self.name, system=self.first)
        self.other = replace(self.place, namespace=self.second)
        self.folder = f"/var/lib/{self.first}"
        self._nodes = [one["metadata"]["name"] for one in cluster.get("nodes")["items"]]
        said = self._helm("get", "values", NAME, "-n", NAMESPACE, "-o", "json")
        self._values = self._with_own_store(json.loads(said))

    def _with_own_store(self, values: dict[str, Any]) -> dict[str, Any]:
        store = values.get("store", {}).get("bundled", {}).get("persistence", {})
        if "hostPath" in store:
            store["hostPath"] = self.folder
        namespaces = [self.first, self.second]
        return {**values, "api": {"enabled": False}, "crds": {"enabled": False}, "watch": {"namespaces": namespaces}}

    def _helm(self, *words: str, given: Any = None) -> str:
        done = subprocess.run(
            [program("helm"), *words],
            cwd=ROOT,
            env=dict(self.place.environment),
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"helm {' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def install(self, *settings: str) -> str:
        """Install or upgrade it, with these values besides, and wait until it is ready."""
        where = ("--namespace", self.first, "--wait", "--timeout", "5m", "--values", "-")
        said = [word for setting in settings for word in ("--set", setting)]
        return self._helm("upgrade", "--install", self.name, "charts/tidemill", *where, *said, given=self._values)

    def test(self) -> str:
        """Run `helm test`, and return what it said."""
        return self._helm("test", self.name, "--namespace", self.first, "--timeout", "3m")

    def uninstall(self) -> None:
        """Uninstall it as the page says: objects first."""
        for place in (self.place, self.other):
            place.kubectl("delete", "dataflowruns,dataflows", "--all", "--timeout=120s")
        self._helm("uninstall", self.name, "--namespace", self.first, "--wait")

    def prepare(self) -> None:
        """Have its namespaces, and the folder of its store where one is needed."""
        for place in (self.place, self.other):
            place.kubectl("create", "namespace", place.namespace)
            place.kubectl("label", "namespace", place.namespace, RESTRICTED)
        self.on_nodes("install", "-d", "-o", "65532", "-g", "65532", self.folder)

    def on_nodes(self, *command: str) -> None:
        """Run a command on every node."""
        for name in self._nodes:
            self.node.run(name, *command)

    def retag(self, tag: str) -> None:
        """Give our images one more tag."""
        for name in IMAGES:
            image = f"docker.io/library/{name}"
            words = ("ctr", "-n", "k8s.io", "images", "tag", "--force", f"{image}:{version()}", f"{image}:{tag}")
            self.on_nodes(*words)

    def left(self) -> set[str]:
        """Return whatever is in its namespaces, and what is in none and has its label."""
        kinds = self._kinds("--namespaced=true")
        found: set[str] = set()
        for place in (self.place, self.other):
            found |= {f"{place.namespace}/{one}" for one in self._names(place, kinds) if one not in OF_ALL_NAMESPACES}
        label = ("-l", f"app.kubernetes.io/instance={self.name}")
        return found | set(self._names(self.place, self._kinds("--namespaced=false"), *label))

    def _kinds(self, which: str) -> list[str]:
        said = self.place.kubectl("api-resources", "--verbs=list", which, "-o", "name").split()
        return [kind for kind in said if kind not in IGNORED and not kind.endswith("metrics.k8s.io")]

    def _names(self, place: Place, kinds: list[str], *more: str) -> list[str]:
        return place.kubectl("get", ",".join(kinds), *more, "-o", "name", "--ignore-not-found").split()

    def gone(self) -> None:
        """Remove all that there is of it, whatever state it is in."""
        for place in (self.place, self.other):
            place.run("kubectl", "-n", place.namespace, "delete", "dataflowruns,dataflows", "--all", "--timeout=60s")
        where = ("--namespace", self.first, "--ignore-not-found", "--wait")
        self.place.run(program("helm"), "uninstall", self.name, *where)
        for name in (self.first, self.second):
            self.place.run("kubectl", "delete", "namespace", name, "--ignore-not-found", "--timeout=180s")
        self.on_nodes("rm", "-rf", self.folder)


@contextmanager
def release(cluster: Place) -> Iterator[Release]:
    """Give a release that is installed, and remove it afterwards."""
    made = Release(cluster, Node(cluster))
    try:
        made.prepare()
        made.install()
        yield made
    finally:
        made.gone()
