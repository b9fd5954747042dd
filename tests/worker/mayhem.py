"""Workers and the server of their store are killed at random while a data flow runs, and everything that was promised
is looked at afterwards.

Whatever is drawn is drawn from one number. The test suite has a short run of it, `tools/soak.py` a long one.
"""

import asyncio
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from tests.backends.redis.leaks import left_in
from tests.backends.redis.servers import DURABLE, Server
from tests.worker import flows
from tests.worker.fleet import Fleet
from tidemill import Input, Outcome
from tidemill.backends.redis.bells import put_down
from tidemill.backends.redis.library import LAYOUT
from tidemill.networks.backend import Counts
from tidemill.orchestrator.redis import RedisOrchestrator

__all__ = ["Mayhem", "mayhem"]

OPEN = 48
"""Contexts that are open at once: so many that every runner has work whenever it is killed."""
SUPERVISORS = 0.25
"""Part of the kills that hit a supervisor, and all its runners with it."""
BETWEEN = 2
"""Contexts that end between two kills, at least: what a kill costs is held against what was done meanwhile."""
AWAY = 0.4
"""Seconds that the server stays away after it was killed, on average."""
LEASE = 4
"""Seconds of a lease: longer than the server takes to come back."""
PREFIX = "mayhem:"
TAG = f"{{{PREFIX}{LAYOUT}:0}}"
FINISHED = {"ended", "inbox", "letters", "held"}
"""Kinds of keys that nobody has who has read all endings and whose workers are gone."""


