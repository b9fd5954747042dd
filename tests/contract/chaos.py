"""Plays workers at random: what they lease, in which order they finish, when they vanish, what they say too late.

Everything is drawn from one number, so a run can be repeated. Whatever happens here must not matter for what a data
flow means.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from tests.contract.clock import Clock
from tests.contract.driver import Driver, Lease, Ran, Reading, Running, Script, identify
from tests.contract.fixpoint import child_seeds
from tests.contract.flows import Behaviour, Flow, Op, Seed, behave, dataflow_of, inputs_of, number_of
from tests.contract.subject import Factory
from tests.contract.tally import TALLY
from tidemill.engine.inputs import Item
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child, Completed, Emitted, Failed, Report
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan

__all__ = ["Chaos", "Seen", "play"]

STEPS = 20_000
"""Moves after which a context that has not ended never will."""
MAX_LOST = 2
"""Workers that may be lost with one parameter set, before it is held to be the cause."""


class Seen:
    """What was seen of one context."""

    def __init__(self, given: tuple[Seed, ...]) -> None:
        self.given = given
        self.sets: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.ran: Ran | None = None

    @property
    def ending(self) -> Ending:
        """How it ended."""
        assert self.ran is not None
        return self.ran.ending


class Chaos:
    """One run of a data flow's contexts, with everything that can go wrong between a backend and its workers."""

    def __init__(self, flow: Flow, driver: Driver, rng: random.Random) -> None:
        self.flow = flow
        self.driver = driver
        self.rng = rng
        self.seen: dict[str, Seen] = {}
        self.plans: dict[int, Plan] = {}
        self.todo: dict[Lease, list[Report]] = {}
        self.stale: list[tuple[Lease, Report]] = []
        self.lost: Counter[tuple[object, ...]] = Counter()
        self.flows: dict[str, Flow] = {}
        self.pending: list[tuple[str, list[Seed]]] = []
        self.ids: dict[int, str] = {}
        self.workers = [f"w{at}" for at in range(rng.randint(1, 4))]

    # -- contexts -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open every context, with some of its inputs or all, in any order."""
        plan = self.plan(self.flow)
        for at, seeds in enumerate(self.flow.contexts):
            name = f"c{at}"
            given = list(seeds)
            self.rng.shuffle(given)
            self.seen[name] = Seen((*self.flow.seed, *given))
            self.flows[name] = self.flow
            now = self.rng.randint(0, len(given))
            hold = now < len(given)
            first = inputs_of(self.flow, tuple(given[:now]))
            await self.driver.open(plan, first, name=name, strict=self.flow.strict, hold=hold)
            if hold:
                self.pending.append((name, given[now:]))

    def plan(self, flow: Flow) -> Plan:
        """Return the plan of a data flow, made once."""
        if id(flow) not in self.plans:
            self.plans[id(flow)] = compile_plan(dataflow_of(flow))
        return self.plans[id(flow)]

    async def more(self) -> None:
        """Give a context that is held open more of its inputs, or close it."""
        name, left = self.rng.choice(self.pending)
        count = self.rng.randint(1, len(left)) if left else 0
        batch, left[:] = left[:count], left[count:]
        try:
            if batch:
                repeated = self.rng.random() < 0.2
                for _ in range(1 + repeated):
                    await self.driver.backend.add(name, inputs_of(self.flow, tuple(batch)))
            if not left:
                self.pending.remove((name, left))
                await self.driver.backend.close(name)
        except Exception as error:
            # A strict context that has failed takes no more.
            assert self.flow.strict and type(error).__name__ == "ContextClosed", error
            self.pending = [one for one in self.pending if one[0] != name]
        self.driver.check()

    # -- workers --------------------------------------------------------------------------------------------------

    def which(self, lease: Lease) -> tuple[object, ...]:
        """Return what tells a parameter set from others, whatever object stands for it."""
        return lease.which

    def op(self, lease: Lease) -> Op:
        """Return the operation of a lease."""
        return next(op for op in self.flows[lease.context].operations if op.name == lease.instance)

    def identity(self, lease: Lease) -> str:
        """Return the identity of the parameter set of a lease."""
        from tidemill.engine.lineage import parameter_set_id

        known = {at: seed.uid for at, seed in enumerate(self.seen[lease.context].given)}
        ids = [self.named(lease.context, item, known) for item in lease.items]
        return parameter_set_id(lease.context, lease.parameter_set.operation, ids)

    def named(self, context: str, item: Item, uids: dict[int, str]) -> str:
        """Return the identity of an input, worked out once."""
        if id(item) not in self.ids:
            self.ids[id(item)] = identify(context, item, uids)
        return self.ids[id(item)]

    async def lease(self) -> None:
        """Have a worker lease some."""
        for lease in await self.driver.lease(self.rng.randint(1, 3), self.rng.choice(self.workers)):
            who = self.identity(lease)
            self.seen[lease.context].sets[who] += 1
            self.driver.scripts[lease.instance] = self.script(lease, who)
            self.todo[lease] = await self.driver.reports(lease)
            if self.op(lease).retry > lease.parameter_set.tries + 1 and self.rng.random() < 0.3:
                at = self.rng.randint(0, len(self.todo[lease]) - 1)
                self.todo[lease][at:] = [Failed(lease.parameter_set, failure(lease, "flaky"))]

    def script(self, lease: Lease, who: str) -> Script:
        """Return what the operation of a lease does."""
        op = self.op(lease)
        values = tuple(lease.arguments[param.name] for param in op.params)
        if op.stage is Stage.OUTPUT:
            return Reading(lambda get, **_: self.read(op, values, lease))
        child = op.rule.child
        if child is not None:
            return Running(
                lambda **_: [self.child(child, who, lease, values)],
                lambda endings, **_: self.outputs(op, values, endings),
            )
        done = behave(op, values)
        return lambda **_: generated(done.emissions, done.failed) if op.rule.generator else returned(done)

    def child(self, flow: Flow, who: str, lease: Lease, values: tuple[int, ...]) -> Child:
        """Return the child context of a parameter set."""
        name = f"{lease.context}/{lease.instance}/{who}"
        seeds = child_seeds(flow, values)
        self.seen[name] = Seen((*flow.seed, *seeds))
        self.flows[name] = flow
        return Child(who, self.plan(flow), inputs_of(flow, seeds), flow.strict)

    def outputs(self, op: Op, values: tuple[int, ...], endings: list[Ending]) -> object:
        """Return what an operation makes of how its child context ended."""
        (ending,) = endings
        self.seen[ending.context].ran = Ran(ending, [])
        if ending.failure is not None:
            raise ValueError(f"the child context failed: {ending.failure}")
        return returned(behave(op, values, number_of(ending.result)))

    async def read(self, op: Op, values: tuple[int, ...], lease: Lease) -> dict[str, object]:
        """Return what an operation of the output stage makes of the input network."""
        how, *names = op.rule.reads
        network, context = self.driver.backend.inputs, lease.parameter_set.context
        if behave(op, values).failed:
            raise ValueError("fails")
        found = {name: [item.value for item in await network.inputs(context, name)] for name in names}
        if how == "multi":
            return dict(found)
        if how == "single":
            return {name: listed[-1] for name, listed in found.items() if listed}
        if how == "values":
            return {"last": sum(values), f"of {sum(values)}": list(values)}
        keys = sorted(await network.inputs(context, names[0]), key=lambda item: item.value)
        group = [
            (item, {above.number for above in item.get_parents()}) for item in await network.inputs(context, names[1])
        ]
        return {"grouped": [item.value for key in keys for item, above in group if key.number in above]}

    async def work(self) -> None:
        """Have a worker report the next thing about one of its leases."""
        lease = self.rng.choice(list(self.todo))
        report = self.todo[lease].pop(0)
        if not isinstance(report, Emitted):
            del self.todo[lease]
        await self.driver.report(lease, report)
        if isinstance(report, Failed):
            self.seen[lease.context].failed[self.identity(lease)] += 1
        self.stale.append((lease, report))
        if lease.parameter_set.state == "leased":
            return
        self.todo.pop(lease, None)  # its context has failed, or what it emitted was refused
        self.driver.drop(lease)

    async def trouble(self) -> None:
        """Have a worker hand back, vanish, or repeat what it said before."""
        kind = self.rng.choice(["release", "lost", "vanish", "repeat", "late"])
        held = [lease for lease in self.todo if self.lost[self.which(lease)] < MAX_LOST]
        if kind == "repeat" and self.stale:
            lease, report = self.rng.choice(self.stale)
            if report.lease != lease.parameter_set.leases or lease not in self.todo:
                await self.driver.cycle(lease.worker, (report,), 0)
                TALLY.refused_reports += 1
        elif kind == "vanish":
            await self.vanish(self.rng.choice(self.workers))
        elif held and kind in ("release", "lost"):
            lease = self.rng.choice(held)
            self.forget(lease)
            if kind == "lost":
                self.lost[self.which(lease)] += 1
            await (self.driver.release(lease) if kind == "release" else self.driver.lost(lease))

    async def vanish(self, worker: str) -> None:
        """Let a worker vanish, unless one of its parameter sets would be held to be the cause."""
        mine = [lease for lease in self.todo if lease.worker == worker]
        if any(self.lost[self.which(lease)] >= MAX_LOST for lease in mine):
            return
        for lease in mine:
            self.lost[self.which(lease)] += 1
            self.forget(lease)
        TALLY.lost_workers += 1
        await self.driver.lose(worker)

    def forget(self, lease: Lease) -> None:
        """Take a lease off a worker that may still say something about it: what it says then has to be refused."""
        for report in self.todo.pop(lease):
            if isinstance(report, Completed):
                evil = {name: -1 for name, _ in self.op(lease).outputs}
                self.stale.append((lease, Completed(lease.parameter_set, evil, (), lease.number)))
            elif not isinstance(report, Emitted):
                report.lease = lease.number
                self.stale.append((lease, report))

    # -- all of it ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Play until every context has ended."""
        await self.open()
        for _ in range(STEPS):
            if not await self.move():
                break
        else:
            raise AssertionError(f"no end after {STEPS} moves")
        for name in (f"c{at}" for at in range(len(self.flow.contexts))):
            self.seen[name].ran = await self.driver.end(name)

    async def move(self) -> bool:
        """Make one move; say whether there was one to make."""
        if self.pending and self.rng.random() < 0.2:
            await self.more()
        elif self.rng.random() < 0.15:
            await self.trouble()
        elif self.todo and self.rng.random() < 0.6:
            await self.work()
        else:
            before = len(self.driver.leases)
            await self.lease()
            if len(self.driver.leases) == before:
                return await self.otherwise()
        return True

    async def otherwise(self) -> bool:
        """Do what can be done when nothing is ready."""
        if self.todo:
            await self.work()
        elif self.pending:
            await self.more()
        elif self.driver.clock.advance():
            self.driver.check()
        else:
            return False
        return True


def failure(lease: Lease, message: str):  # type: ignore[no-untyped-def]
    """Return a failure of this lease."""
    from tests.contract.driver import failure_of

    return failure_of(lease, message)


def generated(emissions: Iterable[Mapping[str, object]], failed: bool) -> Iterator[Mapping[str, object]]:
    """Yield what a generator yields."""
    yield from emissions
    if failed:
        raise ValueError("fails")


def returned(done: Behaviour) -> Mapping[str, object] | None:
    """Return what an operation returns."""
    if done.failed:
        raise ValueError("fails")
    return done.emissions[0] if done.emissions else None


async def play(flow: Flow, factory: Factory, number: int, tamper: Callable[[Driver], None] | None = None) -> Chaos:
    """Run a data flow in the order that ``number`` stands for, and return all that was seen of it."""
    rng = random.Random(number)
    clock = Clock()
    choose = rng.randrange if rng.random() < 0.7 else None
    async with factory(clock, choose) as subject:
        driver = Driver(subject, clock, ancestors=True)
        chaos = Chaos(flow, driver, rng)
        await chaos.run()
        assert not driver.holding(), f"leased after the end: {driver.holding()}"
    return chaos
