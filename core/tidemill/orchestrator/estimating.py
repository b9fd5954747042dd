"""How long a data flow will take, before it is run: the real engine in memory, stubs for operations, and virtual time.

Combinations, redundancy, gates, locks, concurrency, stages and child contexts are the engine's; only the calls are not
made. A call takes a slot of a worker when it is leased, and begins when its executor has room. Neighbours: `stubs`,
`backends.memory`; ``tidemill estimate`` prints it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tidemill.backends.memory.backend import MemoryBackend
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import OperationException, TidemillError
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Completed, Report, Subflow
from tidemill.orchestrator.critical import Paths
from tidemill.orchestrator.memory import OPEN_AT_ONCE, READY_ENOUGH
from tidemill.orchestrator.running import bound
from tidemill.orchestrator.stubs import DEFAULT, Measured, Needs, Stub, Stubs
from tidemill.plan.compile import compile_plan
from tidemill.runtime.pump import SLOTS
from tidemill.runtime.threads import Threads

__all__ = ["Calls", "Estimated", "estimate"]

WORKER = "estimate"


@dataclass(slots=True)
class Calls:
    """The calls of one operation: how many, their ``seconds`` and the most ``memory`` of one, and where that comes
    from (see `Stub.source`)."""

    calls: int = 0
    seconds: float = 0.0
    memory: float = 0.0
    source: str = ""


@dataclass(slots=True)
class Estimated:
    """What a run is expected to take.

    ``seconds`` to the end, bytes of memory that calls use at once at most, ``contexts`` and ``parameter_sets`` that
    there are, what each operation contributes, ``busy`` slots on average, and the ``critical`` path of the context that
    has the longest one: (operation, seconds) of calls that wait for each other, which no number of workers shortens.
    """

    workers: int
    slots: int
    seconds: float = 0.0
    memory: float = 0.0
    contexts: int = 0
    parameter_sets: int = 0
    busy: float = 0.0
    operations: dict[str, Calls] = field(default_factory=dict)
    critical: list[tuple[str, float]] = field(default_factory=list)

    @property
    def critical_seconds(self) -> float:
        """The seconds of the critical path."""
        return sum(seconds for _, seconds in self.critical)


Sets = Iterable[tuple[str, list[Input]]] | AsyncIterable[tuple[str, list[Input]]]


async def estimate(
    dataflow: DataFlow,
    sets: Sets,
    *,
    workers: int = 1,
    slots: int = SLOTS,
    cores: int | None = None,
    measured: dict[str, Measured] | None = None,
    default: float = DEFAULT,
) -> Estimated:
    """Return what it would take to run a data flow over contexts (name, inputs) with so many workers.

    A worker has ``slots`` calls at once, and ``cores`` (default: those of this machine) of them in processes.
    ``measured`` corrects stubs and stands in for those that are missing, ``default`` are the seconds of a call of which
    nothing is known.

    Raises `MetricError` for a wrong stub, `OperationException` where the run could not succeed, as there are more
    combinations than the data flow allows, for example.
    """
    bound("workers", workers)
    bound("slots", slots)
    plan = compile_plan(dataflow)
    stubs = Stubs(measured or {}, default)
    stubs.prepare(plan)
    found = Estimated(workers, slots)
    running = _Running(stubs, found, cores or os.cpu_count() or 1)
    await running.run(plan, _each(sets))
    return found


async def _each(sets: Sets) -> AsyncIterator[tuple[str, list[Input]]]:
    if isinstance(sets, AsyncIterable):
        async for pair in sets:
            yield pair
    else:
        for pair in sets:
            yield pair


class _Place:
    """An executor of all workers together: how many calls it takes at once, and which wait for it."""

    def __init__(self, room: float) -> None:
        self.room = room
        self.waiting: deque[tuple[ParameterSet, Stub, Needs]] = deque()


class _Running:
    """One estimate. Time goes on from the end of one call to the end of the next."""

    def __init__(self, stubs: Stubs, found: Estimated, cores: int) -> None:
        self._stubs = stubs
        self._found = found
        self._now = self._busy = self._used = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._backend = MemoryBackend(later=self._later)
        self._reports: list[Report] = []
        self._free = found.workers * found.slots
        self._open = 0
        self._paths = Paths()
        self._failures: list[Any] = []
        threads = Threads().size
        rooms = {"function": 1, "thread": threads, "process": cores, "subprocess": threads}
        self._places = {kind: _Place(room * found.workers) for kind, room in rooms.items()}
        self._anywhere = _Place(float("inf"))

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + seconds, next(self._order), call))

    async def run(self, plan: Any, sets: AsyncIterator[tuple[str, list[Input]]]) -> None:
        """Run until everything has ended."""
        network, more = self._backend.implementations, True
        while True:
            while more and self._open < OPEN_AT_ONCE and len(network.ready) <= READY_ENOUGH:
                pair = await anext(sets, None)
                more = pair is not None
                if pair is not None:
                    self._open += 1
                    self._found.contexts += 1
                    self._backend.begin(pair[0], plan, pair[1], self._ended)
            reports, self._reports = self._reports, []
            leased = await network.cycle(WORKER, reports, self._free)
            for one in leased:
                self._lease(one)
            if self._failures:
                raise OperationException(self._failures)
            if not leased and not self._reports and not self._advance():
                break
        self._found.seconds = self._now
        self._found.busy = self._busy / self._now if self._now else 0.0
        self._found.critical = self._paths.longest

    def _advance(self) -> bool:
        """Go on to when something is due, and do all that is due then; say whether there was anything."""
        if not self._due:
            return False
        self._now = self._due[0][0]
        while self._due and self._due[0][0] <= self._now:
            heapq.heappop(self._due)[2]()
        return True

    def _lease(self, one: ParameterSet) -> None:
        self._free -= 1
        self._found.parameter_sets += one.leases == 1 and one.children is None
        stub = self._stubs[one.operation]
        inputs = one.arguments()
        if stub.flow is not None and stub.source == "subflow":
            self._flow(one, stub, inputs)
            return
        needs = stub.needs(inputs)
        place = self._places.get(stub.executor, self._anywhere)
        if place.room > 0:
            self._begin(one, stub, needs, place)
        else:
            place.waiting.append((one, stub, needs))

    def _flow(self, one: ParameterSet, stub: Stub, inputs: dict[str, Any]) -> None:
        """Open the child contexts of an operation that runs data flows, or give what it makes of their ends."""
        assert stub.flow is not None
        if one.children is None:
            self._report(Subflow(one, stub.flow.children(inputs)))
            return
        endings, one.children = one.children, None
        self._failures += [ending.failure for ending in endings if ending.failure is not None]
        returned = stub.needs(inputs).returned
        with contextlib.suppress(TidemillError):  # what output operations give is not known
            returned = stub.flow.outputs(inputs, endings)
        self._paths.after_children(one, [ending.context for ending in endings])
        self._tell(one, stub, Needs(0.0, 0.0, None))
        self._report(Completed(one, returned))

    def _report(self, report: Report) -> None:
        self._free += 1
        self._reports.append(report)

    def _begin(self, one: ParameterSet, stub: Stub, needs: Needs, place: _Place) -> None:
        place.room -= 1
        self._used += needs.memory
        self._found.memory = max(self._found.memory, self._used)
        self._later(needs.seconds, lambda: self._end(one, stub, needs, place))

    def _end(self, one: ParameterSet, stub: Stub, needs: Needs, place: _Place) -> None:
        place.room += 1
        self._used -= needs.memory
        self._busy += needs.seconds
        self._tell(one, stub, needs)
        self._paths.completed(one, needs.seconds)
        self._report(Completed(one, needs.returned))
        if place.waiting and place.room > 0:
            self._begin(*place.waiting.popleft(), place)

    def _tell(self, one: ParameterSet, stub: Stub, needs: Needs) -> None:
        calls = self._found.operations.setdefault(one.operation.instance, Calls(source=stub.source))
        calls.calls += 1
        calls.seconds += needs.seconds
        calls.memory = max(calls.memory, needs.memory)

    def _ended(self, ending: Ending) -> None:
        self._open -= 1
        self._paths.ended(ending.context)
        if ending.failure is not None:
            self._failures.append(ending.failure)
