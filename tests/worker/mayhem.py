"""Workers are killed at random while a data flow runs, and everything that was promised is looked at afterwards.

Whatever is drawn is drawn from one number. The test suite has a short run of it, `tools/soak.py` a long one.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.worker import flows
from tests.worker.fleet import Fleet, fleet
from tidemill.backends.redis.backend import RedisBackend
from tidemill.networks.backend import Ending
from tidemill.plan.compile import compile_plan

__all__ = ["Mayhem", "mayhem"]

OPEN = 24
"""Contexts that are open at once: so many that every runner has work whenever it is killed."""
SUPERVISORS = 0.25
"""Part of the kills that hit a supervisor, and all its runners with it."""


@dataclass
class Mayhem:
    """What was done and what came of it. ``endings`` are those of all contexts, by their numbers."""

    kills: Counter[str] = field(default_factory=Counter)
    endings: dict[int, Ending] = field(default_factory=dict)
    journal: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    log: str = ""

    @property
    def sets(self) -> int:
        """How many calls there would have been if nobody had been killed."""
        return sum(flows.expected(number).total() for number in self.endings)

    @property
    def executions(self) -> float:
        """How many calls there were for each that there had to be."""
        return sum(self.journal.values()) / self.sets

    @property
    def poisoned(self) -> dict[int, Ending]:
        """The contexts in which one parameter set has lost so many workers that it is held to be the cause."""
        return {number: ending for number, ending in self.endings.items() if ending.failure is not None}

    def check(self) -> None:
        """Fail unless nothing was lost, nothing counted twice, and no lock held twice."""
        overlaps = [line for line in self.journal if line.startswith("OVERLAP")]
        assert not overlaps, overlaps
        for number, ending in self.endings.items():
            if ending.failure is None:
                wrong = f"context {number}: {ending.result} instead of {flows.result(number)}"
                assert ending.result == flows.result(number), wrong
                missing = set(flows.expected(number)) - set(self.journal)
                assert not missing, f"context {number}: never called: {missing}"
            else:  # by chance three workers were killed that had the same parameter set
                assert ending.failure.reason == "Poisonous", ending.failure
                assert max(self.journal[line] for line in flows.expected(number)) >= 3, ending.failure
        allowed = max(2, len(self.endings) // 50)
        assert len(self.poisoned) <= allowed, f"{len(self.poisoned)} of {len(self.endings)} contexts were given up"

    def __str__(self) -> str:
        return (
            f"{self.kills.total()} kills ({', '.join(f'{n} {what}s' for what, n in sorted(self.kills.items()))}) in "
            f"{self.seconds:.0f} s; {len(self.endings)} contexts, {self.sets} parameter sets, "
            f"{self.executions:.4f} executions each, {len(self.poisoned)} contexts given up"
        )


async def mayhem(url: str, folder: Path, *, kills: int, pause: float, number: int, seconds: float) -> Mayhem:
    """Run `flows.FLOW` over ever more contexts while workers are killed, every ``pause`` seconds on average, until
    there were so many kills; wait then for all contexts, for so many seconds in all at most."""
    done = Mayhem()
    began = time.monotonic()
    async with fleet(url, folder, lease=2, runners=2, slots=4) as (workers, backend):
        workers.start(3)
        for worker in list(workers.workers):
            await workers.working(worker)
        enough = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(
                    _feed(backend, done, enough), _kill(workers, done, kills, pause, random.Random(number), enough)
                )
        except TimeoutError:
            raise AssertionError(f"contexts have not ended: {done}\n{workers.log()[-4000:]}") from None
        for worker in list(workers.workers):  # one that has just been started does not know yet how to end
            await workers.working(worker)
        codes = await workers.stop()
        done.log = workers.log()
        assert codes == [0] * len(codes), done.log
    done.journal = Counter(flows.calls_of(folder))
    done.seconds = time.monotonic() - began
    return done


async def _kill(
    workers: Fleet, done: Mayhem, kills: int, pause: float, rng: random.Random, enough: asyncio.Event
) -> None:
    while done.kills.total() < kills:
        await asyncio.sleep(rng.expovariate(1 / pause))
        if what := workers.kill_one(rng, SUPERVISORS):
            done.kills[what] += 1
    enough.set()


async def _feed(backend: RedisBackend, done: Mayhem, enough: asyncio.Event) -> None:
    """Keep so many contexts open, for as long as anybody is to be killed; hear of all ends."""
    plan = compile_plan(flows.FLOW)
    number, waiting = 0, set[asyncio.Task[None]]()

    async def one(number: int) -> None:
        await backend.open(f"c{number}", plan, flows.given(number))
        done.endings[number] = await backend.ending(f"c{number}")

    while waiting or not enough.is_set():
        while len(waiting) < OPEN and not enough.is_set():
            waiting.add(asyncio.create_task(one(number)))
            number += 1
        ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
