"""What operations count is said at the end of a run, written to a file, and served while it runs."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS, started
from tidemill.metrics import Histogram

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FLOWS))


def test_what_was_counted_is_said_at_the_end(cli: Cli) -> None:
    result = cli("run", "counting_flows:doubling", *(f"-inumber={n}" for n in (1, 2, 3)))
    assert result.code == 0
    assert "  numbers_total{operation=counting_flows:double, kind=odd}: 2\n" in result.err
    assert "  number_size{operation=counting_flows:double}: 3 values, mean 2, 95 % up to 3.08\n" in result.err


def test_only_so_much_is_said(cli: Cli) -> None:
    result = cli("run", "counting_flows:counting", "-inumber=1")
    assert result.err.count("numbers_total{") == 10
    assert "  … and 10 more; --record has all\n" in result.err


def test_a_record_has_what_was_counted_and_measured(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    result = cli("run", "counting_flows:doubling", "-inumber=1", "-inumber=2", "--record", str(path))
    assert result.code == 0
    record = json.loads(path.read_text(encoding="utf-8"))
    assert (record["tidemill"], record["version"]) == ("record", 1)
    assert record["contexts"] == {"open": 0, "succeeded": 1, "failed": 0}
    assert record["operations"]["counting_flows:double"]["completed"] == 2
    series = {(one["name"], *one["labels"].values()): one for one in record["metrics"]}
    assert series["numbers_total", "even"]["value"] == 1
    assert Histogram.of(series["tidemill_operation_seconds",]["value"]).count == 2
    assert record["plan"].startswith(f"sha256:{series['numbers_total', 'even']['dataflow']}")
    assert [entry.name for entry in tmp_path.iterdir() if "record" in entry.name] == ["record.json"]


def test_a_record_that_cannot_be_written_is_known_before_the_run(cli: Cli) -> None:
    result = cli("run", "counting_flows:doubling", "-inumber=1", "--record", "nowhere/record.json")
    assert result.code == 3
    assert "error: CannotWrite at --record" in result.err
    assert "0 operations run" in result.err or "operations run" not in result.err


def test_metrics_are_served_while_it_runs() -> None:
    with started() as begin:
        process = begin(
            "run", "counting_flows:doubling", "--inputs", "-", "--metrics-port", "0", "-o", "jsonl", stdin=-1
        )
        assert process.stdin is not None and process.stderr is not None and process.stdout is not None
        place = re.fullmatch(r"metrics at (http://127.0.0.1:\d+/metrics)\n", process.stderr.readline())
        assert place is not None
        process.stdin.write('{"number": 3}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["status"] == "succeeded"
        with urllib.request.urlopen(place[1], timeout=60) as answer:
            text = answer.read().decode()
        process.stdin.close()
        assert process.wait(60) == 0
    assert re.search(r'^numbers_total\{.*kind="odd".*\} 1.0$', text, re.M)
    assert re.search(
        r'^tidemill_operation_seconds_count\{dataflow="\w{12}",operation="counting_flows:double"\} 1.0$', text, re.M
    )


def test_what_workers_have_counted_is_said_with_results(cli: Cli, store: str) -> None:
    over = ("--backend", store)
    assert cli("run", "counting_flows:doubling", "--name", "one", "-inumber=3", *over).code == 0
    assert cli("submit", "counting_flows:doubling", "--name", "two", "-inumber=3", *over).code == 0
    assert cli("run", "counting_flows:doubling", "--name", "three", "-inumber=3", *over).code == 0
    result = cli("results", "two", "--wait", "--metrics", "-o", "jsonl", *over)
    assert (result.code, json.loads(result.out)["context"]) == (0, "two")
    assert re.search(r"^data flow \w{12}:$", result.err, re.M)
    assert "  numbers_total{operation=counting_flows:double, kind=odd}: 3\n" in result.err


def test_a_port_that_is_taken_is_said(cli: Cli) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = cli("run", "counting_flows:doubling", "-inumber=1", "--metrics-port", str(taken.getsockname()[1]))
    assert result.code == 3
    assert "error: PortTaken at --metrics-port" in result.err
