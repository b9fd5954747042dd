"""What operations count is said at the end of a run, written to a file, and served while it runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidemill
from tests.backends.redis.stores import program_of
from tests.cli.support import DEADLINE, FLOWS, started
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.measures import RedisMeasures
from tidemill.errors import StoreUnavailable
from tidemill.metrics import Histogram
from tidemill.metrics.measured import ENDED
from tidemill.orchestrator.redis import RedisOrchestrator

Cli = Callable[..., Any]
Background = Callable[..., subprocess.Popen[str]]


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
        assert process.wait(120) == 0
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


@pytest.mark.parametrize(("kind", "workers"), [("redis", 0), ("valkey", 1)])
def test_a_record_over_a_store_has_what_all_have_measured_once_each(
    kind: str, workers: int, background: Background, process: Cli, tmp_path: Path
) -> None:
    (tmp_path / "met").mkdir()
    path, numbers = tmp_path / "record.json", range(1, 13)
    with EmbeddedStore(program=program_of(kind)) as store:
        # Of one slot each, so all take part: nobody goes on before everybody is there.
        here = {"MEETING": f"{tmp_path / 'met'}:{2 + workers}", "TIDEMILL_BACKEND": store.url}
        begun = [background("worker", "--runners=1", "--slots=1", f"--path={FLOWS}", **here) for _ in range(2)]
        run = ("run", "counting_flows:meeting", "--backend", store.url, f"--workers={workers}", "--progress=off")
        for first in (100, 200):  # what came before is in the store as well, and in no record but its own
            given = [f"-inumber={first + number}" for number in numbers]
            done = process(*run, *given, "--record", str(path), **here)
            assert done.code == 0, done.err
            record = json.loads(path.read_text(encoding="utf-8"))
            series = {(one["name"], *one["labels"].values()): one for one in record["metrics"]}
            assert record["measured"] == "store"
            assert record["operations"]["counting_flows:meet"]["completed"] == 12
            assert series["tidemill_operation_calls_total", "completed"]["value"] == 12
            assert Histogram.of(series["tidemill_operation_seconds",]["value"]).count == 12
            assert series["numbers_total", "met"]["value"] == 12
            sizes = Histogram.of(series["number_size",]["value"])
            assert (sizes.count, sizes.sum) == (12, 12 * first + sum(numbers))
            assert {one["dataflow"] for one in record["metrics"]} == {record["plan"].removeprefix("sha256:")[:12]}
        for worker in begun:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(DEADLINE) for worker in begun] == [0, 0]
    assert len(os.listdir(tmp_path / "met")) >= 2 + workers


async def test_a_record_over_a_store_has_what_was_measured_of_the_flows_that_it_runs(store: str) -> None:
    from counting_flows import above  # type: ignore[import-not-found]

    given = {"outer": [{"value": 3, "definition": "number"}], "inner": [{"value": 4, "definition": "number"}]}
    async with RedisOrchestrator(store) as orchestrator, orchestrator(above) as octx:
        for _ in range(2):
            measured = await octx.measuring()
            outcomes = octx.outcomes([tidemill.Input(given, tidemill.run_dataflow.op.inputs["inputs"])])
            assert [outcome.failure async for outcome in outcomes] == [None]
            found, source = await measured()
            calls = {scope.operation: one.value for scope, one in found if one.kind.name == ENDED.name}
            assert (source, calls) == ("store", {"below": 1, "counting_flows:double": 2})
            assert len({scope.dataflow for scope, _ in found}) == 2


async def test_where_the_store_does_not_answer_a_record_is_of_this_process(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from counting_flows import doubling

    async def away(self: RedisMeasures, dataflow: str) -> dict[str, str]:
        raise StoreUnavailable("nobody there")

    async with RedisOrchestrator(store) as orchestrator, orchestrator(doubling) as octx:
        before = await octx.measuring()
        monkeypatch.setattr(RedisMeasures, "numbers", away)
        for measured in (before, await octx.measuring()):
            assert await measured() == (octx.metrics, "process")


def test_a_port_that_is_taken_is_said(cli: Cli) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = cli("run", "counting_flows:doubling", "-inumber=1", "--metrics-port", str(taken.getsockname()[1]))
    assert result.code == 3
    assert "error: PortTaken at --metrics-port" in result.err
