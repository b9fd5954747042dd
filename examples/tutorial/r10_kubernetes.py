"""Rung 10, Kubernetes: the same operations, as objects of a cluster. Nobody starts a worker, or knows where it runs.

What to see: `downloads.py` goes into a ConfigMap as it is, the data flow is an object, and one run of it another. This
program only does what `kubectl apply` does, waits, and reads what came of it. What pods use for it, it asks them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import yaml
from ladder.pods import Usage, used
from ladder.program import FOLDER, Tally, arguments

__all__ = ["NAMESPACE", "download", "prepare"]

NAMESPACE = os.environ.get("TIDEMILL_NAMESPACE", "tidemill")
RUN = "dataflowrun/downloads"
BESIDE = "app.kubernetes.io/component in (store, operator)"
WORKERS = "app.kubernetes.io/component=worker,app.kubernetes.io/instance=downloads"


def kubectl(*arguments: str, given: object = None) -> str:
    """Run kubectl in the namespace and return what it prints. Raises `RuntimeError` with its errors where it fails."""
    command = ["kubectl", "-n", NAMESPACE, *arguments]
    text = None if given is None else json.dumps(given)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def objects() -> list[dict[str, Any]]:
    """Return the objects that `kubectl apply -k` applies."""
    return list(yaml.safe_load_all(kubectl("kustomize", str(FOLDER))))


def prepare(given: argparse.Namespace) -> None:
    """Have the site in the cluster, with the latency and the errors that are asked for, and wait until it answers."""
    found = [one for one in objects() if one["kind"] != "DataFlow"]
    [site] = [one for one in found if one["kind"] == "Deployment"]
    args = [f"--{name}={getattr(given, name)}" for name in ("latency", "errors", "broken")]
    site["spec"]["template"]["spec"]["containers"][0]["args"] = ["--host=0.0.0.0", "--port=8000", *args]
    kubectl("delete", RUN, "dataflow/downloads", "--ignore-not-found", "--timeout=120s")
    kubectl("wait", "--for=delete", "pod", "-l", WORKERS, "--timeout=120s")
    kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": found})
    kubectl("rollout", "status", "deployment/files", "--timeout=120s")


def download(requests: int) -> tuple[Tally, Usage]:
    """Have the cluster get and pack all files; return what became of them, and what its pods used for it."""
    before = used(kubectl, BESIDE)
    flow = [one for one in objects() if one["kind"] == "DataFlow"]
    [run] = yaml.safe_load_all((FOLDER / "rung10" / "run.yaml").read_text(encoding="utf-8"))
    run["spec"]["inputs"][0]["values"]["files"] = requests
    kubectl("apply", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": [*flow, run]})
    kubectl("wait", "--for=condition=Succeeded", RUN, "--timeout=600s")
    after, workers = used(kubectl, BESIDE), used(kubectl, WORKERS)
    usage = Usage(after.cpu - before.cpu + workers.cpu, after.memory + workers.memory)
    tally = Tally()
    for size in sizes():
        tally.came(size)
    for _ in range(requests - tally.done):
        tally.missed("see tidemill results")
    return tally, usage


def sizes() -> list[int]:
    """Return the size of each file that came: a small result is in the status, a large one where that says."""
    status = json.loads(kubectl("get", RUN, "-o", "jsonpath={.status}"))
    if status.get("results"):
        return list(status["results"][0]["result"].get("size", []))
    with tempfile.NamedTemporaryFile("w") as token:
        token.write(kubectl("create", "token", "tutorial"))
        token.flush()
        verb = ["results", "--run", "downloads", "--namespace", NAMESPACE, "--output", "jsonl", "--quiet"]
        command = [sys.executable, "-m", "tidemill.cli", *verb, "--token-file", token.name]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return list(json.loads(said)["result"].get("size", []))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument(
        "--prepare", action="store_true", help="only have the site in the cluster, and nothing else yet"
    )
    asked = parser.parse_args()
    if asked.prepare or not asked.site:
        prepare(asked)
    if not asked.prepare:
        came, elsewhere = download(asked.requests)
        came.say(cpu=round(elsewhere.cpu, 2), memory=elsewhere.memory)
