"""`watch` shows what a store is at: lines, JSON lines, a picture; and ends with the contexts that it was told of."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.support import DEADLINE, FLOWS, play
from tests.cli.test_terminal import Terminal

Cli = Callable[..., Any]
NO_WORKERS = 'no worker serves the pool "default"; start one: tidemill worker --pool default'


@pytest.fixture
def watch(cli: Cli, store: str) -> Cli:
    """Watch once."""
    return lambda *arguments: cli("watch", "--once", "--backend", store, *arguments)


@pytest.fixture
def submit(cli: Cli, store: str) -> Cli:
    """Submit one context of a name."""
    return lambda name: cli("submit", "flow.yaml", "-i", "name=Ada", "--name", name, "--backend", store, cwd=FLOWS)


def test_an_empty_store_is_one_line(watch: Cli) -> None:
    result = watch()
    assert (result.code, result.out) == (0, "contexts: 0 open, 0 succeeded, 0 failed; 0 workers\n")


def test_counts_and_reasons_are_lines(watch: Cli, submit: Cli, store: str) -> None:
    submit("a")
    submit("b")
    assert watch().out == (
        "contexts: 2 open, 0 succeeded, 0 failed; 0 workers; 2 ready in default\n"
        f"  waiting: NoWorkers: 2: {NO_WORKERS}\n"
        "  greet: 2 taken, 2 dispatched\n"
    )
    play(store, fail=True, most=1)
    play(store, {"greeting": []})
    assert watch().out == (
        "contexts: 0 open, 1 succeeded, 1 failed; 0 workers\n"
        "  get_multi: 1 taken, 1 dispatched, 1 leased, 1 completed\n"
        "  greet: 2 taken, 2 dispatched, 2 leased, 1 completed, 1 failed\n"
    )


def test_machines_get_an_object_for_each_look(watch: Cli, submit: Cli) -> None:
    submit("a")
    said = json.loads(watch("-o", "jsonl").out)
    assert said["contexts"] == {"open": 1, "succeeded": 0, "failed": 0}
    assert said["pools"] == {"default": {"ready": 1, "processes": 0}}
    assert said["waits"] == [{"reason": "NoWorkers", "many": 1, "said": NO_WORKERS}]
    (greet,) = said["operations"]
    assert (greet["operation"], greet["pool"], greet["taken"]) == ("greet", "default", 1)
    (context,) = said["open"]
    assert (context["name"], context["stage"], context["open"]) == ("a", "processing", 1)


def test_contexts_that_are_named_say_how_they_ended(watch: Cli, submit: Cli, store: str) -> None:
    submit("a")
    assert watch("a").code == 0
    play(store, fail=True)
    result = watch("a", "-o", "jsonl")
    assert result.code == 1
    assert json.loads(result.out.splitlines()[0]) == {"context": "a", "status": "failed", "failure": "Exception"}
    result = watch("nobody")
    assert result.code == 3
    assert 'there is no context "nobody"' in result.err


def test_it_ends_when_the_named_contexts_have(
    submit: Cli, store: str, background: Callable[..., subprocess.Popen[str]]
) -> None:
    submit("a")
    process = background("watch", "a", "--backend", store)
    assert process.stdout is not None
    assert process.stdout.readline() == "contexts: 1 open, 0 succeeded, 0 failed; 0 workers; 1 ready in default\n"
    play(store, {"greeting": []})
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (0, "")
    assert "a: ok\ncontexts: 0 open, 1 succeeded, 0 failed; 0 workers\n" in out


def test_a_terminal_shows_a_picture_until_ctrl_c(submit: Cli, store: str) -> None:
    submit("a")
    with contextlib.closing(Terminal("watch", "--backend", store)) as terminal:
        terminal.read_until(lambda text: "NoWorkers" in text and "greet" in text and "processing" in text)
        play(store, {"greeting": []})
        terminal.read_until(lambda text: "1 succeeded" in text)
        terminal.process.send_signal(signal.SIGINT)
        code, text = terminal.finish()
    assert code == 130
    assert "\x1b[?25h" in text  # the cursor is there again
