"""``tidemill run --journal`` and ``tidemill lineage``: from a result to the seeds, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS
from tidemill.journal.event import Event
from tidemill.journal.rebuilt import rebuilt

TREE = """\
ada = {"greeting": ["Hello, Ada!"]}
├─ get_multi(spec=#0)
│  └─ #0 get_multi_spec = ["greeting"] (seed)
└─ #2 greeting = Hello, Ada! (greet.greeting)
   └─ greet(name=#1)
      └─ #1 name = Ada (seed)
"""


@pytest.fixture
def journal(cli: Callable[..., Any], tmp_path: Path) -> str:
    """The journal of one run of the greeting."""
    path = str(tmp_path / "run.jsonl")
    ran = cli("run", "flow.yaml", "--input", "name=Ada", "--name", "ada", "--journal", path, "-q", cwd=FLOWS)
    assert ran.code == 0, ran.err
    return path


def test_a_run_writes_every_change_of_state(journal: str) -> None:
    events = [Event.of(json.loads(line)) for line in Path(journal).read_text().splitlines()]
    state = rebuilt(events)
    assert (state.context, state.status, state.result) == ("ada", "succeeded", {"greeting": ["Hello, Ada!"]})
    assert state.counts["greet"] == {
        "taken": 1,
        "dispatched": 1,
        "leased": 1,
        "completed": 1,
        "failed": 0,
        "retried": 0,
    }
    assert [record.definition for record in state.lineage()] == ["get_multi_spec", "name", "greeting"]


def test_the_journal_that_examples_read_is_that_of_a_run(journal: str) -> None:
    assert Path(journal).read_text() == (FLOWS / "run.jsonl").read_text()


def test_a_result_is_walked_back_to_the_seeds(cli: Callable[..., Any], journal: str) -> None:
    assert cli("lineage", "ada", "--journal", journal).out == TREE
    assert cli("lineage", "--journal", journal).out == TREE


@pytest.mark.parametrize("of", ["name", "#1", "1"])
def test_an_input_is_walked_forward_to_what_came_of_it(cli: Callable[..., Any], journal: str, of: str) -> None:
    result = cli("lineage", "ada", "--journal", journal, "--forward", "--of", of)
    assert result.out.splitlines() == [
        "#1 name = Ada (seed)",
        "└─ greet(name=#1)",
        "   └─ #2 greeting = Hello, Ada! (greet.greeting)",
        '      └─ ada = {"greeting": ["Hello, Ada!"]}',
    ]


def test_lineage_is_json_and_mermaid_too(cli: Callable[..., Any], journal: str) -> None:
    found = json.loads(cli("lineage", "ada", "--journal", journal, "--format", "json", "--of", "greet.greeting").out)
    assert [node["id"] for node in found["nodes"]] == ["ada#2", "ada:greet(1)", "ada#1"]
    assert sorted(found["edges"]) == [["ada#1", "ada:greet(1)"], ["ada:greet(1)", "ada#2"]]
    assert [node["value"] for node in found["nodes"] if node["kind"] == "input"] == ["Hello, Ada!", "Ada"]
    drawing = cli("lineage", "ada", "--journal", journal, "--format", "mermaid").out.splitlines()
    assert drawing[0] == "graph TD"
    assert len([line for line in drawing if "-->" in line]) == 5


def test_what_came_of_one_context_is_told_by_its_name(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = str(tmp_path / "many.jsonl")
    assert cli("run", "flow.yaml", "--inputs", "people.jsonl", "--journal", path, "-q", cwd=FLOWS).code == 0
    result = cli("lineage", "--journal", path)
    assert (result.code, result.out) == (2, "")
    assert "the journal has" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "NoJournal"),
        (["ada", "--of", "nothing"], "NotInJournal"),
        (["ada", "--format", "png"], "'png' is not one of"),
    ],
)
def test_what_there_is_nothing_of_is_said(
    cli: Callable[..., Any], journal: str, arguments: list[str], said: str
) -> None:
    result = cli("lineage", *arguments, "--journal", journal)
    assert (result.code, result.out) == (3 if said.startswith("No") else 2, "")
    assert said in result.err


@pytest.mark.parametrize(
    ("text", "reason"),
    [(b"{}\n", "NotAnEvent"), (b"nonsense\n", "MalformedJson"), (b"[1]\n", "NotAnEvent"), (b"\xff\n", "MalformedJson")],
)
def test_a_file_that_is_no_journal_is_refused(
    cli: Callable[..., Any], tmp_path: Path, text: bytes, reason: str
) -> None:
    (tmp_path / "run.jsonl").write_bytes(text)
    result = cli("lineage", "ada", "--journal", str(tmp_path / "run.jsonl"))
    assert (result.code, result.out) == (3, "")
    assert f"error: {reason} at {tmp_path / 'run.jsonl'}:1" in result.err


def test_what_a_killed_run_has_left_of_its_last_line_is_passed_over(cli: Callable[..., Any], journal: str) -> None:
    whole = Path(journal).read_bytes()
    Path(journal).write_bytes(whole[:-20])
    result = cli("lineage", "ada", "--journal", journal, "--forward")
    assert result.code == 0
    assert "#1 name = Ada (seed)" in result.out


def test_a_journal_that_cannot_be_written_is_said_before_anything_runs(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "run.jsonl"
    result = cli("run", "flow.yaml", "--input", "name=Ada", "--journal", str(path), cwd=FLOWS)
    assert (result.code, result.out) == (3, "")
    assert "error: CannotWrite" in result.err


def test_a_source_has_to_be_named(cli: Callable[..., Any]) -> None:
    result = cli("lineage", "ada")
    assert result.code == 2
    assert "--journal FILE" in result.err
