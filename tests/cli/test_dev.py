"""`dev` starts a store and workers on this machine, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import DEADLINE, FLOWS

Cli = Callable[..., Any]
Background = Callable[..., subprocess.Popen[str]]


def url_of(process: subprocess.Popen[str]) -> str:
    """The URL that it prints, as a shell would read it."""
    assert process.stdout is not None
    line = process.stdout.readline()
    name, _, value = shlex.split(line)[1].partition("=")
    assert (line.split()[0], name) == ("export", "TIDEMILL_BACKEND")
    return value


def family(pid: int) -> set[int]:
    """All processes below one."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            found |= {int(child)} | family(int(child))
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: set[int]) -> None:
    """Wait until none of these processes is left."""
    deadline = time.monotonic() + DEADLINE
    while any(map(lives, pids)):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if lives(pid)]}"


def run(cli: Cli, url: str, name: str) -> None:
    """Submit, and wait for the result: then every worker has been at work, or could have been."""
    assert cli("submit", "flow.yaml", "-i", "name=Ada", "--name", name, "--backend", url, cwd=FLOWS).code == 0
    result = cli("results", name, "--wait", "-o", "jsonl", "--backend", url)
    assert json.loads(result.out)["result"] == {"greeting": ["Hello, Ada!"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(
    number: signal.Signals, background: Background, cli: Cli, tmp_path: Path
) -> None:
    process = background("dev", str(FLOWS / "flow.yaml"), "--workers", "2", cwd=tmp_path)
    url = url_of(process)
    run(cli, url, "a")
    pids = family(process.pid)
    assert len(pids) >= 4  # the store, two workers, and a runner at least
    process.send_signal(number)
    assert process.wait(DEADLINE) == (-number if number == signal.SIGKILL else 0)
    gone(pids)
    if number != signal.SIGKILL:
        assert not os.path.exists(url.removeprefix("unix://"))


def test_a_folder_keeps_what_was_stored(background: Background, cli: Cli, tmp_path: Path) -> None:
    for again in (False, True):
        process = background("dev", "--workers", "1", "--folder", str(tmp_path / "kept"))
        url = url_of(process)
        if again:
            assert cli("results", "a", "--backend", url).code == 0
        else:
            run(cli, url, "a")
        process.terminate()
        _, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0
        assert "tidemill submit FLOW --input NAME=VALUE" in err


def test_a_flow_that_is_wrong_starts_nothing(cli: Cli) -> None:
    result = cli("dev", "missing.yaml")
    assert (result.code, result.out) == (3, "")
    assert "missing.yaml" in result.err


def test_workers_that_end_by_themselves_end_it(background: Background, tmp_path: Path) -> None:
    process = background("dev", "--workers", "1", TIDEMILL_LEASE="never")
    url_of(process)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "TIDEMILL_LEASE" in err
    assert err.endswith("error: WorkersEnded\n  all workers have ended by themselves; what they said stands above\n")
