"""`submit` opens contexts in a store, prints their names, and leaves them to others."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.cli.support import DEADLINE, FLOWS, play

Cli = Callable[..., Any]


@pytest.fixture
def submit(cli: Cli, store: str) -> Cli:
    """Submit in the folder of the flows."""
    return lambda *arguments: cli("submit", *arguments, "--backend", store, cwd=FLOWS)


def names(result: Any) -> list[str]:
    return [json.loads(line)["context"] for line in result.out.splitlines()]


def test_names_are_printed_and_the_contexts_are_open(submit: Cli, store: str) -> None:
    result = submit("flow.yaml", "--inputs", "people.jsonl", "-o", "jsonl")
    assert (result.code, names(result)) == (0, ["people.jsonl:1", "both"])
    assert {json.loads(line)["status"] for line in result.out.splitlines()} == {"open"}
    assert result.err == "2 contexts opened; tidemill results --wait prints what becomes of them\n"
    assert play(store) == 5


def test_a_table_and_an_array_have_the_same_names(submit: Cli) -> None:
    assert submit("flow.yaml", "-i", "name=Ada").out == "context  status\ndefault  open\n"
    result = submit("flow.yaml", "-i", "name=Ada", "--name", "ada", "-o", "json", "-q")
    assert json.loads(result.out) == [{"context": "ada", "status": "open"}]
    assert result.err == ""


def test_a_name_that_is_taken_is_refused_and_what_was_opened_before_stays(submit: Cli, store: str) -> None:
    assert submit("flow.yaml", "-i", "name=Ada", "--name", "both").code == 0
    result = submit("flow.yaml", "--inputs", "people.jsonl", "-o", "jsonl")
    assert (result.code, names(result)) == (3, ["people.jsonl:1"])
    assert "1 context opened" in result.err
    assert 'error: DuplicateContext\n  there is a context "both" already' in result.err
    assert play(store) == 4


def test_whatever_was_on_its_way_is_named_if_it_was_opened(submit: Cli, store: str, tmp_path: Path) -> None:
    people = tmp_path / "many.jsonl"
    people.write_text(
        "".join(json.dumps({"context": f"c{at}", "inputs": {"name": "Ada"}}) + "\n" for at in range(2000))
    )
    assert submit("flow.yaml", "-i", "name=Ada", "--name", "c100").code == 0
    result = submit("flow.yaml", "--inputs", str(people), "-o", "jsonl")
    assert result.code == 3
    assert "never retrieved" not in result.err
    assert len(names(result)) >= 100
    with Redis.from_url(store) as look:
        opened = {name.decode() for name in look.hkeys("{tm1:0}:names")}
    assert opened == {*names(result), "c100"}


def test_an_input_that_is_refused_opens_nothing(submit: Cli, store: str) -> None:
    result = submit("flow.yaml", "-i", "nme=Ada")
    assert (result.code, result.out) == (3, "")
    assert "UnknownDefinition" in result.err
    assert play(store) == 0


def test_each_context_of_a_pipe_is_opened_before_the_next_is_read(
    background: Callable[..., subprocess.Popen[str]], store: str
) -> None:
    process = background(
        "submit", "flow.yaml", "--inputs", "-", "-o", "jsonl", "--backend", store, said=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for number in (1, 2):
        process.stdin.write(json.dumps({"context": f"c{number}", "inputs": {"name": "Ada"}}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["context"] == f"c{number}"
    process.stdin.write("{\n")
    process.stdin.close()
    assert process.wait(DEADLINE) == 3
    assert play(store) == 4


@pytest.mark.parametrize(("said", "seconds"), [("90", 90), ("1.5m", 90), ("12h", 43200), ("2d", 172800)])
def test_the_retention_goes_with_the_contexts(said: str, seconds: float, submit: Cli, store: str) -> None:
    assert submit("flow.yaml", "-i", "name=Ada", "--retention", said).code == 0
    play(store)
    with Redis.from_url(store) as look:
        assert look.zscore("{tm1:0}:due:", "cdefault") == -seconds


@pytest.mark.parametrize("said", ["soon", "-1", "7w", "1e3", ""])
def test_a_retention_that_is_no_time_is_refused(said: str, submit: Cli) -> None:
    result = submit("flow.yaml", "-i", "name=Ada", f"--retention={said}")
    assert result.code == 2
    assert "expected a number with s, m, h or d, as in 12h or 7d" in result.err


def test_a_name_is_for_one_context(submit: Cli) -> None:
    result = submit("flow.yaml", "--inputs", "people.jsonl", "--name", "ada")
    assert result.code == 2
    assert "--name is for one context without inputs of its own" in result.err


def test_a_flow_that_only_this_process_could_run_is_refused(submit: Cli) -> None:
    result = submit("numbers_flows:unwritable", "-i", "number=1")
    assert (result.code, result.out) == (3, "")
    assert '"thing": the value cannot be sent to a store' in result.err


def test_waiting_prints_results_as_run_does(background: Callable[..., subprocess.Popen[str]], store: str) -> None:
    process = background("submit", "flow.yaml", "-i", "name=Ada", "--wait", "-o", "jsonl", "--backend", store)
    assert process.stderr is not None
    line = process.stderr.readline()
    while "no worker serves" not in line:
        line = process.stderr.readline()
    assert line == 'waiting: no worker serves the pool "default"; start one: tidemill worker --pool default\n'
    play(store, {"greeting": ["played"]})
    out, _ = process.communicate(timeout=DEADLINE)
    assert json.loads(out) == {"context": "default", "status": "succeeded", "result": {"greeting": ["played"]}}
    assert process.returncode == 0
