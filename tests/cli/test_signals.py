"""A run that is interrupted cleans up, says what was done, and ends with the code of the signal; so do other ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.cli.support import FLOWS, started

DEADLINE = 120.0


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line in the folder of the flows; whatever still runs at the end is killed."""
    with started() as begin:
        yield begin


def line_of(stream: IO[str] | None) -> str:
    """The next line; the timeout of the test bounds how long it is waited for."""
    assert stream is not None
    return stream.readline()


def people(folder: Path, content: str) -> str:
    path = folder / "i.jsonl"
    path.write_text(content)
    return str(path)


SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
THREE = '{"number": 1}\n{"number": 2}\n{"number": 3}\n'


@SIGNALS
def test_a_signal_ends_a_run_that_would_never_end(
    number: signal.Signals, code: int, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    file = people(tmp_path, THREE)
    process = start("run", "numbers_flows:waiting", "--inputs", file, "-o", "jsonl", "--progress", "off")
    first = json.loads(line_of(process.stdout))  # it is running when its first result is there
    assert first["result"] == {"doubled": [2]}
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == code
    assert out == ""
    assert err.startswith("interrupted: 1 context: 1 succeeded, 0 failed, 2 not finished; ")
    assert "Traceback" not in err


@SIGNALS
def test_a_signal_lets_every_open_context_clean_up(
    number: signal.Signals, code: int, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    file = people(tmp_path, "".join(json.dumps({"path": str(folder)}) + "\n" for folder in folders))
    process = start("run", "numbers_flows:holding", "--inputs", file, "-o", "jsonl", "--progress", "off")
    assert {line_of(process.stderr) for _ in folders} == {f"made {folder}\n" for folder in folders}
    assert all(folder.is_dir() for folder in folders)
    process.send_signal(number)
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (code, "")
    assert not any(folder.exists() for folder in folders)
    assert err.startswith("interrupted: 0 contexts: 0 succeeded, 0 failed, 3 not finished; ")


def test_a_reader_that_goes_away_lets_open_contexts_clean_up(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    process = start("run", "numbers_flows:holding", "--inputs", "-", "-o", "jsonl", "-q", stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"path": str(folder)}) + "\n")
    process.stdin.flush()
    assert line_of(process.stderr) == f"made {folder}\n"
    process.stdout.close()
    process.stdin.write('{"path": "none"}\n')  # its result finds nobody who reads it
    process.stdin.close()
    assert process.wait(DEADLINE) == 141
    assert not folder.exists()


@SIGNALS
def test_a_thread_that_hangs_is_named_and_a_second_signal_ends_it_at_once(
    number: signal.Signals, code: int, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    file = people(tmp_path, THREE)
    process = start("run", "numbers_flows:hanging", "--inputs", file, "-o", "jsonl", "--progress", "off")
    assert json.loads(line_of(process.stdout))["result"] == {"doubled": [2]}
    process.send_signal(signal.SIGINT)
    assert line_of(process.stderr) == (
        "cancelled, waiting for threads and cleanup to end, a second signal ends it at once; "
        "when it was cancelled ran: numbers_flows:hang\n"
    )
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == code
    assert err == "stopped at once; what was running is not cleaned up\n"


@SIGNALS
def test_a_run_that_waits_for_its_next_line_can_be_ended(
    number: signal.Signals, code: int, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start("run", "numbers_flows:doubling", "--inputs", "-", "-o", "jsonl", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write('{"number": 1}\n')
    process.stdin.flush()
    assert json.loads(line_of(process.stdout))["result"] == {"doubled": [2]}
    process.send_signal(number)
    assert process.stderr is not None
    last = process.stderr.read().splitlines()[-1]
    assert process.wait(DEADLINE) == code
    assert last.startswith("interrupted: 1 context: 1 succeeded, 0 failed; ")


def test_json_is_complete_after_an_interrupt(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    file = people(tmp_path, '{"number": 1}\n{"number": 2}\n')
    process = start("run", "numbers_flows:waiting", "--inputs", file, "-o", "json", "--progress", "off")
    assert line_of(process.stdout) == "[\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    (only,) = json.loads("[" + process.stdout.read())
    assert process.wait(DEADLINE) == 130
    assert only["result"] == {"doubled": [2]}


def test_a_reader_that_goes_away_ends_the_run_quietly(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    file = people(tmp_path, '{"number": 1}\n' * 5000)
    process = start("run", "numbers_flows:doubling", "--inputs", file, "-o", "jsonl", "--progress", "off", "-q")
    assert json.loads(line_of(process.stdout))["result"] == {"doubled": [2]}
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(DEADLINE) == 141


def test_help_into_a_closed_pipe_is_quiet(start: Callable[..., subprocess.Popen[str]]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start("run", "--help", stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (141, "")


def test_a_disk_that_is_full_is_said(start: Callable[..., subprocess.Popen[str]]) -> None:
    with open("/dev/full", "w") as full:
        process = start("version", stdout=full)
        _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (1, "error: OperatingSystem\n  No space left on device\n")


def test_results_come_as_contexts_end_and_lines_are_read_as_they_come(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start("run", "numbers_flows:doubling", "--inputs", "-", "-o", "jsonl", "-q", stdin=subprocess.PIPE)
    assert process.stdin is not None
    for number in (1, 2, 3):
        process.stdin.write(json.dumps({"number": number}) + "\n")
        process.stdin.flush()
        assert json.loads(line_of(process.stdout))["result"] == {"doubled": [number * 2]}
    process.stdin.close()
    assert process.wait(DEADLINE) == 0


def test_lines_of_progress_go_to_standard_error_when_it_is_no_terminal(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    process = start("run", "numbers_flows:waiting", "-i", "number=2")
    assert line_of(process.stderr) == "1 s: 0 of 1 contexts done, 0 failed, 1 open, 1 operation running\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("interrupted: 0 contexts: 0 succeeded, 0 failed, 1 not finished; ")


def test_a_thread_that_outlives_the_timeout_is_given_up(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tidemill.cli import running

    monkeypatch.syspath_prepend(str(FLOWS))
    monkeypatch.setattr(running, "PATIENCE", 0.01)
    monkeypatch.setattr(running, "GRACE", 0.05)
    result = cli("run", "numbers_flows:hanging", "-i", "number=2", "--timeout", "0.2", "-o", "jsonl")
    assert (result.code, result.out) == (1, "")
    said, summary, *error = result.err.splitlines()
    assert said == (
        "cancelled, waiting for threads and cleanup to end, it has 0.05 s for that; "
        "when it was cancelled ran: numbers_flows:hang"
    )
    assert summary.startswith("0 contexts: 0 succeeded, 0 failed, 1 not finished; ")
    assert error == ["error: Timeout", "  the run took longer than --timeout 0.2 s and was cancelled"]
