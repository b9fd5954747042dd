"""`results` prints what became of contexts in a store, which stays there for others; the exit code says how it went."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from tests.cli.support import DEADLINE, FLOWS, play

Cli = Callable[..., Any]
RESULT = {"greeting": ["played"]}


@pytest.fixture
def asked(cli: Cli, store: str) -> Cli:
    """Ask for results; the names before ``--`` are submitted first."""

    def call(*arguments: str, submitted: tuple[str, ...] = ()) -> Any:
        for name in submitted:
            assert cli("submit", "flow.yaml", "-i", "name=Ada", "--name", name, "--backend", store, cwd=FLOWS).code == 0
        return cli("results", *arguments, "--backend", store)

    return call


def records(result: Any) -> dict[str, Any]:
    found = [json.loads(line) for line in result.out.splitlines()]
    return {each["context"]: each for each in found}


def test_an_empty_store_says_so(asked: Cli) -> None:
    result = asked()
    assert (result.code, result.out, result.err) == (0, "", "no endings are kept here\n")


def test_all_that_have_ended_are_printed_again_and_again(asked: Cli, store: str) -> None:
    asked(submitted=("a", "b"))
    play(store, RESULT)
    asked(submitted=("c",))
    for _ in range(2):
        result = asked("-o", "jsonl")
        assert result.code == 0
        assert {name: one["result"] for name, one in records(result).items()} == {"a": RESULT, "b": RESULT}
    assert asked("a").out == "context  status  greeting\n" + 'a        ok      ["played"]\n'
    assert json.loads(asked("b", "-o", "json").out)[0]["status"] == "succeeded"


def test_a_failure_is_exit_code_1_and_says_what_failed(asked: Cli, store: str) -> None:
    asked(submitted=("a",))
    play(store, fail=True)
    result = asked("a", "-o", "jsonl")
    assert result.code == 1
    assert records(result)["a"]["failure"]["reason"] == "Exception"
    assert result.err == "failed: a\n  operation: greet (package.flows:greet)\n  inputs: name='Ada'\n  Exception: no\n"


def test_a_name_that_nobody_knows_is_exit_code_3(asked: Cli, store: str) -> None:
    asked(submitted=("a",))
    play(store, RESULT)
    for more in ((), ("--wait",)):
        result = asked("nobody", "a", "-o", "jsonl", *more)
        assert (result.code, set(records(result))) == (3, {"a"})
        assert result.err == (
            'error: RunGone\n  there is no context "nobody": it was never opened, or has been forgotten\n'
        )


def test_one_that_is_open_is_exit_code_6_unless_it_is_waited_for(asked: Cli) -> None:
    asked(submitted=("a",))
    result = asked("a")
    assert (result.code, result.out) == (6, "")
    assert result.err == 'error: StillOpen\n  the context "a" has not ended; --wait waits for it\n'
    assert asked().code == 0


def test_waiting_is_woken_by_the_end(asked: Cli, store: str, background: Callable[..., subprocess.Popen[str]]) -> None:
    asked(submitted=("a", "b"))
    play(store, RESULT, most=1)
    one = background("results", "--wait", "-o", "jsonl", "--backend", store)
    two = background("results", "a", "--wait", "-o", "jsonl", "--backend", store)
    wait_until_waiting(store, 2)
    play(store, RESULT)
    for process, names in ((one, {"a", "b"}), (two, {"a"})):
        out, err = process.communicate(timeout=DEADLINE)
        assert (process.returncode, err) == (0, "")
        assert {json.loads(line)["context"] for line in out.splitlines()} == names


def wait_until_waiting(store: str, processes: int) -> None:
    """Wait until so many processes wait for mail of a store."""
    deadline = time.monotonic() + DEADLINE
    with Redis.from_url(store) as look:
        while time.monotonic() < deadline:
            clients: list[Any] = look.client_list()
            if sum(client["cmd"] == "blmove" for client in clients) == processes:
                return
    raise AssertionError(f"{processes} processes did not wait within {DEADLINE} s")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_waiting(
    number: signal.Signals, code: int, asked: Cli, store: str, background: Callable[..., subprocess.Popen[str]]
) -> None:
    asked(submitted=("a",))
    process = background("results", "a", "--wait", "--backend", store)
    wait_until_waiting(store, 1)
    process.send_signal(number)
    assert process.wait(DEADLINE) == code
    play(store, RESULT)
    assert asked("a").code == 0


def test_what_has_been_printed_is_forgotten_where_that_is_asked_for(asked: Cli, store: str) -> None:
    asked(submitted=("a", "b"))
    play(store, RESULT)
    assert set(records(asked("a", "--forget", "-o", "jsonl"))) == {"a"}
    assert asked("a").code == 3
    assert set(records(asked("-o", "jsonl"))) == {"b"}
    asked(submitted=("a",))


def test_failures_that_were_survived_are_said_too(asked: Cli, store: str, cli: Cli) -> None:
    arguments = ("submit", "flow.yaml", "-i", "name=Ada", "--no-strict", "--backend", store)
    assert cli(*arguments, cwd=FLOWS).code == 0
    play(store, fail=True, most=1)
    play(store, RESULT)
    result = asked("-o", "jsonl")
    assert result.code == 1
    assert records(result)["default"]["status"] == "succeeded"
    assert records(result)["default"]["failures"][0]["message"] == "no"


def test_a_plan_that_the_store_has_lost_is_said_and_the_others_are_printed(asked: Cli, store: str, cli: Cli) -> None:
    asked(submitted=("a",))
    play(store, RESULT)
    with Redis.from_url(store) as look:
        look.delete(*look.keys("*:flow:*"))
    assert cli("submit", "numbers_flows:doubling", "-i", "number=1", "--backend", store, cwd=FLOWS).code == 0
    play(store, {"doubled": [2]})
    result = asked("-o", "jsonl")
    assert (result.code, set(records(result))) == (4, {"default"})
    assert "error: PlanNotStored\n  a: the store has no data flow of the plan" in result.err
