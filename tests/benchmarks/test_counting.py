"""To count costs a bounded number of lines of Python, and so does being measured; no test reads a clock."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import counting

ROOT = Path(__file__).resolve().parent.parent.parent
MOST = {"counter": 15, "counter with a label": 24, "gauge": 16, "histogram": 30, "progress": 45}
"""Lines of one use, at most: half as many again as there are."""


@pytest.fixture(scope="module")
def lines() -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.counting", "--many", "600", "--lines", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", counting.INSTRUMENTS)
def test_a_use_is_a_few_lines(lines: dict[str, float], name: str) -> None:
    assert 1 < lines[name] <= MOST[name]


def test_to_be_measured_adds_a_few_lines_to_an_operation(lines: dict[str, float]) -> None:
    assert lines["operation, measured"] - lines["operation, not measured"] <= 40


def test_it_prints_microseconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["counting", "--many", "10"])
    assert counting.main() == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        *counting.INSTRUMENTS,
        "operation, not measured",
        "operation, measured",
    ]
