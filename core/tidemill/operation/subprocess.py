"""Operations that run programs, without a shell: each word of a command reaches the program as it is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from tidemill.errors import InvalidInput, shown
from tidemill.model.definition import Definition
from tidemill.runtime.decorator import op

__all__ = [
    "SUBPROCESS_CMD",
    "SUBPROCESS_CWD",
    "SUBPROCESS_RETURN_CODE",
    "SUBPROCESS_STDERR",
    "SUBPROCESS_STDOUT",
    "pip_install",
    "subprocess_line_by_line",
]

SUBPROCESS_CMD = Definition(name="subprocess.cmd", primitive="List[str]")
SUBPROCESS_CWD = Definition(name="subprocess.cwd", primitive="str", default=None)
SUBPROCESS_STDOUT = Definition(name="subprocess.stdout", primitive="str")
SUBPROCESS_STDERR = Definition(name="subprocess.stderr", primitive="str")
SUBPROCESS_RETURN_CODE = Definition(name="subprocess.returncode", primitive="int")


async def _ran(words: Sequence[str], cwd: str | None = None) -> tuple[int, str, str]:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise InvalidInput(f"a command is a list of words, not {shown(words)}", reason="TypeMismatch")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, cwd=cwd, stdout=pipe, stderr=pipe)
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:  # the call was cancelled, and its program goes with it
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


@op(
    name="subprocess_line_by_line",
    inputs={"cmd": SUBPROCESS_CMD, "cwd": SUBPROCESS_CWD},
    outputs={
        "stdout": SUBPROCESS_STDOUT,
        "stderr": SUBPROCESS_STDERR,
        "returncode": SUBPROCESS_RETURN_CODE,
    },
)
async def subprocess_line_by_line(self: Any, cmd: Sequence[str], cwd: str | None = None) -> dict[str, Any]:
    """Run a program in ``cwd`` and return what it wrote and its exit status."""
    status, out, err = await _ran(cmd, cwd)
    for line in (*out.splitlines(), *err.splitlines()):
        self.logger.debug(line)
    return {"stdout": out, "stderr": err, "returncode": status}


@op(name="pip_install")
async def pip_install(self: Any, packages: list[str], upgrade: bool = False) -> list[str]:
    """Install packages into the environment that runs this, and return their names.

    Raises `InvalidInput` for a name that pip would take for an option, RuntimeError when pip fails.
    """
    for package in packages:
        if not isinstance(package, str) or package.startswith("-"):
            raise InvalidInput(f"{shown(package)} is no name of a package", reason="TypeMismatch")
    options = ["--upgrade"] if upgrade else []
    status, _, err = await _ran([sys.executable, "-m", "pip", "install", *options, *packages])
    if status:
        raise RuntimeError(f"pip install ended with status {status}: {err.strip()[-2000:]}")
    return packages
