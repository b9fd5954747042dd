"""``tidemill events``: what happened, from a file and from a store; ``--journal`` of what runs over a store."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.support import FLOWS
from tidemill.backends.redis.embedded import EmbeddedStore

ON = ("flow.yaml", "--input", "name=Ada", "--name", "ada", "-q")


@pytest.fixture(scope="module")
def url() -> Any:
    """A store of this machine."""
    with EmbeddedStore(durability="none") as store:
        yield store.url


def test_events_of_a_file_are_lines_with_arrows_to_their_causes(cli: Callable[..., Any]) -> None:
    lines = cli("events", "--journal", str(FLOWS / "run.jsonl")).out.splitlines()
    assert len(lines) == 15
    assert lines[3].split() == ["4", "<-", "3", "taken", "greet(#1)"]
    assert lines[6].split()[:6] == ["7", "<-", "6", "input", "#2", "greeting"]
    later = cli("events", "ada", "--journal", str(FLOWS / "run.jsonl"), "--after", "13", "-o", "jsonl").out
    assert [json.loads(line)["id"] for line in later.splitlines()] == [14, 15]


def test_a_run_over_a_store_writes_the_same_journal_and_leaves_none_there(
    cli: Callable[..., Any], tmp_path: Any, url: str
) -> None:
    path = str(tmp_path / "run.jsonl")
    store = ("--backend", url, "--durability", "none")
    assert cli("run", *ON, "--journal", path, *store, cwd=FLOWS).code == 0
    mine = cli("lineage", "ada", "--journal", path).out
    assert mine == cli("lineage", "ada", "--journal", str(FLOWS / "run.jsonl")).out
    gone = cli("events", "ada", *store)
    assert (gone.code, gone.out) == (3, "")
    assert "error: NoJournal" in gone.err


def test_events_and_lineage_come_from_a_store(cli: Callable[..., Any], url: str) -> None:
    store = ("--backend", url, "--durability", "none")
    assert (
        cli("submit", "flow.yaml", "--input", "name=Bob", "--name", "bob", "-q", "--journal", *store, cwd=FLOWS).code
        == 0
    )
    assert cli("events", "bob", *store).out.splitlines()[-1].split() == ["5", "<-", "4", "dispatched", "greet(#1)"]
    assert cli("run", *ON, *store, cwd=FLOWS).code == 0  # which runs what is ready, too
    assert cli("results", "bob", "--wait", *store).code == 0
    followed = cli("events", "bob", "--after", "5", "--follow", "-o", "jsonl", *store).out.splitlines()
    assert [json.loads(line)["kind"] for line in (followed[0], followed[-1])] == ["leased", "ended"]
    assert 'bob = {"greeting": ["Hello, Bob!"]}' in cli("lineage", "bob", *store).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ada"], "--journal FILE"),
        (["ada", "--journal", str(FLOWS / "run.jsonl"), "--follow"], "--follow needs a store"),
        (["--backend", "redis://localhost:1"], "Missing argument 'CONTEXT'"),
    ],
)
def test_where_events_come_from_has_to_be_said(cli: Callable[..., Any], arguments: list[str], said: str) -> None:
    result = cli("events", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_a_context_that_a_file_does_not_tell_of_is_said(cli: Callable[..., Any]) -> None:
    result = cli("events", "grace", "--journal", str(FLOWS / "run.jsonl"))
    assert result.code == 3
    assert "NoJournal" in result.err
