"""The figures of the report: medians, ratios in either direction, cells that died or were stopped, and goals."""

import argparse
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import catalogue, table
from benchmarks.drivers import operations
from benchmarks.goals import verdicts
from benchmarks.processes import Sample
from benchmarks.summary import Summary

MACHINE = {"date": "2030-01-01", "processor": "p", "memory": "m", "system": "s", "python": "y"}


def sample(case: str, system: str, n: int, cpu: float, *, units: int = 1000, problem: str = "") -> Sample:
    """A run that took `cpu` seconds, its first result after a hundredth of that."""
    return Sample(case, system, n, units, cpu=cpu, wall=cpu, first=cpu / 100, memory=0, load=0.0, problem=problem)


def report(*samples: Sample, no_peer: str = "") -> str:
    """The report of these runs."""
    loads = {"begin": "0 0 0", "end": "0 0 0"}
    return table.render(table.Report(MACHINE, loads, no_peer, samples), catalogue.CASES)


def test_a_ratio_is_that_of_the_medians_at_the_same_size() -> None:
    runs = [sample("chains", "tidemill", 1000, cpu) for cpu in (1.0, 2.0, 9.0)]
    runs += [sample("chains", "dffml", 1000, cpu) for cpu in (24.0, 1.0, 30.0)]
    summary = Summary(runs)
    row = summary.row("chains", "tidemill", 1000)
    assert row is not None
    assert (row.runs, row.cpu, row.fastest, row.slowest, row.rate) == (3, 2.0, 1.0, 9.0, 500.0)
    assert summary.ratio(row) == 12.0


def test_growth_compares_the_cost_of_a_unit_with_the_smallest_size() -> None:
    summary = Summary(
        [sample("fan", "tidemill", 1000, 3.0, units=2000), sample("fan", "tidemill", 100, 0.1, units=200)]
    )
    large, small = summary.row("fan", "tidemill", 1000), summary.row("fan", "tidemill", 100)
    assert large is not None
    assert small is not None
    assert summary.growth(large) == pytest.approx(3.0)
    assert summary.growth(small) is None


def test_a_peer_that_was_stopped_gives_a_lower_bound() -> None:
    stopped = sample("fan", "dffml", 1000, 600.0, problem="not done after 600 s")
    text = report(stopped, sample("fan", "tidemill", 1000, 2.0))
    assert "| fan | 1,000 | dffml | 1 | 1,000 | > 600: not done after 600 s | > 600,000 | < 2 |" in text
    assert "| > 300 |" in text


def test_a_peer_that_died_gives_no_ratio() -> None:
    dead = sample("ancestry", "dffml", 1000, 9.0, problem="RecursionError: too deep")
    text = report(dead, sample("ancestry", "tidemill", 1000, 2.0))
    assert "died after 9.0: RecursionError: too deep" in text
    assert "| tidemill | 1 | 1,000 | 2 (2–2) | 2,000.0 | 500 | – | – |" in text


def test_goals_are_judged_where_their_cells_were_run() -> None:
    summary = Summary([sample("chains", "tidemill", 1000, 1.0), sample("chains", "dffml", 1000, 9.0)])
    found = verdicts(summary, help_seconds=0.2)
    assert [(each.goal, each.measured, each.met) for each in found] == [
        ("chains, n = 1,000: at least 10 × DFFML", "9.0 ×", False),
        ("`tidemill --help` within 0.3 s", "0.20 s", True),
    ]
    assert verdicts(Summary([]), None) == []


def test_every_goal_can_be_judged_by_a_full_run() -> None:
    everything = catalogue.cells(catalogue.CASES, frozenset(catalogue.SYSTEMS))
    summary = Summary([sample(cell.case.name, cell.system, cell.n, 1.0, units=cell.units) for cell in everything])
    assert len(verdicts(summary, 0.1)) == 10


def test_a_wrong_result_is_an_error() -> None:
    operations.check("chains", 10, 45 + 30)
    with pytest.raises(AssertionError, match="chains of size 10 gave checksum 74, not 75"):
        operations.check("chains", 10, 74)


def test_a_report_can_be_shown_again_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n" + program.BEGIN + "old\n" + program.END + "after\n", encoding="utf-8")
    monkeypatch.setattr(program, "README", readme)
    monkeypatch.setattr(program, "RECORD", tmp_path / "results.json")
    times = {table.HELP: [(0.1, 0.2), (0.3, 0.4), (0.5, 0.6)]}
    first = table.Report(MACHINE, {"begin": "1", "end": "2"}, "", [sample("fan", "tidemill", 100, 1.0)], times)
    text = table.render(first, catalogue.CASES)
    program.write(first, text, argparse.Namespace(json=tmp_path / "new" / "out.json", record=True))

    assert table.render(program.read(tmp_path / "new" / "out.json"), catalogue.CASES) == text
    assert (tmp_path / "results.json").read_text() == (tmp_path / "new" / "out.json").read_text()
    kept = readme.read_text(encoding="utf-8")
    assert kept == "before\n" + program.BEGIN + "\n" + text + "\n" + program.END + "after\n"
    assert "| `tidemill --help` | 3 | 0.300 | 0.400 |" in kept
