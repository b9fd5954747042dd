"""What `helm test` runs in a pod: applies a data flow, waits for it to succeed, looks at its result, deletes it.

    python try.py NAME SECONDS

It needs the standard library only, and the token of a service account that may create this one DataFlow.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAUSE = 0.5
"""Seconds between two looks."""


def call(method: str, path: str, body: object = None) -> Any:
    """Call the API server and return what it answers; None for what is not there."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    request = urllib.request.Request(
        f"https://{f'[{host}]' if ':' in host else host}:{port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": "application/json"},
    )
    try:
        trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404 and method != "POST":
            return None
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from None


def flow(name: str) -> dict[str, object]:
    """Return a data flow of one operation that comes with Tidemill: it gives back the word that it was given."""
    spec = {
        "operations": {
            "words": {
                "name": "get_single",
                "stage": "output",
                "inputs": {"spec": "names"},
                "outputs": {"output": "values"},
            }
        },
        "definitions": {
            "word": {"primitive": "string"},
            "names": {"primitive": "array"},
            "values": {"primitive": "map"},
        },
        "seed": [{"value": ["word"], "definition": "names"}],
        "linked": True,
        "inputs": [{"context": "first", "inputs": [{"value": "tide", "definition": "word"}]}],
    }
    return {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlow", "metadata": {"name": name}, "spec": spec}


def succeeded(name: str, path: str, seconds: float) -> None:
    """Wait until the data flow has succeeded. Raises `SystemExit` with its conditions when it does not."""
    end = time.monotonic() + seconds
    conditions: list[dict[str, str]] = []
    while time.monotonic() < end:
        conditions = ((call("GET", f"{path}/{name}") or {}).get("status") or {}).get("conditions") or []
        if any(one["type"] == "Succeeded" and one["status"] == "True" for one in conditions):
            return
        if any(
            one["type"] in ("Accepted", "Succeeded") and one["status"] == "False" and final(one) for one in conditions
        ):
            break
        time.sleep(PAUSE)
    raise SystemExit(f"{name} has not succeeded in {seconds:g} s: {json.dumps(conditions, indent=2)}")


def final(condition: dict[str, str]) -> bool:
    """Whether what a condition denies will stay so."""
    return condition["type"] == "Accepted" or "Fail" in condition.get("reason", "")


def main(name: str, seconds: str) -> None:
    """Run the data flow, and leave nothing of it."""
    namespace = (ACCOUNT / "namespace").read_text()
    path = f"/apis/tidemill.alt/v1alpha1/namespaces/{namespace}/dataflows"
    if call("DELETE", f"{path}/{name}") is not None:  # left behind by one that was interrupted
        while call("GET", f"{path}/{name}") is not None:
            time.sleep(PAUSE)
    call("POST", path, flow(name))
    try:
        succeeded(name, path, float(seconds))
        sys.stdout.write(f"{name} has succeeded\n")
    finally:
        call("DELETE", f"{path}/{name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
