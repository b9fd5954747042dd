"""Workers and servers are killed at random: nothing is lost, nothing counts twice, and little is done again."""

import random
import sys
from pathlib import Path

import pytest

from tests.worker.mayhem import mayhem

KILLS, STORES = 200, 5
PAUSE = 0.2
WITHIN = 240
"""Seconds for them: a machine that has other things to do kills fewer."""


@pytest.mark.timeout(1500)
async def test_killed_workers_and_servers_lose_nothing(tmp_path: Path) -> None:
    number = random.randrange(10**6)
    done = await mayhem(tmp_path, kills=KILLS, stores=STORES, pause=PAUSE, number=number, within=WITHIN, seconds=1200)
    sys.stderr.write(f"{done}\n")
    done.check()
    assert done.kills["runner"], done
    assert done.kills["store"], done
    assert done.executions <= 1.05, f"{done} (drawn from {number})"
