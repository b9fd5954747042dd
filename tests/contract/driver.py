"""Plays the workers of a backend: leases parameter sets, runs scripted operations, reports what became of them.

Tests say what happens when, so any order of events can be played. Nothing here knows which backend it is. Whatever a
test plays, the driver looks after every step: no lock is held twice, nothing is leased of a context that has ended,
and the backend's own books are right.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.contract.clock import Clock
from tests.contract.subject import Subject
from tidemill.engine.inputs import Item
from tidemill.engine.lineage import identity, parameter_set_id
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationFailure
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.networks.backend import Backend, Ending
from tidemill.networks.implementations import Child, Completed, Emitted, Failed, Lost, Released, Report, Subflow
from tidemill.plan.compile import compile_plan
from tidemill.plan.digest import canonical
from tidemill.plan.plan import Plan

__all__ = ["Driver", "Lease", "Ran", "Reading", "Running", "failure_of"]

DEADLINE = 120.0
"""Seconds after which something that has to happen has not: far above what any step takes."""

Script = Any
"""What an operation does: a function or a generator function of its parameters, a `Reading`, or a `Running`."""


@dataclass(frozen=True)
class Reading:
    """A script that reads the input network: ``read`` is given ``get(definition)`` and the parameters."""

    read: Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Running:
    """A script that runs data flows: ``children`` names them, ``outputs`` makes outputs of how they ended."""

    children: Callable[..., Sequence[Child]]
    outputs: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Lease:
    """One lease of a parameter set to a worker, as the worker was handed it. ``items`` have their ancestors, if the
    driver looks after those."""

    worker: str
    parameter_set: ParameterSet
    number: int
    context: str
    instance: str
    arguments: dict[str, Any]
    items: tuple[Item, ...]

    @property
    def which(self) -> tuple[Any, ...]:
        """What tells its parameter set from others, whatever object stands for it."""
        return (self.context, self.instance, *[item.number for item in self.items])


@dataclass
class Ran:
    """What one run of a context came to."""

    ending: Ending
    leases: list[Lease]

    def calls(self, instance: str) -> list[dict[str, Any]]:
        """Return the parameters of each call of an operation, in the order in which they were leased."""
        return [lease.arguments for lease in self.leases if lease.instance == instance]

    @property
    def result(self) -> dict[str, Any]:
        """The result of a context that has to have one."""
        assert self.ending.failure is None, f"the context failed: {self.ending.failure}"
        assert self.ending.result is not None
        return self.ending.result

    @property
    def failure(self) -> OperationFailure:
        """Why the context failed, as it has to have."""
        assert self.ending.result is None
        assert self.ending.failure is not None, "the context was to fail and did not"
        return self.ending.failure


def failure_of(lease: Lease, message: str = "boom", reason: str = "Exception") -> OperationFailure:
    """Return the failure that a worker would report for this lease."""
    operation = lease.parameter_set.operation
    return OperationFailure(reason, message, lease.instance, operation.name, lease.arguments, context=lease.context)


@dataclass
class Driver:
    """One backend and the workers that this test plays. ``ancestors``: leases come with the ancestors of their inputs;
    they do as soon as there may be locks."""

    subject: Subject
    clock: Clock
    scripts: dict[str, Script] = field(default_factory=dict)
    leases: list[Lease] = field(default_factory=list)
    held: dict[str, list[Lease]] = field(default_factory=dict)
    seen: dict[int, ParameterSet] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    ancestors: bool = False

    @property
    def backend(self) -> Backend:
        """The backend under test."""
        return self.subject.backend

    # -- contexts -----------------------------------------------------------------------------------------------

    async def open(
        self,
        flow: DataFlow | Plan,
        inputs: Iterable[Input] = (),
        *,
        name: str = "context",
        strict: bool = True,
        hold: bool = False,
    ) -> Plan:
        """Open a context and return the plan that it executes."""
        plan = flow if isinstance(flow, Plan) else compile_plan(flow)
        self.ancestors = self.ancestors or may_lock(plan)
        await self.backend.open(name, plan, list(inputs), strict=strict, hold=hold)
        self.check()
        return plan

    async def end(self, name: str = "context") -> Ran:
        """Wait for the end of a context that has nothing left to do but end."""
        ending = await asyncio.wait_for(self.backend.ending(name), DEADLINE)
        self.ended.add(name)
        assert not [lease for lease in self.holding() if lease.context == name], "leased after the end"
        return Ran(ending, [lease for lease in self.leases if lease.context == name])

    async def run(
        self,
        flow: DataFlow | Plan,
        scripts: Mapping[str, Script],
        inputs: Iterable[Input] = (),
        *,
        name: str = "context",
        strict: bool = True,
    ) -> Ran:
        """Open a context, do all of its work in the order in which it is handed out, and return how it ended."""
        self.scripts.update(scripts)
        await self.open(flow, inputs, name=name, strict=strict)
        await self.drain()
        return await self.end(name)

    # -- workers ------------------------------------------------------------------------------------------------

    def holding(self) -> list[Lease]:
        """Return every lease that some worker still holds."""
        return [lease for leases in self.held.values() for lease in leases]

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> list[Lease]:
        """Report and lease, as one step of a worker."""
        leased = await self.backend.implementations.cycle(worker, reports, want)
        assert len(leased) <= want, f"{worker} wanted {want} and was leased {len(leased)}"
        new = [await self._leased(worker, one) for one in leased]
        for lease in new:
            assert lease.context not in self.ended, f"{lease} of a context that has ended"
            self.seen[id(lease.parameter_set)] = lease.parameter_set
        self.leases.extend(new)
        self.held.setdefault(worker, []).extend(new)
        self.check()
        return new

    async def _leased(self, worker: str, one: ParameterSet) -> Lease:
        items = await self.subject.above(one) if self.ancestors else one.items
        return Lease(worker, one, one.leases, one.context.name, one.operation.instance, one.arguments(), items)

    async def lease(self, want: int = 1, worker: str = "w1") -> list[Lease]:
        """Lease up to ``want`` parameter sets."""
        return await self.cycle(worker, (), want)

    async def one(self, worker: str = "w1") -> Lease:
        """Lease one parameter set, which has to be there."""
        leased = await self.lease(1, worker)
        assert leased, "nothing was ready"
        return leased[0]

    def drop(self, lease: Lease) -> None:
        """Have the worker forget a lease, without telling anybody."""
        if lease in self.held.get(lease.worker, ()):
            self.held[lease.worker].remove(lease)

    async def report(self, lease: Lease, report: Report) -> None:
        """Send one report on behalf of the holder of a lease; it holds it no more unless a generator goes on."""
        report.lease = lease.number
        if isinstance(report, Subflow):
            self.ancestors = self.ancestors or any(may_lock(child.plan) for child in report.children)
        if not isinstance(report, Emitted):
            self.drop(lease)
        await self.cycle(lease.worker, (report,), 0)

    async def complete(self, lease: Lease, returned: Any = None, notes: Sequence[str] = ()) -> None:
        """Report that the operation has returned."""
        await self.report(lease, Completed(lease.parameter_set, returned, notes))

    async def emit(self, lease: Lease, emission: int, returned: Any) -> None:
        """Report that the generator has yielded."""
        await self.report(lease, Emitted(lease.parameter_set, emission, returned))

    async def fail(self, lease: Lease, message: str = "boom") -> None:
        """Report that this try has failed."""
        await self.report(lease, Failed(lease.parameter_set, failure_of(lease, message)))

    async def release(self, lease: Lease) -> None:
        """Hand a lease back."""
        await self.report(lease, Released(lease.parameter_set))

    async def lost(self, lease: Lease, message: str = "it vanished") -> None:
        """Report that the process which ran it is gone."""
        await self.report(lease, Lost(lease.parameter_set, message))

    async def lose(self, worker: str) -> int:
        """Let a worker vanish with all that it holds."""
        self.held.pop(worker, None)
        count = await self.backend.implementations.lose(worker)
        self.check()
        return count

    # -- scripts ------------------------------------------------------------------------------------------------

    async def reports(self, lease: Lease) -> list[Report]:
        """Return what a worker that runs the operation of this lease reports, one after the other."""
        one, script = lease.parameter_set, self.scripts.get(lease.instance)
        try:
            if isinstance(script, Running):
                if one.children is None:
                    return [Subflow(one, list(script.children(**lease.arguments)))]
                endings, one.children = one.children, None
                return [Completed(one, script.outputs(endings, **lease.arguments))]
            if isinstance(script, Reading):
                return [Completed(one, await script.read(self._getter(one), **lease.arguments))]
            returned = script(**lease.arguments) if script is not None else None
        except Exception as error:
            return [Failed(one, failure_of(lease, f"{type(error).__name__}: {error}"))]
        return _emissions(lease, returned) if inspect.isgenerator(returned) else [Completed(one, returned)]

    def _getter(self, one: ParameterSet) -> Callable[[str], Awaitable[list[Any]]]:
        async def get(definition: str) -> list[Any]:
            return [item.value for item in await self.backend.inputs.inputs(one.context, definition)]

        return get

    async def finish(self, lease: Lease) -> None:
        """Run the operation of a lease and report everything."""
        for report in await self.reports(lease):
            await self.report(lease, report)

    async def drain(self, worker: str = "w1") -> None:
        """Do everything that there is to do, winding the clock on whenever nothing else is left."""
        while True:
            leased = await self.lease(1, worker)
            if leased:
                await self.finish(leased[0])
            elif not self.clock.advance():
                return
            self.check()

    # -- what always holds --------------------------------------------------------------------------------------

    def check(self) -> None:
        """Fail if a lock is held twice, or if the backend's books are wrong."""
        locked: dict[tuple[str, int], Lease] = {}
        for lease in self.holding():
            for number in locks_below(lease.items):
                other = locked.setdefault((lease.context, number), lease)
                assert other is lease, f"{other} and {lease} hold the lock of input {number} at once"
        self.subject.check(self.seen.values())

    async def hears(self, heard: Sequence[str], expected: Sequence[str]) -> None:
        """Wait until listeners have heard what is expected; they must not have heard more."""
        async with asyncio.timeout(DEADLINE):
            while len(heard) < len(expected):
                await self.subject.hears()
        await self.subject.hears()
        assert list(heard) == list(expected)


