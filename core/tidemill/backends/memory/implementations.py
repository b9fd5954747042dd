"""Operation implementation network in memory: what is ready, who holds what, and how much of an operation runs.

Neighbours: `backends.memory.backend` settles reports, `runtime.runner` is the worker that sends them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from tidemill.backends.memory.context import MemoryContext
from tidemill.engine.expansion import LOW_WATER
from tidemill.engine.parameters import DISPATCHED, DROPPED, LEASED, ParameterSet
from tidemill.metrics.measured import Waits
from tidemill.networks.implementations import Report
from tidemill.plan.plan import PlannedOperation

__all__ = ["MemoryOperationImplementationNetwork", "Ready"]


class Ready:
    """Parameter sets that are dispatched, oldest first; or in an order that ``choose`` makes up.

    ``choose(n)`` returns a number below ``n``. With a seeded one a run can be repeated, with any one it must not
    matter.
    """

    def __init__(self, choose: Callable[[int], int] | None = None) -> None:
        self._choose = choose
        self._waiting: deque[ParameterSet] = deque()
        self.append: Callable[[ParameterSet], None] = self._waiting.append

    def pop(self) -> ParameterSet:
        """Take one out."""
        if self._choose is not None:
            self._waiting.rotate(-self._choose(len(self._waiting)))
        return self._waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)


class MemoryOperationImplementationNetwork:
    """Hands out what is ready. ``settle`` and ``expand`` are the backend's: what becomes of a report, and of boxes."""

    def __init__(
        self,
        settle: Callable[[str, Report], None],
        expand: Callable[[MemoryContext], None],
        choose: Callable[[int], int] | None = None,
    ) -> None:
        self.ready = Ready(choose)
        self.refused = 0
        self._settle = settle
        self._expand = expand
        self._held: dict[str, dict[ParameterSet, None]] = {}  # a set would not keep the order
        self._running: dict[PlannedOperation, int] = {}
        self._parked: dict[PlannedOperation, deque[ParameterSet]] = {}
        self._listeners: dict[str, Callable[[], None]] = {}
        self._hungry: dict[str, None] = {}
        self.waits: Waits | None = None
        self.cancel: Callable[[ParameterSet], None] | None = None
        self.lost: Callable[[str], int] = lambda worker: 0  # set by the backend, which knows what follows

    def dispatch(self, parameter_set: ParameterSet) -> None:
        """Make a parameter set ready, or park it while its operation runs as often as it may."""
        parameter_set.state = DISPATCHED
        operation = parameter_set.operation
        limit = operation.operation.concurrency
        if limit is not None:
            running = self._running.get(operation, 0)
            if running >= limit:
                self._park(parameter_set)
                return
            self._running[operation] = running + 1
        parameter_set.context.bound.counts[operation.index].dispatched += 1
        waits = self.waits
        if waits is not None:
            waits.left -= 1
            if not waits.left:
                waits.watch(parameter_set)
        self.ready.append(parameter_set)
        if self._hungry:
            self._call()

    def _park(self, parameter_set: ParameterSet) -> None:
        self._parked.setdefault(parameter_set.operation, deque()).append(parameter_set)

    def freed(self, operation: PlannedOperation) -> None:
        """Note that one of an operation with a limit ended (or will never start); the next parked one is made ready."""
        self._running[operation] -= 1
        parked = self._parked.get(operation)
        while parked:
            following = parked.popleft()
            if following.state is DISPATCHED and following.context.stage is operation.stage:
                self.dispatch(following)
                return

    def _call(self) -> None:
        worker = next(iter(self._hungry))
        del self._hungry[worker]
        self._listeners[worker]()

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> Sequence[ParameterSet]:
        """Settle reports and lease what is ready."""
        for report in reports:
            self._settle(worker, report)
        leased = self.lease(worker, want) if want else []
        if len(leased) < want:
            if worker in self._listeners:
                self._hungry[worker] = None
        return leased

    def lease(self, worker: str, want: int) -> list[ParameterSet]:
        """Lease up to ``want`` parameter sets to a worker."""
        leased: list[ParameterSet] = []
        ready = self.ready
        while len(leased) < want and ready:
            parameter_set = ready.pop()
            operation, context = parameter_set.operation, parameter_set.context
            if parameter_set.state is not DISPATCHED or context.stage is not operation.stage:
                parameter_set.state = DROPPED  # its context has failed meanwhile
                if self.waits is not None:
                    self.waits.since.pop(parameter_set, None)
                if operation.operation.concurrency is not None:
                    self.freed(operation)
                continue
            if self.waits is not None and parameter_set in self.waits.since:
                self.waits.leased(parameter_set)
            parameter_set.state = LEASED
            parameter_set.worker = worker
            parameter_set.leases += 1
            context.leased += 1
            context.backlog -= 1
            context.bound.counts[operation.index].leased += 1
            self._held.setdefault(worker, {})[parameter_set] = None
            leased.append(parameter_set)
            if context.boxes and context.backlog < LOW_WATER:
                self._expand(context)
        return leased

    def holds(self, worker: str, report: Report) -> bool:
        """Say whether a worker holds the lease that it reports for; count it as a refused report if not."""
        parameter_set = report.parameter_set
        if parameter_set.state is LEASED and parameter_set.worker == worker:
            if not report.lease or report.lease == parameter_set.leases:
                return True
        self.refused += 1
        return False

    def end(self, parameter_set: ParameterSet) -> None:
        """End a lease, whatever comes next."""
        parameter_set.context.leased -= 1
        if parameter_set.worker is not None:
            self._held[parameter_set.worker].pop(parameter_set, None)
            parameter_set.worker = None
        if parameter_set.operation.operation.concurrency is not None:
            self.freed(parameter_set.operation)

    def held_by(self, worker: str) -> list[ParameterSet]:
        """Return what a worker holds, in the order in which it was leased."""
        return list(self._held.get(worker, ()))

    def leased_of(self, context: MemoryContext) -> list[ParameterSet]:
        """Return what is leased of a context."""
        return [held for sets in self._held.values() for held in sets if held.context is context]

    def listen(self, worker: str, ready: Callable[[], None]) -> None:
        """Call ``ready`` after work has become ready for a worker that wanted more than there was."""
        self._listeners[worker] = ready

    def leave(self, worker: str) -> None:
        """Forget a worker that listens no more."""
        self._listeners.pop(worker, None)
        self._hungry.pop(worker, None)

    async def lose(self, worker: str) -> int:
        """Take everything back that a vanished worker held, and return how much it was."""
        self._hungry.pop(worker, None)
        count = self.lost(worker)
        if self._hungry and self.ready:  # it may have been called for that and never come
            self._call()
        return count
