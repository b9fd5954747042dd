"""Finds the programs that are not Python's: helm, promtool, prometheus. Those of ``tools/go`` are built where Go is.

A program is looked for in a variable of its name (``HELM=…``), in ``build/bin`` and in the PATH; then, if it is one
of ``tools/go`` and ``go`` is there, it is built into ``build/bin``; if Debian has it and this is one, it is taken out
of its package, which is not installed and starts nothing. Neighbours: `chart`, `playground`, the tests of the chart.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["Missing", "cluster_beside", "cluster_environment", "program"]

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "build" / "bin"
IN_GO = {"helm": "helm.sh/helm/v3/cmd/helm"}
"""Programs that are built from the modules of ``tools/go``, whose versions its files pin."""
IN_DEBIAN = {"prometheus": "prometheus", "promtool": "prometheus"}
"""Programs that need nothing but themselves, and the packages that have them."""


class Missing(Exception):
    """A program is not there and cannot be built here."""


def program(name: str, *, build: bool = True) -> str:
    """Return the path of a program. Raises `Missing`, which says what to install."""
    said = os.environ.get(name.upper())
    if said:
        return said
    found = next((path for path in (str(BUILT / name), shutil.which(name)) if path and Path(path).is_file()), None)
    if found:
        return found
    go = shutil.which("go")
    if build and name in IN_GO and go:
        return _built(go, name)
    if build and name in IN_DEBIAN and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        return _unpacked(name)
    hint = " (or Go, which builds it)" if name in IN_GO else ""
    raise Missing(f"{name} is not installed: install it{hint}, or say where it is with {name.upper()}=…")


def _built(go: str, name: str) -> str:
    BUILT.mkdir(parents=True, exist_ok=True)
    made = BUILT / f"{name}.{os.getpid()}"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(made), IN_GO[name]]
    done = subprocess.run(
        command, cwd=ROOT / "tools" / "go" / name, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        made.unlink(missing_ok=True)
        raise Missing(f"{name} could not be built: {done.stderr.strip()[-500:]}")
    made.replace(BUILT / name)
    return str(BUILT / name)


def _unpacked(name: str) -> str:
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        for command in (["apt-get", "download", "--quiet", IN_DEBIAN[name]], ["sh", "-c", "dpkg-deb -x *.deb ."]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Missing(
                    f"{name} is not installed, and {command[0]} does not get it: {done.stderr.strip()[-500:]}; "
                    f"say where it is with {name.upper()}=…"
                )
        (Path(folder) / "usr" / "bin" / name).replace(BUILT / name)
    return str(BUILT / name)


def cluster_beside() -> str | None:
    """Return the program that runs a throwaway cluster on this machine, if there is one: CLUSTER_TOOL says where."""
    path = Path(os.environ.get("CLUSTER_TOOL") or ROOT.parent / "shared" / "cluster" / "cluster")
    return str(path) if path.is_file() else None


def cluster_environment(tool: str, *instance: str) -> dict[str, str]:
    """Return the variables by which others find the cluster that such a program runs, or an ``instance`` of it."""
    said = subprocess.run([tool, "env", *instance], capture_output=True, text=True, check=True).stdout
    script = f'{said}\nprintf \'%s\\0%s\' "$KUBECONFIG" "$PATH"'
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    kubeconfig, path = shown.split("\0")
    return {"KUBECONFIG": kubeconfig, "PATH": path}
