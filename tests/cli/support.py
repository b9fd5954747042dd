"""What tests of the command line share."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.errors import OperationFailure
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed, Failed, Report

__all__ = ["DEADLINE", "FLOWS", "Result", "environment", "play", "started"]

FLOWS = Path(__file__).parent / "flows"
DEADLINE = 120.0
"""Seconds after which something that has to happen has not."""


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a process: this one's, with the installed ``tidemill`` first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES")}
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Give what starts the command line in the folder of the flows and goes on; keywords are those of ``Popen``.
    Whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **more: Any) -> subprocess.Popen[str]:
        given = {"cwd": FLOWS, "env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(["tidemill", *arguments], **{**given, "bufsize": 1, **more})
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait(DEADLINE)


def play(url: str, result: dict[str, Any] | None = None, *, fail: bool = False, most: int = 1000) -> int:
    """Play a worker: lease what is ready in a store, and report that it is done, or has failed, until nothing is.

    Output operations return ``result``. Return how many parameter sets it were, at most ``most``.
    """
    return asyncio.run(_play(url, result, fail, most))


async def _play(url: str, result: dict[str, Any] | None, fail: bool, most: int) -> int:
    backend = RedisBackend(Client(url))
    await backend.client.load()
    reports: list[Report] = []
    many = 0
    try:
        while True:
            leased, _ = await backend.implementations.exchange("plays", reports, most - many)
            many += len(leased)
            reports = []
            for one in leased:
                operation = one.operation
                failure = OperationFailure("Exception", "no", operation.instance, operation.name, one.arguments())
                done = Completed(one, result if operation.stage is Stage.OUTPUT else None)
                reports.append(Failed(one, failure) if fail else done)
            if not leased:
                return many
    finally:
        await backend.implementations.lose("plays")
        await backend.shut()