def _emissions(lease: Lease, generator: Any) -> list[Report]:
    one, found = lease.parameter_set, list[Report]()
    try:
        while True:
            found.append(Emitted(one, len(found), next(generator)))
    except StopIteration as stop:
        found.append(Completed(one, stop.value))
    except Exception as error:
        found.append(Failed(one, failure_of(lease, f"{type(error).__name__}: {error}")))
    return found


def may_lock(plan: Plan) -> bool:
    """Say whether an input of this plan may be locked."""
    return any(definition.lock for definition in plan.definitions.values())


def locks_below(items: Iterable[Item]) -> set[int]:
    """Return the numbers of the locked inputs among ``items`` and all their ancestors, worked out from scratch."""
    found, ahead, looked = set[int](), list(items), set[int]()
    while ahead:
        item = ahead.pop()
        if item.number not in looked:
            looked.add(item.number)
            ahead.extend(item.parents)
            if item.definition is not None and item.definition.lock:
                found.add(item.number)
    return found


def identify(context: str, item: Item, uids: Mapping[int, str]) -> str:
    """Return the identity of an input; ``uids`` names the given ones, by their place among those given."""
    if item.channel is None:
        return "default"
    if item.channel.definition.dedupe:
        origins = (str(item.origin), str(item.channel.stands_for or ""))
        return identity("value", context, *origins, item.channel.definition.name, canonical(item.value).decode())
    if item.channel.operation is None:
        place = item.position[1]
        known = uids.get(place)
        place_of = (known,) if known else (item.channel.definition.name, str(place))
        return identity("seed", context, str(item.origin), *place_of)
    parents = [identify(context, parent, uids) for parent in item.parents]
    made_by = parameter_set_id(context, item.channel.operation, parents)
    return identity("out", made_by, item.origin[1], *map(str, item.position))
