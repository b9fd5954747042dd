"""The figures over a store: rates, goals against the peers that were measured, and what a report says of those that
were not.
"""

import argparse
from pathlib import Path

import pytest

from benchmarks.store import __main__ as program
from benchmarks.store import meter, peers, plan, table
from benchmarks.store.goals import verdicts
from benchmarks.store.sessions import Sample
from benchmarks.store.summary import Summary

MACHINE = {"date": "2030-01-01", "processor": "p", "memory": "m", "system": "s", "python": "y"}
DRIVERS = """
import base

class System(base.{base}):
    venv = "{venv}"

    def start(self, profile): ...
    def chains(self, n, t): ...
    async def fan(self, n, t): ...
"""


def sample(
    system: str,
    workload: str,
    *,
    bound: float = 1.0,
    cpu: float = 1.5,
    n: int = 1000,
    p50: float | None = None,
    p99: float | None = None,
    problem: str = "",
) -> Sample:
    """A run of 3,000 operations, half of whose CPU time is the workers'."""
    roles = {"client": cpu / 4, "server": cpu / 4, "workers": cpu / 2}
    resident = {"client": 50 << 20, "server": 10 << 20, "workers": 40 << 20}
    return Sample(system, workload, n, 3000, 2.0, roles, bound, 0.5, 1.0, p50, p99, resident, problem)


def judged(*samples: Sample, **figures: dict[str, float]) -> dict[str, tuple[str, bool]]:
    """Goal → what was measured, and whether that is enough."""
    return {each.goal: (each.measured, each.met) for each in verdicts(Summary(samples), figures)}


def report(*samples: Sample, peers: str = "") -> table.Report:
    """The report of these runs."""
    return table.Report(
        MACHINE, {"begin": "1", "end": "2"}, "Redis 7", peers, samples, {"idle": {"cpu share": 0.02}}, []
    )


def used(role: str, fine: float, coarse: float | None = None) -> meter.Used:
    """What a process has used; no thread of it has ended unless it says so."""
    return meter.Used(role, fine, fine if coarse is None else coarse)


def test_the_rate_is_that_of_two_cores_and_the_busiest_process_bounds_it() -> None:
    before = {1: used("client", 1.0), 2: used("server", 5.0), 3: used("workers", 0.0)}
    after = {1: used("client", 2.0), 2: used("server", 6.0), 3: used("workers", 1.0), 4: used("workers", 0.5)}
    even = meter.spent(before, after)
    assert (even.total, even.busiest, even.bound) == (3.5, 1.0, 1.75)
    assert even.roles == {"client": 1.0, "server": 1.0, "workers": 1.5}
    assert meter.spent(before, {2: used("server", 9.0)}).bound == 4.0


def test_what_threads_used_that_have_ended_counts() -> None:
    before = {1: used("workers", 2.0, 2.0)}
    assert meter.spent(before, {1: used("workers", 2.003, 2.01)}).total == pytest.approx(0.003)
    assert meter.spent(before, {1: used("workers", 0.5, 4.0)}).total == pytest.approx(2.0)


def test_goals_compare_with_the_fastest_peer_and_not_with_the_floor() -> None:
    runs = [
        sample(plan.TIDEMILL, "chains", bound=0.2, cpu=0.3),
        sample(plan.DURABLE, "chains", bound=0.4),
        sample(peers.FLOOR, "chains", bound=0.05, cpu=0.05),
        sample("ray_local", "chains", bound=1.0),
        sample("saq_redis", "chains", bound=2.0),
    ]
    assert judged(*runs) == {
        "chains: at least 8 × the fastest peer": ("5.00 × ray_local", False),
        "chains: CPU of an operation at most 3 × floor_lua": ("6.00 ×", False),
        "chains, AOF always: at least 60% of the rate": ("50%", False),
    }


def test_medians_are_compared_and_runs_without_a_result_are_left_out() -> None:
    runs = [sample(plan.TIDEMILL, "fan", bound=bound) for bound in (1.0, 2.0, 9.0)]
    runs += [sample("ray_local", "fan", bound=4.0), sample("ray_local", "fan", bound=0.1, problem="it died")]
    assert judged(*runs) == {"fan: ahead of every peer": ("2.00 × ray_local", True)}


