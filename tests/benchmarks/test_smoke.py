"""The benchmark still works, and every case grows linearly.

No test here reads a clock: how the work grows is seen by counting the lines of Python that a run executes.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import catalogue
from benchmarks.drivers import meter

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A module of the benchmark in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )


def lines_of_a_unit(case: str, n: int) -> float:
    """How many lines of Python Tidemill executes for one unit of a case."""
    done = run("benchmarks.drivers.flows", "tidemill", case, str(n), "--lines")
    assert done.returncode == 0, done.stderr
    units = next(each.units for each in catalogue.CASES if each.workload == case)
    return float(json.loads(done.stdout)["lines"]) / units(n)


def test_every_case_gives_right_results_and_a_row_of_the_table(tmp_path: Path) -> None:
    done = run("benchmarks", "--smoke", "--systems", "tidemill,awaits,tasks", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr

    samples = json.loads((tmp_path / "out.json").read_text())["samples"]
    wanted = catalogue.cells(catalogue.tiny(), frozenset({"tidemill", "awaits", "tasks"}))
    assert [(each["case"], each["system"], each["n"]) for each in samples] == [
        (cell.case.name, cell.system, cell.n) for cell in wanted
    ]
    assert {each["problem"] for each in samples} == {""}
    for cell in wanted:
        assert f"| {cell.case.name} | {cell.n} | {cell.system} | 1 | {cell.units} | " in done.stdout
    assert "| `tidemill --help` | 1 | " in done.stdout


@pytest.mark.parametrize(
    ("case", "small", "large"),
    [
        ("chains", 50, 200),
        ("contexts", 50, 200),
        ("fan", 100, 400),
        ("product", 10, 30),
        ("ancestry", 100, 400),
    ],
)
def test_one_unit_takes_as_many_steps_at_a_larger_size(case: str, small: int, large: int) -> None:
    assert lines_of_a_unit(case, large) <= 1.1 * lines_of_a_unit(case, small)


def test_the_count_of_lines_sees_quadratic_work() -> None:
    def pairs(n: int) -> int:
        watch = meter.Meter(lines=True)
        watch.begin()
        _every_pair(n)
        return int(watch.end()["lines"])

    assert pairs(40) > 3 * pairs(20)


def _every_pair(n: int) -> list[int]:
    return [a * b for a in range(n) for b in range(n)]


def test_without_an_old_python_the_column_says_so_and_the_heading_says_why(tmp_path: Path) -> None:
    absent = str(tmp_path / "python3.8")
    given = ("--systems", "dffml,awaits", "--cases", "chains", "--peer-python", absent)
    done = run("benchmarks", "--smoke", *given, "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    assert f"No figures of DFFML: {absent} is no Python 3.8 or 3.7" in done.stdout
    assert " | no peer | " in done.stdout


def test_an_unknown_case_is_named(tmp_path: Path) -> None:
    done = run("benchmarks", "--smoke", "--cases", "chains,knots", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 1
    assert done.stderr == "There is no case or system called knots; see python -m benchmarks --help.\n"
    assert not (tmp_path / "out.json").exists()
