"""Runners of the simulation: they lease, run scripted operations, report in batches, and say things that are not true
any more.

They talk to the store as a real runner does, through `RedisOperationImplementationNetwork.exchange` with a nonce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from tests.contract.driver import identify
from tests.contract.fixpoint import child_seeds
from tests.contract.flows import Behaviour, Flow, Op, behave, inputs_of, number_of
from tests.simulation.ahead import lies_about, run_on
from tests.simulation.schedule import Process, Schedule, again
from tests.simulation.truth import Truth
from tidemill.backends.redis.backend import RedisBackend
from tidemill.engine.inputs import Item
from tidemill.engine.lineage import parameter_set_id
from tidemill.engine.parameters import DROPPED, ParameterSet
from tidemill.errors import CorruptValue, OperationFailure
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child, Completed, Emitted, Failed, Fenced, Lost, Released, Report, Subflow
from tidemill.plan.plan import Plan, PlannedOperation

__all__ = ["Runner", "Surroundings"]

EVIL = -1
"""What nobody has computed: it must never be found in a context."""
ROOM = 4
"""Parameter sets that a runner has at once."""


class Surroundings(Protocol):
    """What a runner needs of its world."""

    rng: Random
    schedule: Schedule
    truth: Truth
    trouble: bool

    def flow_of(self, context: str) -> Flow: ...
    def plan_of(self, flow: Flow) -> Plan: ...
    def begun(self, context: str, flow: Flow) -> None: ...
    def ended(self, context: str, ending: Ending, raw: bytes | None) -> None: ...
    def uid(self, context: str, number: int) -> str: ...
    def nonce(self) -> bytes: ...


@dataclass(eq=False)
class Job:
    """One lease, and what is still to be said of it."""

    one: ParameterSet
    lease: int
    reports: list[Report]


class Runner:
    """One runner of a process. ``number`` of zombies' words that it says before it believes that it is dead."""

    def __init__(self, world: Surroundings, process: Process, backend: RedisBackend, name: str) -> None:
        self.world = world
        self.rng = world.rng
        self.process = process
        self.backend = backend
        self.name = name
        self.jobs: list[Job] = []
        self.old: list[tuple[ParameterSet, int]] = []
        self.ahead: dict[int, Job] = {}
        self.luck = Random(name)  # of its own: what numbers meant before there was running ahead they mean now
        self.draining = False

    async def run(self) -> None:
        """Work until the store says that this runner is dead, or until it has drained."""
        network, words = self.backend.implementations, 2
        while not (self.draining and not self.jobs):
            reports = self._to_say()
            want = 0 if self.draining else self.rng.randint(0 if self.jobs else 1, ROOM)
            nonce = self.world.nonce()
            self.world.truth.sends(self.name, reports)
            said = [*reports, *self._evil()]
            try:
                leased, due = await again(lambda: network.exchange(self.name, said, want, nonce))  # noqa: B023
            except Fenced:
                self._owned(reports)
                words -= 1
                if words == 0:
                    return
                continue
            self.jobs = [job for job in self.jobs if job.reports and job.one.state != DROPPED]
            self._owned(reports)
            for one in leased:
                self.jobs.append(Job(one, one.leases, await self._reports(one)))
                await self._run_ahead(self.jobs[-1])
            if not self.jobs and len(leased) < want:
                await self._idle(due)

    async def _run_ahead(self, job: Job) -> None:
        """Run on from what a lease has come to, or say that more was run than was."""
        network, faults = self.backend.implementations, self.world.schedule.faults
        (said, *more) = job.reports
        if more or not isinstance(said, Completed) or job.one.operation.stage is not Stage.PROCESSING:
            return
        if self.world.trouble and self.luck.random() < 0.1:
            faults["evil ahead"] += lies_about(said, network, self.luck, EVIL)
            return
        rest = await run_on(said, network, self._reports, self.luck)
        faults["ran ahead"] += len(said.ahead)
        faults["ended ahead"] += bool(said.ahead) and _operation(said.ahead[-1]).stage is Stage.OUTPUT
        if rest is not None:
            self.ahead[id(said)] = Job(rest[0], 0, rest[1])

    def _owned(self, reports: Sequence[Report]) -> None:
        """Go on with what ran ahead and has been leased with a report, and with nothing else of that."""
        for report in reports:
            job = self.ahead.pop(id(report), None)
            if job is not None and job.one.worker is not None:
                job.lease = job.one.leases
                self.jobs.append(job)
                self.world.schedule.faults["leased as it ran"] += 1

    async def _idle(self, due: float | None) -> None:
        schedule = self.world.schedule
        over = schedule.now + due if due is not None else float("inf")
        while not await self.backend.implementations.rung(self.name):
            if schedule.now >= over or self.draining:
                return
        self.world.schedule.said(self.name, "hears its bell")

    def _to_say(self) -> list[Report]:
        """Return some of what is to be said, in its order for each lease."""
        found: list[Report] = []
        for job in self.jobs:
            if job.reports and (self.rng.random() < 0.6 or self.draining):
                many = self.rng.randint(1, len(job.reports))
                for report in job.reports[:many]:
                    report.lease = job.lease
                    found.append(report)
                del job.reports[:many]
                if not job.reports:
                    self.old.append((job.one, job.lease))
        if not self.world.truth.is_gone(self.name):
            return found
        return [self._lie(report.parameter_set, report.lease) for report in found]  # a zombie

    def _evil(self) -> list[Report]:
        """Return what is not true any more: outputs for leases that are over."""
        if not self.old or self.rng.random() > 0.08:
            return []
        one, lease = self.rng.choice(self.old)
        self.world.schedule.fault("evil report", self.name, one, lease)
        return [self._lie(one, lease)]

    def _lie(self, one: ParameterSet, lease: int) -> Report:
        outputs = {name: [EVIL] if name in one.operation.operation.expand else EVIL for name in one.operation.outputs}
        lied = ParameterSet(one.context, one.operation, one.items)
        lied.worker, lied.leases, lied.emitted = one.worker, one.leases, one.emitted
        kind = self.rng.randrange(4)
        if kind == 0:
            return Failed(lied, failure(one, "evil"), lease)
        if kind == 1 and one.operation.stage is not Stage.OUTPUT:
            return Emitted(lied, one.emitted, outputs, lease)
        said = Completed(lied, outputs, (), lease)
        if one.operation.stage is Stage.PROCESSING and self.luck.random() < 0.5:
            said.ahead = [Completed(lied, outputs)]
            if not all(self.backend.implementations.seal(one) for one in (said, said.ahead[0])):  # type: ignore[arg-type]
                said.ahead = []
        return said

    # -- what operations do -----------------------------------------------------------------------------------------

    async def _reports(self, one: ParameterSet) -> list[Report]:
        """Return what there is to say of a lease."""
        rng = self.rng
        flow = self.world.flow_of(one.context.name)
        op = next(op for op in flow.operations if op.name == one.operation.instance)
        try:
            reports = await self._done(flow, op, one)
        except (
            CorruptValue
        ) as error:  # its context is gone by now, and nobody will want to hear this; else it is a fault
            return [Failed(one, failure(one, error.message))]
        if not self.world.trouble or not reports:
            return reports
        if op.retry > one.tries + 1 and rng.random() < 0.3:
            reports[rng.randrange(len(reports)) :] = [Failed(one, failure(one, "flaky"))]
            self.world.schedule.faults["flaky try"] += 1
        elif rng.random() < 0.05:
            reports[rng.randrange(len(reports)) :] = [Released(one)]
            self.world.schedule.faults["handed back"] += 1
        elif one.lost == 0 and rng.random() < 0.03:
            reports[rng.randrange(len(reports)) :] = [Lost(one, "its process has vanished")]
            self.world.schedule.faults["lost process"] += 1
        return reports

    async def _done(self, flow: Flow, op: Op, one: ParameterSet) -> list[Report]:
        if op.rule.child is not None and one.worker is None:
            return []  # its inputs have no numbers yet
        values = tuple(one.arguments()[param.name] for param in op.params)
        if op.stage is Stage.OUTPUT:
            if behave(op, values).failed:
                return [Failed(one, failure(one, "fails"))]
            return [Completed(one, await self._read(op, values, one))]
        if op.rule.child is not None:
            return [await self._child(op, op.rule.child, values, one)]
        done = behave(op, values)
        if op.rule.generator:
            said: list[Report] = [Emitted(one, at, emission) for at, emission in enumerate(done.emissions)]
            return [*said, Failed(one, failure(one, "fails")) if done.failed else Completed(one, None)]
        return [outcome(one, done)]

    async def _child(self, op: Op, flow: Flow, values: tuple[int, ...], one: ParameterSet) -> Report:
        """Return the wish to run a child data flow, or what comes of how it has ended."""
        if one.children is None:
            who = await self._identity(one)
            seeds = child_seeds(flow, values)
            plan = self.world.plan_of(flow)
            self.world.begun(f"{one.context.name}/{op.name}/{who}", flow)
            return Subflow(one, [Child(who, plan, inputs_of(flow, seeds), flow.strict)])
        (ending,), one.children = one.children, None
        self.world.ended(ending.context, ending, None)
        if ending.failure is not None:
            return Failed(one, failure(one, f"the child context failed: {ending.failure.reason}"))
        return outcome(one, behave(op, values, number_of(ending.result)))

    async def _identity(self, one: ParameterSet) -> str:
        items = await again(lambda: self.backend.inputs.above(one.context, one.items))
        uids: dict[int, str] = {}
        ahead = list(items)
        while ahead:
            item = ahead.pop()
            ahead += item.parents
            if item.channel is not None and item.channel.operation is None:
                uids[item.position[1]] = self.world.uid(one.context.id, item.number)
        ids = [identify(one.context.name, item, uids) for item in items]
        return parameter_set_id(one.context.name, one.operation, ids)

    async def _read(self, op: Op, values: tuple[int, ...], one: ParameterSet) -> dict[str, Any]:
        """Return what an operation of the output stage makes of the input network."""
        how, *names = op.rule.reads
        if how == "values":
            return {"last": sum(values), f"of {sum(values)}": list(values)}
        found = {name: await self._inputs(one, name) for name in names}
        if how == "multi":
            return {name: [item.value for item in items] for name, items in found.items()}
        if how == "single":
            return {name: items[-1].value for name, items in found.items() if items}
        keys = sorted(found[names[0]], key=lambda item: item.value)
        group = [(item, {above.number for above in item.get_parents()}) for item in found[names[1]]]
        return {"grouped": [item.value for key in keys for item, above in group if key.number in above]}

    async def _inputs(self, one: ParameterSet, name: str) -> Sequence[Item]:
        return await again(lambda: self.backend.inputs.inputs(one.context, name))


def _operation(ran: Completed | ParameterSet) -> PlannedOperation:
    return ran.operation if isinstance(ran, ParameterSet) else ran.parameter_set.operation


def outcome(one: ParameterSet, done: Behaviour) -> Report:
    """Return what there is to say of what an operation did."""
    if done.failed:
        return Failed(one, failure(one, "fails"))
    returned: Mapping[str, Any] | None = done.emissions[0] if done.emissions else None
    return Completed(one, returned)


def failure(one: ParameterSet, message: str) -> OperationFailure:
    """Return a failure of a parameter set."""
    operation = one.operation
    return OperationFailure("Exception", message, operation.instance, operation.name, {}, context=one.context.name)