@dataclass
class Mayhem:
    """What was done and what came of it. ``kills`` has runners, supervisors, the store, and supervisors that their own
    timers ended because the store was away for too long. ``outcomes`` are those of all contexts by their numbers,
    ``counts`` what the store has counted of each operation, ``left`` the keys that it keeps and should not."""

    kills: Counter[str] = field(default_factory=Counter)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    journal: Counter[str] = field(default_factory=Counter)
    counts: dict[str, Counts] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0
    log: str = ""

    @property
    def workers(self) -> int:
        """How often a supervisor or a runner was killed."""
        return self.kills["runner"] + self.kills["supervisor"]

    @property
    def sets(self) -> int:
        """How many calls there would have been if nobody had been killed."""
        return sum(flows.expected(number).total() for number in self.outcomes)

    @property
    def executions(self) -> float:
        """How many calls there were for each that there had to be."""
        return sum(self.journal.values()) / self.sets

    @property
    def poisoned(self) -> dict[int, Outcome]:
        """The contexts in which one parameter set has lost so many workers that it is held to be the cause."""
        return {number: outcome for number, outcome in self.outcomes.items() if outcome.failure is not None}

    def check(self) -> None:
        """Fail unless nothing was lost, nothing counted twice, no lock held twice, and nothing is left."""
        overlaps = [line for line in self.journal if line.startswith("OVERLAP")]
        assert not overlaps, overlaps
        assert set(self.outcomes) == set(range(len(self.outcomes))), "contexts have no ending"
        for number, outcome in self.outcomes.items():
            if outcome.failure is None:
                self._check_one(number, outcome)
            else:  # by chance three workers were killed that had the same parameter set, called or not
                assert outcome.failure.reason == "Poisonous", outcome.failure
        allowed = max(2, len(self.outcomes) // 50)
        assert len(self.poisoned) <= allowed, f"{len(self.poisoned)} of {len(self.outcomes)} contexts were given up"
        self._check_counts()
        assert not self.left, f"keys are left that belong to nobody: {self.left}"

    def _check_one(self, number: int, outcome: Outcome) -> None:
        wrong = f"context {number}: {outcome.result} instead of {flows.result(number)}"
        assert outcome.result == flows.result(number), wrong
        missing = set(flows.expected(number)) - set(self.journal)
        assert not missing, f"context {number}: never called: {missing}"
        assert outcome.parameter_sets == flows.SETS, f"context {number} has had {outcome.parameter_sets} parameter sets"

    def _check_counts(self) -> None:
        """Every parameter set counts once, whoever ran it how often; those of what was given up may not."""
        whole = len(self.outcomes) - len(self.poisoned)
        for instance, each in flows.EACH.items():
            for counted in (self.counts[instance].taken, self.counts[instance].completed):
                said = f"{instance}: {self.counts[instance]} in {len(self.outcomes)} contexts"
                assert each * whole <= counted <= each * len(self.outcomes), said

    def __str__(self) -> str:
        kills = ", ".join(f"{many} {what}s" for what, many in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills ({kills}) in {self.seconds:.0f} s; {len(self.outcomes)} contexts, "
            f"{self.sets} parameter sets, {self.executions:.4f} executions each, {self.refused} reports refused, "
            f"{len(self.poisoned)} contexts given up"
        )


async def mayhem(
    folder: Path, *, kills: int, stores: int = 0, pause: float, number: int, seconds: float, within: float = math.inf,
    kind: str = "valkey",
) -> Mayhem:  # fmt: skip
    """Run `flows.FLOW` over ever more contexts while processes are killed, every ``pause`` seconds on average, until
    workers were killed ``kills`` times and the server of the store ``stores`` times, or, on a machine that is too slow
    for that, ``within`` seconds are over; wait then for all contexts, for so many seconds in all at most. ``kind`` is
    what the server is: valkey, redis."""
    done, began = Mayhem(), time.monotonic()
    with Server(folder / "store", kind=kind, **DURABLE, auto_aof_rewrite_min_size="4mb") as store:
        workers = Fleet(store.url, PREFIX, folder, lease=LEASE, runners=2, slots=4, durability="always")
        workers.measured = False
        try:
            await _run(
                workers, store, done, _Plan(kills, stores, pause, random.Random(number), began + within), seconds
            )
        finally:
            workers.abandon()
        with Redis.from_url(store.url) as look:
            done.left = left_in(look, TAG)
            done.left += [key.decode() for kind in FINISHED for key in look.scan_iter(f"{TAG}:{kind}*")]
            done.refused = int(str((look.get(f"{TAG}:refused:") or b"0").decode()))
    done.journal = Counter(flows.calls_of(folder))
    done.seconds = time.monotonic() - began
    return done


@dataclass
class _Plan:
    """What is to be killed how often, and from what it is drawn when."""

    kills: int
    stores: int
    pause: float
    rng: random.Random
    end: float

    def is_store_next(self, done: Mayhem) -> bool:
        """Say whether it is the turn of the server: its kills are spread over those of workers."""
        return done.kills["store"] * self.kills < done.workers * self.stores

    def is_over(self, done: Mayhem) -> bool:
        """Say whether there were enough, or there is no more time for them."""
        if time.monotonic() >= self.end:
            return True
        return done.workers >= self.kills and done.kills["store"] >= self.stores


async def _run(workers: Fleet, store: Server, done: Mayhem, plan: _Plan, seconds: float) -> None:
    workers.start(3)
    for worker in list(workers.workers):
        await workers.working(worker)
    news, enough = asyncio.Event(), asyncio.Event()
    submitting = asyncio.create_task(_submit(store.url, done, news, enough))
    doing = [submitting, asyncio.create_task(_kill(workers, store, done, plan, news, enough))]
    _, late = await asyncio.wait(doing, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    failed = next((task.exception() for task in doing if task.done() and task.exception()), None)
    await put_down(*late)
    if late:
        raise AssertionError(f"contexts have not ended: {done}\n{workers.log()[-4000:]}") from failed
    for worker in list(workers.workers):  # one that has just been started does not know yet how to end
        await workers.working(worker)
    codes = await workers.stop()
    done.log = workers.log()
    assert codes == [0] * len(codes), done.log


async def _kill(
    workers: Fleet, store: Server, done: Mayhem, plan: _Plan, news: asyncio.Event, enough: asyncio.Event
) -> None:
    while not plan.is_over(done):
        ended = len(done.outcomes)
        await asyncio.sleep(plan.rng.expovariate(1 / plan.pause))
        while len(done.outcomes) < ended + BETWEEN:
            news.clear()
            await news.wait()
        await asyncio.sleep(plan.rng.uniform(0.0, 0.1))  # not always when one has just ended
        if plan.is_store_next(done):
            store.kill()
            done.kills["store"] += 1
            await asyncio.sleep(plan.rng.expovariate(1 / AWAY))
            store.spawn()
        elif what := workers.kill_one(plan.rng, SUPERVISORS):
            done.kills[what] += 1
        done.kills["timer"] += workers.replace_expired()
    enough.set()


async def _submit(url: str, done: Mayhem, news: asyncio.Event, enough: asyncio.Event) -> None:
    """Keep so many contexts open, for as long as anybody is to be killed; hear of all ends."""

    async def sets() -> AsyncIterator[tuple[str, list[Input]]]:
        for number in itertools.count():
            if enough.is_set():
                return
            yield f"c{number}", flows.given(number)

    async with RedisOrchestrator(url, prefix=PREFIX, workers=0, max_ctxs=OPEN) as orchestrator:
        async with orchestrator(flows.FLOW) as octx:
            async for outcome in octx.outcomes(sets()):
                done.outcomes[int(outcome.name[1:])] = outcome
                news.set()
            counts = await octx.backend.counts(octx.plan)
            done.counts = {instance.rpartition(":")[2]: counted for instance, counted in counts.items()}
