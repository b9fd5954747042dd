"""Thousands of simulated worlds: whatever goes wrong, every context comes to what its data flow means, nothing counts
twice, no lock is held twice, and nothing is left."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOWS = 2000
AT_ONCE = 2
WANTED = ("lost reply", "lost request", "killed worker", "killed runner", "paused", "expired", "epoch", "rollback",
          "restarted submitter", "drained worker", "evil report", "lost alone", "handed back",
          "killed when woken")  # fmt: skip


def simulated(*arguments: str) -> Counter[str]:
    """Play worlds in a process of its own, which is not measured: that would cost more than all the rest."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    return Counter(json.loads(done.stdout.splitlines()[-1]))


def test_what_has_gone_wrong_before_goes_well() -> None:
    assert simulated("--kept")["flows"] > 0


@pytest.mark.timeout(3600)
def test_whatever_goes_wrong_nothing_is_lost_and_nothing_counts_twice() -> None:
    shares = [("--from", str(at), "--step", str(AT_ONCE), "--many", str(FLOWS // AT_ONCE)) for at in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = sum(pool.map(lambda share: simulated(*share), shares), Counter[str]())
    assert done["flows"] >= FLOWS
    for kind in WANTED:
        assert done[f"fault: {kind}"] >= FLOWS / 50, f"{kind}: {done}"
    assert done["compared"] > 0.85 * done["contexts"], done
