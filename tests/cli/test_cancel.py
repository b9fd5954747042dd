"""`cancel` ends contexts of a store as failed; one that has ended stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.cli.support import FLOWS, play

Cli = Callable[..., Any]


def submit(cli: Cli, store: str, *names: str) -> None:
    for name in names:
        assert cli("submit", "flow.yaml", "-i", "name=Ada", "--name", name, "--backend", store, cwd=FLOWS).code == 0


def test_what_is_open_ends_as_cancelled_and_the_others_go_on(cli: Cli, store: str) -> None:
    submit(cli, store, "a", "b")
    result = cli("cancel", "a", "--backend", store)
    assert (result.code, result.out, result.err) == (0, "context  status\na        cancelled\n", "")
    play(store, {"greeting": []})
    result = cli("results", "-o", "jsonl", "--backend", store)
    found = {one["context"]: one for one in map(json.loads, result.out.splitlines())}
    assert result.code == 1
    assert found["a"]["failure"]["reason"] == "Cancelled"
    assert found["b"]["status"] == "succeeded"


def test_one_that_has_ended_stays_and_one_that_nobody_knows_is_exit_code_3(cli: Cli, store: str) -> None:
    submit(cli, store, "a", "b")
    play(store, {"greeting": []}, most=4)
    result = cli("cancel", "a", "nobody", "-o", "jsonl", "--backend", store)
    assert result.code == 3
    assert json.loads(result.out) == {"context": "a", "status": "ended before"}
    assert result.err == 'error: RunGone\n  there is no context "nobody": it was never opened, or has been forgotten\n'
    assert json.loads(cli("results", "a", "-o", "jsonl", "--backend", store).out)["status"] == "succeeded"


def test_a_name_is_needed(cli: Cli, store: str) -> None:
    result = cli("cancel", "--backend", store)
    assert result.code == 2
    assert "Missing argument 'NAME…'" in result.err
