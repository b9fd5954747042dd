"""Workers are killed at random: nothing is lost, nothing counts twice, no lock is held twice, little is done again."""

import random
from pathlib import Path

from tests.backends.redis.stores import server
from tests.worker.mayhem import mayhem

KILLS = 40
PAUSE = 0.6


async def test_killed_workers_lose_nothing(tmp_path: Path) -> None:
    number = random.randrange(10**6)
    done = await mayhem(server("valkey"), tmp_path, kills=KILLS, pause=PAUSE, number=number, seconds=200)
    done.check()
    assert done.executions <= 1.05, f"{done} (drawn from {number})"
