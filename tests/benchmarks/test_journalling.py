"""A journal adds some lines of Python to an operation, and none where it is off; no test reads a clock."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import journalling
from benchmarks.journalling import ALL, CHAINS, MEASURED, OFF, ON, OPERATIONS, READ

ROOT = Path(__file__).resolve().parent.parent.parent


def figures(*arguments: str) -> dict[str, dict[str, float]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.journalling", "--json", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def test_to_note_and_to_measure_is_some_lines_and_to_read_some_more() -> None:
    found = figures("--many", "600", "--lines")
    assert tuple(found) == (OPERATIONS, CHAINS)
    for lines in found.values():
        assert tuple(lines) == journalling.IN_MEMORY
        assert 3 < lines[ON] - lines[OFF] <= 40
        assert 3 < lines[MEASURED] - lines[OFF] <= 25
        assert lines[READ] - lines[ON] <= 300
        assert lines[ALL] - lines[ON] <= 25


def test_a_backend_without_a_journal_has_no_part_that_notes() -> None:
    code = (
        "import asyncio, sys\nfrom benchmarks.journalling import OFF, in_memory\n"
        "asyncio.run(in_memory(OFF, 5))\nassert 'tidemill.backends.memory.journalling' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_it_is_measured_over_a_store_too() -> None:
    found = figures("--many", "50", "--turns", "3", "--store")[OPERATIONS]
    assert tuple(found) == journalling.OVER_A_STORE
    assert all(cost > 0 for cost in found.values())


def test_it_prints_ratios_and_whether_the_goal_is_met(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["journalling", "--many", "30", "--turns", "1", "--case", OPERATIONS])
    assert journalling.main() == 0
    heading, *lines, goal = capsys.readouterr().out.splitlines()
    assert heading == journalling.CASES[OPERATIONS]
    assert [line.strip().split("  ")[0] for line in lines] == list(journalling.IN_MEMORY)
    assert lines[0].split()[-1] == "1.00"
    assert ": met (" in goal or ": not met (" in goal
