"""The benchmark over a store still works: workloads give right results, probes give figures, what is left ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.store.meter import cpu
from benchmarks.store.peers import Peer
from benchmarks.store.sessions import Failed, Session, ours

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The benchmark in a process of its own, to its end."""
    command = [sys.executable, "-m", "benchmarks.store", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time of other processes is read from /proc")
def test_workloads_and_probes_give_a_table_and_goals(tmp_path: Path) -> None:
    done = run("--smoke", "chains", "idle", "inputs", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["failures"] == []
    assert [(each["system"], each["workload"], each["problem"]) for each in report["samples"]] == [
        ("tidemill", "chains", ""),
        ("tidemill, AOF always", "chains", ""),
    ]
    assert all(each["roles"][role] > 0 for each in report["samples"] for role in ("client", "server", "workers"))
    assert list(report["figures"]) == ["idle", "inputs"]
    assert "| chains, AOF always: at least 60% of the rate | " in done.stdout
    assert "| inputs: at most 400 bytes for a small input | " in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="processes below another are found in /proc")
def test_every_workload_gives_right_results_and_all_processes_end() -> None:
    with Session("tidemill", ours()) as session:
        session.start()
        for workload in ("queue", "direct", "fan", "latency", "io", "cpu", "payload", "product"):
            found = session.measure(workload, 3)
            assert (found.problem, found.operations > 0) == ("", True)
        with pytest.raises(Failed, match="KeyError"):
            session.ask(do="run", workload="knots", n=1)
        started = session.tree.pids()
    assert len(started) >= 6  # the driver, the server, two workers and their runners
    assert [pid for pid in started if cpu(pid) is not None] == []


def test_a_driver_that_dies_says_so() -> None:
    peer = Peer("none", sys.executable, frozenset())
    assert peer.command()[0] == sys.executable
    with Session("none", [sys.executable, "-c", "pass"]) as session, pytest.raises(Failed, match="the driver has died"):
        session.start()


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    done = run("chains", "knots", "--json", str(tmp_path / "out.json"))
    assert done.returncode == 2
    assert "there is no knots; there are queue, chains, " in done.stderr
