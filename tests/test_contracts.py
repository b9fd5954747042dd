"""The import contracts of pyproject.toml hold, and each is seen to fail on a copy of the core that breaks it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"

LAYERS = "The core is layered"
STRANGERS = "The backends do not know each other"
PURE = "What decides does no I/O and reads no clock"
REDIS = "Only the Redis backend talks to Redis"
KUBERNETES = "Only the operator knows Kubernetes"
WORKER = "Worker and operator are built on the core and meet only there"

OPERATOR = "operator/tidemill_operator"
KOPF = "One module of the operator knows kopf"
CLUSTER = "One module of the operator talks to the API server"
DECISIONS = "What the operator decides, and what its kinds are, does no I/O"

BREACHES = {
    "upward": ("model/__init__.py", "import tidemill.plan", LAYERS),
    "sideways": ("engine/__init__.py", "import tidemill.networks", LAYERS),
    "a module without a layer": ("stray.py", "", LAYERS),
    "one backend uses another": ("backends/other/__init__.py", "import tidemill.backends.memory", STRANGERS),
    "the engine waits": ("engine/__init__.py", "import asyncio", PURE),
    "the plan reads a clock": ("plan/__init__.py", "import time", PURE),
    "the model rolls dice": ("model/__init__.py", "import random", PURE),
    "a runner talks to Redis": ("runtime/__init__.py", "import redis", REDIS),
    "the core talks to Kubernetes": ("orchestrator/__init__.py", "import kubernetes", KUBERNETES),
    "the core starts a worker in its process": ("cli/__init__.py", "import tidemill_worker.supervisor", WORKER),
    "the core uses kopf": ("__init__.py", "import kopf", KUBERNETES),
    "a second module uses kopf": (f"{OPERATOR}/passes.py", "import kopf", KOPF),
    "a second module talks to the API server": (f"{OPERATOR}/apply.py", "import kubernetes", CLUSTER),
    "a decision waits": (f"{OPERATOR}/decide/scaling.py", "import asyncio", DECISIONS),
    "a decision asks the store": (f"{OPERATOR}/decide/scaling.py", "import tidemill_operator.store", DECISIONS),
    "a kind asks the API server": (f"{OPERATOR}/kinds/base.py", "import tidemill_operator.cluster", DECISIONS),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the core below ``folder`` against the contracts of the project."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    return subprocess.run(
        [sys.executable, "-c", LINT, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={
            **environment,
            "PYTHONPATH": os.pathsep.join(str(folder / root) for root in ("core", "operator")),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_contracts_are_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_noticed(tmp_path: Path, breach: str) -> None:
    path, line, contract = BREACHES[breach]
    for root in ("core", "operator"):
        shutil.copytree(ROOT / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / path if path.startswith("operator/") else tmp_path / "core" / "tidemill" / path
    module.parent.mkdir(exist_ok=True)
    with module.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    # After the word may stand how many imports the contract ignores.
    broken = re.findall(r"^(.*) BROKEN(?: \(.*\))?$", result.stdout, re.MULTILINE)
    assert broken == [contract]


def test_the_redis_backend_may_talk_to_redis(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    backend = tmp_path / "core" / "tidemill" / "backends" / "redis"
    backend.mkdir(exist_ok=True)
    (backend / "__init__.py").touch()
    (backend / "library.py").write_text("import redis\n", encoding="utf-8")
    result = lint(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
