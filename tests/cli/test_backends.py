"""`--backend` says where contexts live: what is no store, or none to use, is refused; `run` is the same over one."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import DEADLINE, FLOWS, play
from tests.cli.test_terminal import Terminal
from tidemill.backends.redis.embedded import EmbeddedStore

Cli = Callable[..., Any]
Background = Callable[..., subprocess.Popen[str]]

STORED = {
    "submit": ["flow.yaml", "-i", "name=Ada"],
    "results": [],
    "watch": ["--once"],
    "cancel": ["a"],
    "worker": [],
}
"""Verbs that need a store, with as little as they can do with."""
WITH_RUN = {**STORED, "run": ["flow.yaml", "-i", "name=Ada"]}


def test_a_run_over_a_store_prints_what_one_in_memory_does(cli: Cli, tmp_path: Path) -> None:
    arguments = ("run", "flow.yaml", "--inputs", "people.jsonl", "-o", "json", "-q")
    said = [
        json.loads(cli(*arguments, *more, cwd=FLOWS).out)
        for more in ([], ["--backend", "memory"], ["--backend", "embedded"], ["--backend", f"embedded:{tmp_path}/kept"])
    ]
    for each in said:
        assert sorted(each, key=lambda one: str(one["context"])) == sorted(said[0], key=lambda one: str(one["context"]))
    assert (tmp_path / "kept").is_dir()


def test_the_environment_says_where(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_BACKEND", store)
    assert cli("submit", "flow.yaml", "-i", "name=Ada", cwd=FLOWS).code == 0
    result = cli("run", "flow.yaml", "-i", "name=Ada")
    assert result.code == 3
    assert "DuplicateContext" in result.err
    assert cli("run", "flow.yaml", "-i", "name=Ada", "--backend", "memory").code == 0


@pytest.mark.parametrize("verb", sorted(STORED))
def test_a_store_has_to_be_named(verb: str, cli: Cli) -> None:
    result = cli(verb, *STORED[verb], cwd=FLOWS)
    assert result.code == 2
    assert "Missing option '--backend' (env var: 'TIDEMILL_BACKEND')" in result.err


@pytest.mark.parametrize("verb", sorted(STORED))
@pytest.mark.parametrize("backend", ["memory", "embedded"])
def test_one_that_others_cannot_use_is_refused(verb: str, backend: str, cli: Cli) -> None:
    result = cli(verb, *STORED[verb], "--backend", backend, cwd=FLOWS)
    assert (result.code, result.out) == (3, "")
    assert f'error: NotShared\n  "{backend}" ends with the command that starts it' in result.err


def test_a_worker_needs_one_that_runs(cli: Cli, tmp_path: Path) -> None:
    result = cli("worker", "--backend", f"embedded:{tmp_path}")
    assert result.code == 3
    assert "NotShared" in result.err


@pytest.mark.parametrize("verb", sorted(WITH_RUN))
def test_what_is_no_url_is_refused_without_its_password(verb: str, cli: Cli) -> None:
    result = cli(verb, *WITH_RUN[verb], "--backend", "redsi://:s3cr3t@host", cwd=FLOWS)
    assert (result.code, result.out) == (3, "")
    assert "error: InvalidStoreURL\n" in result.err
    assert "s3cr3t" not in result.err


@pytest.mark.parametrize("verb", sorted(set(WITH_RUN) - {"worker"}))
def test_one_that_cannot_be_reached_is_exit_code_1_without_its_password(verb: str, cli: Cli) -> None:
    result = cli(verb, *WITH_RUN[verb], "--backend", "redis://:s3cr3t@127.0.0.1:1", cwd=FLOWS)
    assert (result.code, result.out) == (1, "")
    assert "error: StoreUnavailable\n  the store at redis://***@127.0.0.1:1 cannot be asked" in result.err
    assert "s3cr3t" not in result.err


def test_one_that_would_lose_work_has_to_be_chosen_by_name(cli: Cli) -> None:
    arguments = ("run", "flow.yaml", "-i", "name=Ada", "-q")
    with EmbeddedStore(durability="fast") as store:
        result = cli(*arguments, "--backend", store.url, cwd=FLOWS)
        assert (result.code, result.out) == (1, "")
        assert "error: NotDurable\n" in result.err
        assert cli(*arguments, "--backend", store.url, "--durability", "fast").code == 0


def test_what_is_missing_to_talk_to_a_store_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = cli("run", "flow.yaml", "-i", "name=Ada", "--backend", "redis://host", cwd=FLOWS)
    assert result.code == 1
    assert "pip install 'tidemill[worker]'" in result.err


def test_a_store_cannot_repeat_an_order(cli: Cli) -> None:
    result = cli("run", "flow.yaml", "--backend", "embedded", "--seed", "1", cwd=FLOWS)
    assert result.code == 2
    assert "only --backend memory can repeat an order" in result.err


def test_a_failure_is_said_as_in_memory(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))
    arguments = ("run", "numbers_flows:doubling", "-i", "number=13", "-q", "-v", "-o", "jsonl")
    said = [cli(*arguments, "--backend", backend) for backend in ("memory", "embedded")]
    assert [each.code for each in said] == [1, 1]
    assert said[0].out == said[1].out
    assert "ValueError: 13 is unlucky" in said[1].err


def test_a_run_that_is_left_to_others_waits_for_them_and_says_so(background: Background, store: str) -> None:
    process = background("run", "flow.yaml", "-i", "name=Ada", "--workers", "0", "--backend", store, "-o", "jsonl")
    assert process.stderr is not None
    while "waiting: no worker serves the pool" not in process.stderr.readline():
        assert process.poll() is None
    assert play(store, {"greeting": ["played"]}) == 2
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, json.loads(out)["result"]) == (0, {"greeting": ["played"]})
    assert "1 context: 1 succeeded, 0 failed; 2 operations run in" in err


def test_a_signal_lets_open_contexts_clean_up(background: Background, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    arguments = ("-i", f"path={folder}", "--progress", "off", "--backend", "embedded")
    process = background("run", "numbers_flows:holding", *arguments)
    assert process.stderr is not None
    assert process.stderr.readline() == f"made {folder}\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert not folder.exists()
    assert err.startswith("interrupted: 0 contexts: 0 succeeded, 0 failed, 1 not finished; ")


def test_a_terminal_shows_live_progress() -> None:
    arguments = ("run", "numbers_flows:waiting", "-i", "number=2", "--backend", "embedded")
    with contextlib.closing(Terminal(*arguments)) as terminal:
        terminal.read_until(lambda text: "0 of 1 contexts done" in text and "0 done of 1" in text)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish()[0] == 130
