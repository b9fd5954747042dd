"""Other engines, each driven by a program of its own in an environment of its own.

The programs are a folder beside the repository (`../shared/bench`, or `TIDEMILL_BENCH_PEERS`): `driver.py`, a module
for each engine below `systems`, and `setup_venvs.py`, which makes an environment for each. Without the folder only
Tidemill is measured. Environments are kept where `BENCH_VENVS` says; the peers' programs look there too.
"""

import ast
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.store.sessions import ROOT

FLOOR = "floor_lua"
"""No engine: workers that pull, run, and finish with one script. It bounds what an engine over this store can reach."""
PEERS = ("saq_redis", "ray_local", "taskiq_pipes", "dask_distributed", "celery_redis", "streaq_redis")
SYSTEMS = (FLOOR, *PEERS)


class NoPeers(Exception):
    """There are none to measure; the message says why."""


@dataclass(frozen=True)
class Peer:
    """A system that can be driven."""

    name: str
    python: str
    """The interpreter of its environment."""
    workloads: frozenset[str]
    """What it can express."""

    def command(self) -> list[str]:
        """The command line of its driver."""
        return [self.python, str(folder() / "driver.py"), self.name, "redis"]

    def profile(self, workload: str) -> str:
        """Workloads that share a start of the system have one profile."""
        return "io" if workload == "io" else "default"


def folder() -> Path:
    """Where the programs are that drive other engines."""
    return Path(os.environ.get("TIDEMILL_BENCH_PEERS") or ROOT.parent / "shared" / "bench")


def environments() -> Path:
    """Where their environments are."""
    return Path(os.environ.get("BENCH_VENVS") or Path(tempfile.gettempdir()) / "bench-venvs")


def found(wanted: str) -> tuple[list[Peer], str]:
    """The peers of a list of names ("ready": those that have an environment, "all": also those that first have to be
    given one, "none"), and a sentence about those that are missing."""
    if wanted == "none":
        return [], "None were asked for"
    if not (folder() / "driver.py").is_file():
        return (
            [],
            f"There is no {folder()}, the folder with the programs that drive them (TIDEMILL_BENCH_PEERS moves it)",
        )
    names = SYSTEMS if wanted in ("ready", "all") else tuple(wanted.split(","))
    unknown = [name for name in names if not _module(name).is_file()]
    if unknown:
        raise NoPeers(f"there is no system called {', '.join(unknown)} in {folder() / 'systems'}")
    problem = "" if wanted == "ready" else _make(names)
    peers = [_peer(name) for name in names]
    there = [peer for peer in peers if Path(peer.python).exists()]
    missing = ", ".join(peer.name for peer in peers if peer not in there)
    if missing and not problem:
        problem = "they have no environment; --peers all makes one"
    return there, f"Not measured: {missing} ({problem})" if missing else ""


def _module(name: str) -> Path:
    return folder() / "systems" / f"{name}.py"


def _peer(name: str) -> Peer:
    """Read what its module says without running it: it imports what only its own environment has."""
    tree = ast.parse(_module(name).read_text(encoding="utf-8"))
    system = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "System")
    environment, methods = "floors", set()
    for node in system.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "venv":
            environment = ast.literal_eval(node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            methods.add(node.name)
    return Peer(name, str(environments() / environment / "bin" / "python"), frozenset(methods))


def _make(names: tuple[str, ...]) -> str:
    """Make the environments that are missing; return what went wrong, in the words of the program that makes them."""
    driver = environments() / "driver" / "bin" / "python"
    if not driver.exists():
        steps = [
            [sys.executable, "-m", "venv", str(driver.parent.parent)],
            [str(driver), "-m", "pip", "install", "-q", "psutil"],
        ]
        for step in steps:
            if subprocess.run(step, check=False, stdout=sys.stderr).returncode:
                return f"{' '.join(step)} failed"
    made = [*(("floor_stream",) if FLOOR in names else ()), *names]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    done = subprocess.run(
        [str(driver), str(folder() / "setup_venvs.py"), *made],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]
