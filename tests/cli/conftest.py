"""Runs the command line in this process, and in one of its own."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS, Result, environment, started
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.cli.errors import guarded


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Result]]:
    """Call the command line in a folder of its own, and forget what it imported from there and where it logged to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def call(*arguments: str, cwd: Path | None = None) -> Result:
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capsys.readouterr()
        code = guarded(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    yield call
    root.setLevel(level)
    root.handlers[:] = handlers  # one of its own writes to the standard error of this test
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if name.split(".")[0] == "package" or file.startswith((str(tmp_path), str(FLOWS))):
            del sys.modules[name]


@pytest.fixture
def process() -> Callable[..., Result]:
    """Call the command line in a process of its own; ``said`` is its standard input."""

    def call(*arguments: str, cwd: Path = FLOWS, said: str | None = None, **more: str) -> Result:
        done = subprocess.run(
            ["tidemill", *arguments],
            cwd=cwd,
            env=environment(**more),
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def store() -> Iterator[str]:
    """The URL of a store of this machine, with nothing in it."""
    with EmbeddedStore() as embedded:
        yield embedded.url


@pytest.fixture
def background() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line in the folder of the flows and go on; whatever still runs at the end is killed."""
    with started() as begin:

        def with_environment(*arguments: str, cwd: Path = FLOWS, said: Any = None, **more: str) -> Any:
            return begin(*arguments, cwd=cwd, env=environment(**more), stdin=said)

        yield with_environment
