"""A cluster, Tidemill in it, and a first data flow that succeeds: `make playground`.

``CLUSTER=kind`` makes a cluster in Docker, ``CLUSTER=dev`` uses a throwaway cluster that lies beside the repository,
and without it what is there is used. What is there already is used again, so it can be run as often as one likes.
Neighbours: `images` (builds), `programs` (finds things), the chart.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tools.images import IMAGES, build, builder, sources, version
from tools.programs import Missing, cluster_beside, cluster_environment, program

__all__ = ["chosen", "load", "main"]

ROOT = Path(__file__).resolve().parent.parent
NAME = NAMESPACE = "tidemill"
FOLDER = "/var/lib/tidemill-store"
"""Where the store of a cluster without a StorageClass has its data, on its node."""
STORE = "redis:7"
"""The image of the store in a cluster that cannot download one."""


def run(*command: str, quiet: bool = False) -> str:
    """Run a command, show what it says unless ``quiet``, and return it. Raises `Missing` with it where it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    if not quiet and done.stdout.strip():
        print(done.stdout.rstrip())
    return done.stdout


def chosen() -> str:
    """Return which cluster is used: what CLUSTER says, or what is there. Raises `Missing` where nothing is."""
    said = os.environ.get("CLUSTER", "")
    if said and said not in ("kind", "dev"):
        raise Missing(f"CLUSTER is {said!r} and has to be kind or dev")
    if said:
        return said
    docker = (
        shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )
    if shutil.which("kind") and docker:
        return "kind"
    if cluster_beside():
        return "dev"
    raise Missing(
        "there is no cluster to play in: install Docker and kind, or say where another one is with CLUSTER_TOOL"
    )


def kind_up() -> list[str]:
    """Make the cluster in Docker, give it the images, and return what helm is told besides."""
    if NAME not in run("kind", "get", "clusters", quiet=True).split():
        run("kind", "create", "cluster", "--config", "kind-config.yaml", "--wait", "120s")
    run("kubectl", "config", "use-context", f"kind-{NAME}", quiet=True)
    build(builder("docker"), list(IMAGES))
    load("kind", *(f"{name}:{version()}" for name in IMAGES))
    return []


def load(cluster: str, *tags: str) -> None:
    """Give a cluster images that were built on this machine."""
    if cluster == "kind":
        run("kind", "load", "docker-image", "--name", NAME, *tags, quiet=True)
    else:
        prefix = builder("cluster").prefix
        run(dev_cluster(), "load-image", *(tag if tag == STORE else f"{prefix}{tag}" for tag in tags), quiet=True)


def dev_cluster() -> str:
    """Start the throwaway cluster, have helm and kubectl mean it, and return its program."""
    tool = cluster_beside()
    if tool is None:
        raise Missing("there is no throwaway cluster here: say where its program is with CLUSTER_TOOL")
    if not re.search(r"^node:\n(?:  .* running .*\n)+  KUBECONFIG=", run(tool, "status", quiet=True), re.MULTILINE):
        run(tool, "up", quiet=True)  # starts what does not run; what does is better left alone
    os.environ.update(cluster_environment(tool))
    return tool


def dev_up() -> list[str]:
    """Start the throwaway cluster, give it the images, and return what helm is told besides."""
    tool = dev_cluster()
    build(builder("cluster"), list(IMAGES))
    load("dev", STORE, *(f"{name}:{version()}" for name in IMAGES))
    run(tool, "node-exec", "install", "-d", "-o", "65532", "-g", "65532", FOLDER)
    return [
        *("--set", "store.bundled.image.repository=redis", "--set-string", "store.bundled.image.tag=7"),
        *("--set", f"store.bundled.persistence.hostPath={FOLDER}"),
    ]


def install(besides: list[str]) -> None:
    """Install or upgrade the chart, and wait until all of it is ready."""
    where = ("--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "5m")
    values = ["api.enabled=true,api.allowPlaintext=true,api.replicas=1"]  # it is reached from this machine only
    values.append("metrics.ofObjects=true")  # there are few of them
    # the tag of the images is that of before: pods are replaced because of this
    values += [f"{who}.podAnnotations.sources=s{sources()}" for who in ("operator", "api")]
    said = [word for value in values for word in ("--set", value)]
    run(program("helm"), "upgrade", "--install", NAME, "charts/tidemill", *where, *said, *besides, quiet=True)
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    run("kubectl", "label", "namespace", NAMESPACE, restricted, "--overwrite", quiet=True)
    run("kubectl", "-n", NAMESPACE, "get", "pods")


def flow() -> None:
    """Apply the sample, and wait until it has succeeded."""
    run("kubectl", "-n", NAMESPACE, "apply", "-f", "examples/dataflow.yaml")
    run("kubectl", "-n", NAMESPACE, "wait", "--for=condition=Succeeded", "dataflow/words", "--timeout=180s")
    run("kubectl", "-n", NAMESPACE, "get", "dataflows,pods")
    status = json.loads(run("kubectl", "-n", NAMESPACE, "get", "dataflow/words", "-o", "json", quiet=True))["status"]
    print(json.dumps(status.get("results", status.get("contexts")), indent=2))


def step(what: str, work: Callable[[], None]) -> None:
    """Do one step and say how long it took."""
    print(f"== {what}", flush=True)
    began = time.monotonic()
    work()
    print(f"   {time.monotonic() - began:.1f} s", flush=True)


def down(cluster: str) -> None:
    """Remove what was installed; the cluster too, where it was made for this."""
    if cluster == "kind":
        run("kind", "delete", "cluster", "--name", NAME)
        return
    tool = dev_cluster()
    run("kubectl", "-n", NAMESPACE, "delete", "dataflows,dataflowruns", "--all", "--timeout=60s")
    run(program("helm"), "uninstall", NAME, "--namespace", NAMESPACE, "--wait")
    run(tool, "node-exec", "rm", "-rf", FOLDER)


def main() -> int:
    """Do all steps, or say which one cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--down", action="store_true", help="remove it again")
    asked = parser.parse_args()
    try:
        cluster = chosen()
        if asked.down:
            down(cluster)
            return 0
        besides: list[str] = []
        step(f"cluster ({cluster}) and images", lambda: besides.extend(kind_up() if cluster == "kind" else dev_up()))
        step("install the chart", lambda: install(besides))
        step("run a data flow", flow)
    except (Missing, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"next: kubectl -n {NAMESPACE} describe dataflow words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