def test_waits_of_a_chain_are_held_against_the_floor_and_the_clock() -> None:
    own = sample(plan.TIDEMILL, "latency", p50=0.002, p99=0.011)
    assert judged(own, sample(peers.FLOOR, "latency", p50=0.001, p99=0.001)) == {
        "latency: p50 at most 3 × floor_lua": ("2.00 ×", True),
        "latency: p99 at most 10 ms": ("11.0 ms", False),
    }


def test_the_rate_has_to_be_the_same_at_every_size() -> None:
    sizes = [sample(plan.TIDEMILL, "chains", bound=bound, n=n) for n, bound in ((1000, 1.0), (10_000, 1.1))]
    goal = "chains: rate within ± 15% at 1,000, 10,000 contexts"
    assert judged(*sizes) == {goal: ("± 4.8%", True)}
    assert (
        judged(*sizes, sample(plan.TIDEMILL, "chains", bound=2.0, n=100_000))[f"{goal[:-9]}, 100,000 contexts"][1]
        is False
    )


def test_figures_are_held_against_their_limits() -> None:
    found = judged(vast={"kept": 0.79, "slow calls": 0, "bytes more": 1 << 20}, endings={"bytes each": 1025.0})
    assert found == {
        "vast: at most 64 MiB more in the store": ("1 MiB", True),
        "vast: no call of the server above 5 ms": ("0 of them", True),
        "vast: other contexts keep at least 80% of their rate": ("79 %", False),
        "endings: at most 1 KiB for a context that has ended": ("1,025 bytes", False),
    }


def test_a_report_names_whom_it_does_not_compare_with_and_can_be_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n" + program.BEGIN + "old\n" + program.END + "after\n", encoding="utf-8")
    monkeypatch.setattr(program, "README", readme)
    monkeypatch.setattr(program, "RECORD", tmp_path / "results.json")
    first = report(sample(plan.TIDEMILL, "latency", p50=0.001, p99=0.002), peers="There are none")
    text = table.render(first)
    assert "Other engines: There are none." in text
    assert (
        "| tidemill | 1,000 | 1 | 3,000 (3,000–3,000) | 500 = 125 + 125 + 250 | 2 | 1.00 | 2.00 | 100 | 50% |" in text
    )
    assert "| idle: less than 1% of a core for a worker | 2 % | **not met** |" in text

    program.write(first, text, argparse.Namespace(json=tmp_path / "new" / "out.json", record=True))
    assert table.render(program.read(tmp_path / "new" / "out.json")) == text
    assert (
        readme.read_text(encoding="utf-8") == "before\n" + program.BEGIN + "\n" + text + "\n" + program.END + "after\n"
    )


def test_without_the_peers_programs_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_BENCH_PEERS", str(tmp_path / "absent"))
    found, why = peers.found("ready")
    assert found == []
    assert why.startswith(f"There is no {tmp_path / 'absent'}")


def test_peers_are_those_with_an_environment_and_say_what_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "systems").mkdir()
    (tmp_path / "driver.py").touch()
    for name in peers.SYSTEMS:
        driver = DRIVERS.format(base="AsyncSystem", venv=name.partition("_")[0])
        (tmp_path / "systems" / f"{name}.py").write_text(driver, encoding="utf-8")
    python = tmp_path / "environments" / "saq" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setenv("TIDEMILL_BENCH_PEERS", str(tmp_path))
    monkeypatch.setenv("BENCH_VENVS", str(tmp_path / "environments"))
    found, why = peers.found("ready")
    assert [(peer.name, peer.python) for peer in found] == [("saq_redis", str(python))]
    assert found[0].workloads >= {"chains", "fan"}
    assert found[0].command() == [str(python), str(tmp_path / "driver.py"), "saq_redis", "redis"]
    assert why.startswith("Not measured: floor_lua, ray_local, ")
    with pytest.raises(peers.NoPeers, match="no system called abacus"):
        peers.found("abacus")
