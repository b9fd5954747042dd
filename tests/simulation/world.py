"""One simulated world: a store, whoever submits, runners and workers, and everything that can happen to them.

Everything is drawn from one number. `World.run` plays until every context has ended and all has been read, and looks
at the books of the store now and then and at the end.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.contract.flows import Flow, Seed, dataflow_of
from tests.simulation.audit import Audit, Context
from tests.simulation.faults import Faults
from tests.simulation.flows import flow_of, pools_of
from tests.simulation.line import Line
from tests.simulation.runners import Runner
from tests.simulation.schedule import Process, Schedule, again, wait
from tests.simulation.submitters import Planned, Submitter
from tests.simulation.truth import Granted, Truth
from tests.simulation.wire import Wire
from tests.simulation.workers import LEASE, Worker
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.plans import Wired
from tidemill.networks.backend import Ending
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan

__all__ = ["World"]

STEPS = 12_000
"""Moves after which what has not ended never will."""
TROUBLE = 2_500
"""Moves after which nothing bad happens any more."""
STILL = 40 * LEASE
"""Seconds in which something has to move."""
LOST = 0.08
"""Share of replies that are lost."""


class World:
    """The world that ``number`` stands for, in a store that has nothing else; ``url`` is where it listens."""

    def __init__(self, wire: Wire, url: str, number: int) -> None:
        self.number = number
        self.rng = Random(number)
        self.wire = wire
        self.url = url
        self.schedule = Schedule(self.rng, self._exist)
        self.truth = Truth(self._locks, self.schedule.said)
        self.trouble = True
        self.audits = 0
        self.flow = flow_of(self.rng)
        self.pools = pools_of(self.flow)
        self.plans: dict[int, Plan] = {}
        self.wired: dict[str, Wired] = {}
        self.flows: dict[str, Flow] = {}
        self.endings: dict[str, tuple[Ending, bytes | None]] = {}
        self.locked: dict[tuple[str, str], frozenset[int]] = {}
        self.lossy = LOST if self.rng.random() < 0.9 else 0.0
        self.threshold = 0 if self.rng.random() < 0.08 else 64 * 1024
        self.tag = ""
        self.world = Process("world")
        self.submitters = [Submitter(self, f"owner{at}", some) for at, some in enumerate(self._planned())]
        self.workers: list[Worker] = []
        self.wanted = self.rng.randint(1, 3)
        self._names = 0
        self.alone: Runner | None = None
        if self.rng.random() < 0.5:
            process = Process("alone")
            self.alone = Runner(self, process, self.backend(process, fresh=self.rng.random() < 0.2), "alone")
            self.schedule.start(process, "alone", self.alone.run())
        self.schedule.start(self.world, "janitor", self._keep())
        self.faults = Faults(self)

    # -- what there is ----------------------------------------------------------------------------------------------

    def _planned(self) -> list[list[Planned]]:
        """Return what each submitter is to submit."""
        rng, found = self.rng, list[Planned]()
        for at, seeds in enumerate(self.flow.contexts):
            given = list(seeds)
            rng.shuffle(given)
            now = rng.randint(0, len(given)) if rng.random() < 0.6 else len(given)
            rest, portions = given[now:], list[tuple[Seed, ...]]()
            while rest:
                many = rng.randint(1, len(rest))
                portions.append(tuple(rest[:many]))
                del rest[:many]
            hold = bool(portions) or rng.random() < 0.1
            cancel = rng.random() < 0.08
            found.append(Planned(f"c{at}", self.flow, tuple(given[:now]), portions, hold, cancel))
            self.flows[f"c{at}"] = self.flow
        cut = rng.randint(1, len(found))
        return [some for some in (found[:cut], found[cut:]) if some]

    def backend(self, process: Process, *, fresh: bool) -> RedisBackend:
        """Return the library as a process uses it; a ``fresh`` one knows no plans yet."""
        client = Client(self.url, prefix=f"s{self.number}:", threshold=self.threshold)
        line: Any = Line(
            process.name, self.wire, self.schedule, self.truth.saw, lambda: self.lossy if self.trouble else 0
        )
        client.redis = client._waiting = line
        self.tag = client.tag
        backend = RedisBackend(client, owner=process.name, lineage=True, now=lambda: self.schedule.now)
        if not fresh and self.threshold:
            plan = self.plan_of(self.flow)
            backend.wired[plan.digest] = self.wired[plan.digest]
        return backend

    def plan_of(self, flow: Flow) -> Plan:
        """Return the plan of a data flow, made once."""
        if id(flow) not in self.plans:
            plan = self.plans[id(flow)] = compile_plan(dataflow_of(flow))
            self.wired[plan.digest] = Wired(plan)
        return self.plans[id(flow)]

    def flow_of(self, context: str) -> Flow:
        """Return the data flow of a context."""
        return self.flows[context]

    def begun(self, context: str, flow: Flow) -> None:
        """A child context is about to begin."""
        self.flows[context] = flow

    def ended(self, context: str, ending: Ending, raw: bytes | None) -> None:
        """Somebody has read what became of a context."""
        self.schedule.said(context, "has ended", ending.failure.reason if ending.failure else ending.result)
        self.endings[context] = ending, raw

    def uid(self, context: str, number: int) -> str:
        """Return the identity that an input of a context was given."""
        return (self.wire.ask("HGET", f"{self.tag}:c:{context}", f"u{number}") or b"").decode()

    def nonce(self) -> bytes:
        """Return bytes that nobody had before."""
        return self.rng.randbytes(16)

    def _exist(self, keys: list[str]) -> list[bool]:
        return [bool(there) for there in self.wire.all([("EXISTS", key) for key in keys])]

    def _locks(self, one: Granted) -> frozenset[int]:
        """Return the locks of what has just been leased, worked out from the inputs of its context."""
        key = one.context, one.id
        if key not in self.locked:
            if not any(defined.lock for defined in self.flows[one.name].definitions):
                return frozenset()
            flat = self.wire.ask("HGETALL", f"{self.tag}:c:{one.context}")
            context = Context(dict(zip(flat[::2], flat[1::2], strict=True)), self.wired)
            self.locked[key] = context.locks_of([int(number) for number in one.id.split(":")[1:]])
        return self.locked[key]

    # -- what happens -----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Start workers for those that are gone."""
        while True:
            for pool in self.pools:
                live = [worker for worker in self.workers if not worker.process.dead and worker.pool == pool]
                for _ in range(self.wanted - len(live)):
                    self._names += 1
                    self.workers.append(Worker(self, f"w{self._names}", self.rng.randint(1, 2), pool))
            await wait(until=self.schedule.now + self.rng.random() * LEASE)

    def run(self) -> None:
        """Play all of it. Raises `AssertionError` for whatever is not as it has to be."""
        schedule, moves, since = self.schedule, 0, 0.0
        while schedule.owed or not all(submitter.finished for submitter in self.submitters):
            self.trouble = schedule.steps < TROUBLE
            if self.trouble and self.rng.random() < self.faults.rate:
                self.faults.one()
            schedule.move()
            if self.rng.random() < 0.01 or self.truth.look:
                self.truth.look = False
                self.audit()
            if self.truth.moves != moves:
                moves, since = self.truth.moves, schedule.now
            if schedule.now - since > STILL and not schedule.owed:
                self.audit().idle()
                raise AssertionError(f"nothing moves any more: {self._open()}")
            assert schedule.steps < STEPS, f"no end after {STEPS} moves: {self._open()}"
        self.trouble = False
        self.audit()
        self._leave()

    def _open(self) -> list[str]:
        return [name.decode() for name in self.wire.ask("HKEYS", f"{self.tag}:names")]

    def audit(self) -> Audit:
        """Recount what the store has."""
        self.audits += 1
        return Audit(self.wire, self.tag, self.wired)

    def _leave(self) -> None:
        """Have everybody go home, retentions end, and see that nothing stays."""
        for actor in list(self.schedule.actors):
            self.schedule.end(actor)
        backend = self.backend(Process("sweeper"), fresh=True)

        async def sweep() -> None:
            self.schedule.now += STILL  # what waits in line and belongs to nobody is found by whoever takes it
            for backend.implementations.pool in self.pools:
                leased = await again(lambda: backend.implementations.exchange("alone", (), 100, self.nonce()))
                assert not leased[0], f"all contexts have ended, and there is still {leased[0]}"
                await again(lambda: backend.implementations.lose("alone"))
            for worker in self.workers:
                await again(lambda: backend.implementations._workers.bye(worker.name))  # noqa: B023
            for now in (1e9, 2e9):
                await again(lambda: backend.endings.collect(now))  # noqa: B023

        self.schedule.start(Process("sweeper"), "sweeper", sweep())
        while self.schedule.actors:
            self.schedule.move()
        self.audit()
