"""Running programs, as events: made, a line of its output, ended. There is no shell: a command is a list of words."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any

from tidemill.compat.concurrent import concurrently

__all__ = ["Subprocess", "exec_subprocess", "run_command", "run_command_events"]


class Subprocess(enum.Enum):
    """What happens to a program, and what comes with it."""

    CREATED = "created"  # the process
    COMPLETED = "completed"  # its exit status
    STDOUT_READLINE = "stdout.readline"  # one line of bytes
    STDERR_READLINE = "stderr.readline"
    STDOUT = "stdout"  # all that it wrote
    STDERR = "stderr"


async def exec_subprocess(cmd: Sequence[str], **kwargs: Any) -> AsyncGenerator[tuple[Subprocess, Any], None]:
    """Run a program and yield (event, value); ``kwargs`` are those of `asyncio.create_subprocess_exec`.

    A program that still runs when the generator is closed is killed.
    """
    pipe = asyncio.subprocess.PIPE
    kwargs = {"stdout": pipe, "stderr": pipe, **kwargs}
    process = await asyncio.create_subprocess_exec(*cmd, **kwargs)
    try:
        yield Subprocess.CREATED, process
        work: dict[asyncio.Task[Any], Any] = {asyncio.create_task(process.wait()): None}
        for event in (Subprocess.STDOUT_READLINE, Subprocess.STDERR_READLINE):
            stream = _stream(process, event)
            if stream is not None:
                work[asyncio.create_task(stream.readline())] = event
        async for event, line in concurrently(work):
            if event is not None and line:
                yield event, line
                work[asyncio.create_task(_stream(process, event).readline())] = event
        yield Subprocess.COMPLETED, process.returncode
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _stream(process: asyncio.subprocess.Process, event: Subprocess) -> Any:
    return process.stdout if event is Subprocess.STDOUT_READLINE else process.stderr


async def run_command_events(
    cmd: Sequence[str],
    *,
    logger: logging.Logger | None = None,
    log_cmd_event: bool = True,
    events: Collection[Subprocess] | None = None,
    raise_on_failure: bool = True,
    **kwargs: Any,
) -> AsyncGenerator[tuple[Subprocess, Any], None]:
    """Run a program and yield those of its events that are asked for; its lines go to the logger, as debugging.

    Raises RuntimeError with what it wrote when its exit status is not 0.
    """
    wanted = events or ()
    lines: list[tuple[Subprocess, bytes]] = []
    async for event, value in exec_subprocess(cmd, **kwargs):
        if event in (Subprocess.STDOUT_READLINE, Subprocess.STDERR_READLINE):
            lines.append((event, value))
            if logger is not None:
                text = value.decode(errors="replace").rstrip()
                logger.debug("%s", f"{cmd}: {event.value}: {text}" if log_cmd_event else text)
        elif event is Subprocess.COMPLETED:
            if value != 0 and raise_on_failure:
                raise RuntimeError(f"{cmd!r}: {b''.join(line for _, line in lines).decode(errors='replace')}")
            for whole, one in (
                (Subprocess.STDERR, Subprocess.STDERR_READLINE),
                (Subprocess.STDOUT, Subprocess.STDOUT_READLINE),
            ):
                if whole in wanted:
                    yield whole, b"".join(line for kind, line in lines if kind is one)
        if event in wanted:
            yield event, value


async def run_command(
    cmd: Sequence[str], *, logger: logging.Logger | None = None, log_cmd_event: bool = True, **kwargs: Any
) -> None:
    """Run a program to its end. Raises RuntimeError with what it wrote when its exit status is not 0."""
    async for _ in run_command_events(cmd, logger=logger, log_cmd_event=log_cmd_event, **kwargs):
        pass
