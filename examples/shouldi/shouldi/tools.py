"""Run a tool as a child process that cannot hang, flood, or be talked into anything.

No shell, no standard input, an own process group that is killed as a whole, a deadline, and a bound
on what it may print. `security`, `download` and `index` use it for bandit and pip.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OUTPUT_LIMIT = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_PATIENCE = 10.0


class ToolFailed(Exception):
    """The tool could not be started, ran past its deadline, or printed too much."""


@dataclass(frozen=True)
class Ran:
    """How a tool ended: its exit code, and what it wrote to standard output and error."""

    code: int
    out: str
    err: str


async def run_tool(
    argv: Sequence[str],
    *,
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    limit: int = OUTPUT_LIMIT,
) -> Ran:
    """Run `argv` for at most `seconds`, and `limit` bytes of output in each stream.

    `env` is added to the environment. Raises `ToolFailed`; any exit code is the caller's to judge.
    """
    name = " ".join(argv[1:4] if len(argv) > 1 else argv)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise ToolFailed(f"{name} cannot be started: {error}") from error
    try:
        async with asyncio.timeout(seconds):
            out, err = await asyncio.gather(
                _bounded(process.stdout, limit, name), _bounded(process.stderr, limit, name)
            )
            code = await process.wait()
    except BaseException as error:
        await _kill(process)
        if isinstance(error, TimeoutError):
            raise ToolFailed(f"{name} did not end within {seconds:g} s") from error
        raise
    return Ran(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


async def _bounded(stream: asyncio.StreamReader | None, limit: int, name: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        size += len(chunk)
        if size > limit:
            raise ToolFailed(f"{name} printed more than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the tool and all its children, read what is left in its pipes so that they close, and collect it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(_CHUNK):
                    pass
            await process.wait()
