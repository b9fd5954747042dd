"""kubectl as a way to a cluster: it finds the Service of the HTTP API, forwards a port, and knows who we are.

Neighbours: whoever is told nothing about where a cluster is asks for this.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

from tidemill.orchestrator.cluster.client import ApiError

__all__ = ["forwarded", "namespace", "proxied", "token"]

_SERVICE = "app.kubernetes.io/name=tidemill,app.kubernetes.io/component=api"
_SECONDS = 30


def _kubectl(*arguments: str) -> str:
    """Run kubectl and return what it printed. Raises `ApiError` (KubectlFailed, KubectlMissing)."""
    if shutil.which("kubectl") is None:
        said = "there is no kubectl in PATH: install it, or say where the API is (--api) and who asks (--token-file)"
        raise ApiError(said, reason="KubectlMissing")
    try:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        said = f"kubectl {' '.join(arguments)} has not ended within {_SECONDS} s"
        raise ApiError(said, reason="KubectlFailed") from None
    if done.returncode:
        raise ApiError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}", reason="KubectlFailed")
    return done.stdout


@functools.cache
def _config() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    return found


def namespace() -> str:
    """Return the namespace of kubectl's context."""
    contexts = _config().get("contexts") or [{}]
    return str(contexts[0].get("context", {}).get("namespace") or "default")


def token() -> str:
    """Return the token of kubectl's user. Raises `ApiError` (NoToken) for one that shows a certificate or something
    else.
    """
    users = _config().get("users") or [{}]
    user = users[0].get("user", {})
    if user.get("token"):
        return str(user["token"])
    said = (
        "the user of the kubeconfig has no token; make one with `kubectl create token ACCOUNT > FILE` and name the "
        "file with --token-file"
    )
    raise ApiError(said, reason="NoToken")


@contextlib.contextmanager
def forwarded() -> Iterator[str]:
    """Forward a port to the API of the cluster meanwhile, and give its URL.

    Raises `ApiError` (NoApi, KubectlFailed, KubectlMissing).
    """
    found = json.loads(_kubectl("get", "services", "-A", "-l", _SERVICE, "-o", "json"))["items"]
    if len(found) != 1:
        said = f"{len(found) or 'no'} Services of an API are in the cluster; say which one with --api"
        raise ApiError(said, reason="NoApi")
    metadata, port = found[0]["metadata"], _port(found[0]["spec"]["ports"])
    command = [
        "kubectl",
        "port-forward",
        "-n",
        metadata["namespace"],
        f"service/{metadata['name']}",
        f":{port['port']}",
    ]
    with _serving(command, r"127\.0\.0\.1:(\d+)") as local:
        yield f"{'https' if port.get('name') == 'https' else 'http'}://127.0.0.1:{local}"


@contextlib.contextmanager
def proxied() -> Iterator[str]:
    """Have kubectl speak to the API server in our name meanwhile, and give the path of the socket where it listens.

    Nobody else can open it: it is in a folder of ours. Raises `ApiError` (KubectlFailed, KubectlMissing).
    """
    with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
        socket = f"{folder}/kubectl"
        _kubectl("version", "--client")
        with _serving(["kubectl", "proxy", f"--unix-socket={socket}"], r"serve on (.*)$"):
            yield socket


@contextlib.contextmanager
def _serving(command: list[str], said: str) -> Iterator[str]:
    """Run a kubectl that serves meanwhile, and give what its first line says about where."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            where = re.search(said, process.stdout.readline())
            if where is None:
                raise ApiError(f"{' '.join(command[:2])}: {process.stderr.read().strip()}", reason="KubectlFailed")
            yield where[1]
        finally:
            process.terminate()


def _port(ports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the port that the API is asked at; another one is for whoever looks after it."""
    named = {port.get("name"): port for port in ports}
    return next((named[name] for name in ("https", "api", "http") if name in named), ports[0])
