"""DFFML itself, where it is on this machine: what it writes is read, and what is written for it is given to it.

It needs a Python that is older than ours, so it is in an environment of its own: that of the benchmarks, or the one
whose interpreter `TIDEMILL_DFFML_PYTHON` names. A test without it is skipped and says how to make it.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.peer import cache, works

__all__ = ["VARIABLE", "dffml", "peer_python"]

VARIABLE = "TIDEMILL_DFFML_PYTHON"


@functools.cache
def _found() -> str | None:
    named = os.environ.get(VARIABLE)
    python = named or str(cache() / "dffml" / "bin" / "python")
    if works(python, "import dffml"):
        return python
    assert named is None, f"{VARIABLE} is {named}, which has no dffml"
    return None


def peer_python() -> str:
    """The path of a Python that has DFFML; skips the test where there is none."""
    found = _found()
    if found is None:
        pytest.skip(f"DFFML is not on this machine: `make bench` installs it, {VARIABLE} names a Python that has it")
    return found


def dffml(code: str, *arguments: str, cwd: Path) -> str:
    """Run a program with DFFML in a folder, and return what it prints; skips the test where there is none."""
    done = subprocess.run(
        [peer_python(), "-c", code, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": ".", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
