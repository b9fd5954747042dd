"""Over a store OpenLineage is told of a context when it begins, and not only when it has ended."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.backends.redis.stores import program_of
from tests.cli.support import DEADLINE, FLOWS
from tests.journal.test_openlineage import valid
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.journal.openlineage import run_id

Cli = Callable[..., Any]


@pytest.fixture(params=["redis", "valkey"])
def over(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a store; operations look for what was told in the file ``told``."""
    monkeypatch.syspath_prepend(str(FLOWS))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    (tmp_path / "told").touch()
    with EmbeddedStore(program=program_of(request.param)) as store:
        yield store.url


def lines(path: Path) -> list[dict[str, Any]]:
    return [valid(json.loads(line)) for line in path.read_text().splitlines()]


def states(said: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return job and state of each."""
    return [(event["job"]["name"].rpartition(":")[2], event["eventType"]) for event in said]


def test_a_context_is_told_of_when_it_begins_and_when_it_has_ended(over: str, cli: Cli, tmp_path: Path) -> None:
    options = ("--openlineage", f"file:{tmp_path / 'told'}", "--journal", "all.jsonl", "--backend", over)
    result = cli("run", "told_flows:waiting", "--name", "ada", "-inumber=1", *options)
    assert result.code == 0, result.err
    start, complete = lines(tmp_path / "told")
    assert states([start, complete]) == [("waiting", "START"), ("waiting", "COMPLETE")]
    assert start["run"]["runId"] == complete["run"]["runId"] == run_id("tidemill", "ada")
    assert [one["name"] for one in complete["outputs"]] == ["ada/result/seen"]
    events = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["kind"], events[-1]["kind"]) == ("opened", "ended")
    again = cli("run", "told_flows:waiting", "--name", "ada", "-inumber=2", *options)
    assert again.code == 0, again.err  # it has ended there, so its name is free, and nothing is told twice
    assert [state for _, state in states(lines(tmp_path / "told"))] == ["START", "COMPLETE"] * 2


def test_child_contexts_begin_after_the_one_above_them_and_end_before(over: str, cli: Cli, tmp_path: Path) -> None:
    # 3 is told when the context above and both below have begun; 13 fails then.
    given = {name: [{"value": number, "definition": "number"}] for name, number in (("good", 3), ("bad", 13))}
    options = ("--openlineage", f"file:{tmp_path / 'told'}", "--backend", over)
    result = cli("run", "told_flows:above", "--name", "ada", f"-iflow_inputs={json.dumps(given)}", *options)
    assert result.code == 1, result.err
    said = lines(tmp_path / "told")
    names = {run_id("tidemill", name): name for name in ("ada", "ada/below/good", "ada/below/bad")}
    told = [(names[event["run"]["runId"]], event["eventType"]) for event in said]
    assert (told[0], told[-1]) == (("ada", "START"), ("ada", "FAIL"))
    assert sorted(told[1:3]) == [("ada/below/bad", "START"), ("ada/below/good", "START")]
    assert sorted(told[3:5])[0] == ("ada/below/bad", "FAIL")
    assert len(told) == 6
    for event in said[1:5]:
        assert event["run"]["facets"]["parent"]["run"]["runId"] == run_id("tidemill", "ada")
        assert event["job"]["name"] == "told_flows:above.below"


def test_a_context_that_is_cancelled_has_failed_and_was_told_of_before(
    over: str, background: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    where = tmp_path / "told"
    options = ("--openlineage", f"file:{where}", "--backend", over, "--progress=off")
    process = background("run", "told_flows:waiting", "--name", "ada", "-inumber=9", *options)
    deadline = time.monotonic() + DEADLINE
    while not where.read_text().endswith("\n"):
        assert time.monotonic() < deadline and process.poll() is None, "nobody was told that it has begun"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)
    start, fail = lines(where)
    assert [state for _, state in states([start, fail])] == ["START", "FAIL"]
    assert fail["run"]["facets"]["errorMessage"]["message"].startswith("Cancelled: ")


def test_a_server_is_told_of_many_contexts_once_each(over: str, cli: Cli, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append(said)
            with open(tmp_path / "told", "a", encoding="utf-8") as file:
                file.write(json.dumps(said) + "\n")
            self.send_response(201)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    rows = [{"context": f"c{at}", "inputs": {"number": 5}} for at in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            where = f"http://127.0.0.1:{server.server_port}"
            options = ("--openlineage", where, "--max-contexts", "5", "--backend", over)
            result = cli("run", "told_flows:waiting", "--inputs", "rows.jsonl", *options)
        finally:
            server.shutdown()
            thread.join()
    assert result.code == 0, result.err
    by_run: dict[str, list[str]] = {}
    for event in told:
        by_run.setdefault(valid(event)["run"]["runId"], []).append(event["eventType"])
    assert by_run == {run_id("tidemill", f"c{at}"): ["START", "COMPLETE"] for at in range(12)}
    assert [event["eventType"] for event in told[:5]] == ["START"] * 5
