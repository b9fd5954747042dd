"""The peer: DFFML 0.4 in a virtual environment of its own, made on first use from an old Python.

DFFML 0.4 does not import on Python 3.9 or later, so one of 3.8 or 3.7 must be on the machine: on PATH, or installed by
pyenv or uv. Where there is none, or the package cannot be installed, the benchmark runs without it and says why.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.8", "3.7")
REQUIREMENTS = ("dffml==0.4.0.post2", "setuptools<70")
"""setuptools, because DFFML finds its plugins with pkg_resources, which later ones do not have."""


class NoPeer(Exception):
    """There is no DFFML to measure; the message says why."""


def cache() -> Path:
    """Where the environment is kept: TIDEMILL_BENCH_CACHE, else below the user's cache folder."""
    own = os.environ.get("TIDEMILL_BENCH_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidemill-bench"


def interpreter(named: str | None) -> str:
    """The path of a Python with DFFML, which is installed on the first call. Raises NoPeer."""
    python = cache() / "dffml" / "bin" / "python"
    if named is None and works(str(python), "import dffml"):
        return str(python)
    old = named or next(old_pythons(), None)
    if old is None:
        raise NoPeer(f"no Python {' or '.join(VERSIONS)} on PATH or under pyenv (DFFML 0.4 needs one)")
    if not works(old, f"import sys, venv; assert '%d.%d' % sys.version_info[:2] in {VERSIONS}"):
        raise NoPeer(f"{old} is no Python {' or '.join(VERSIONS)} that runs and has the module venv")
    install(old, python)
    return str(python)


def install(old: str, python: Path) -> None:
    """Makes the environment. Raises NoPeer with what the installer said last."""
    steps = ([old, "-m", "venv", "--clear", str(python.parent.parent)], [str(python), "-m", "pip", "install", "-q"])
    for step in (steps[0], [*steps[1], *REQUIREMENTS]):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise NoPeer(f"{REQUIREMENTS[0]} could not be installed: {last}")


def old_pythons() -> Iterator[str]:
    """Interpreters that are old enough and run: a shim on PATH may exist and not run."""
    for version in VERSIONS:
        for path in (*_on_path(version), *_under_pyenv(version), *_found_by_uv(version)):
            if works(path, f"import sys, venv; assert '%d.%d' % sys.version_info[:2] == '{version}'"):
                yield path


def works(python: str, code: str) -> bool:
    """Whether this interpreter exists and runs this code."""
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _on_path(version: str) -> Iterator[str]:
    found = shutil.which(f"python{version}")
    if found:
        yield found


def _under_pyenv(version: str) -> Iterator[str]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True))


def _found_by_uv(version: str) -> Iterator[str]:
    uv = shutil.which("uv")
    if uv:
        found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False)
        yield from found.stdout.splitlines()[:1]
