"""`worker` becomes a worker: it runs what is submitted, finds code, and ends in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import DEADLINE, FLOWS

Cli = Callable[..., Any]
Background = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_what_is_submitted_and_ends_in_good_order(
    number: signal.Signals, background: Background, cli: Cli, store: str, tmp_path: Path
) -> None:
    process = background("worker", "--runners", "1", "--path", str(FLOWS), TIDEMILL_BACKEND=store, cwd=tmp_path)
    assert cli("submit", "flow.yaml", "-i", "name=Ada", "--backend", store, cwd=FLOWS).code == 0
    result = cli("results", "default", "--wait", "-o", "jsonl", "--backend", store)
    assert json.loads(result.out)["result"] == {"greeting": ["Hello, Ada!"]}
    assert json.loads(cli("watch", "--once", "-o", "jsonl", "--backend", store).out)["workers"] == 1
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "has ended; 0 parameter sets were handed back" in err
    assert json.loads(cli("watch", "--once", "-o", "jsonl", "--backend", store).out)["workers"] == 0


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What this process would have become."""
    found: list[Any] = []
    monkeypatch.setattr("os.execve", lambda *arguments: found.append(arguments))
    return found


def test_what_it_becomes_has_the_url_in_its_environment_only(cli: Cli, replaced: list[Any], tmp_path: Path) -> None:
    url = "redis://:s3cr3t@host:6379/1"
    options = ("--pool", "gpu", "--slots", "8", "--runners", "2", "--http", "[::1]:0", "--path", str(tmp_path))
    assert cli("worker", "--backend", url, *options).code == 0
    ((program, argv, environment),) = replaced
    assert program == argv[0]
    assert argv[1:] == [
        "-m", "tidemill_worker", "--pool=gpu", "--runners=2", "--slots=8", "--host=::1", "--port=0",
    ]  # fmt: skip
    assert environment["TIDEMILL_STORE"] == url
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)


def test_what_is_not_said_is_left_to_the_worker(cli: Cli, replaced: list[Any]) -> None:
    assert cli("worker", "--backend", "redis://host").code == 0
    assert replaced[0][1][1:] == ["-m", "tidemill_worker", "--port=-1"]


@pytest.mark.parametrize("said", ["8080", "host:", "host:70000", ":80", "a b:80"])
def test_an_address_that_is_none_is_refused(said: str, cli: Cli, replaced: list[Any]) -> None:
    result = cli("worker", "--backend", "redis://host", "--http", said)
    assert (result.code, replaced) == (2, [])
    assert "expected HOST:PORT, as in 127.0.0.1:8080" in result.err


def test_what_it_needs_is_named_where_it_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "aiohttp" else find(name))
    result = cli("worker", "--backend", "redis://host")
    assert result.code == 1
    assert "pip install 'tidemill[worker]'" in result.err
