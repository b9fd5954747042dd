"""The worker inside this process: leases parameter sets, calls operations, reports what became of them.

It has *slots*: tasks that each lease one parameter set, await its operation and report it with the next lease, so
that an operation costs one call of the backend and no task of its own. While a slot waits in an operation another one
is needed for what is ready; whether that is so is looked at when the loop gets to it, so operations that never wait
share one slot.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping, Sequence

from tidemill.engine.parameters import ParameterSet
from tidemill.metrics.calls import Call
from tidemill.metrics.series import Recorder
from tidemill.model.context import BaseInputSetContext
from tidemill.networks.backend import Backend
from tidemill.networks.implementations import Failed, Released, Report
from tidemill.plan.plan import PlannedOperation
from tidemill.runtime.calls import GRACE, Caller, running_in
from tidemill.runtime.failures import failure_of
from tidemill.runtime.measuring import meter_of
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.watch import LoopWatch

__all__ = ["SLOTS", "Runner"]

SLOTS = 1000
"""Parameter sets that run at once in one process, unless told otherwise."""
TURN = 40
"""Operations that a slot runs without waiting before it lets others have the loop."""

logger = logging.getLogger("tidemill.runner")


class Runner:
    """Runs what a backend has ready. ``starving`` is called when nothing is ready, ``metrics`` is where calls are
    measured and operations count; an async context manager."""

    def __init__(
        self,
        backend: Backend,
        implementations: Implementations,
        contexts: Mapping[str, BaseInputSetContext],
        *,
        worker: str = "local",
        slots: int | None = None,
        starving: Callable[[], None] = lambda: None,
        metrics: Recorder | None = None,
    ) -> None:
        self.worker = worker
        self._network = backend.implementations
        self._caller = Caller(backend, worker, implementations, contexts)
        self.meter = meter_of(metrics, implementations)
        if self.meter is not None:
            self._caller.measure(self.meter)
        self._implementations = implementations
        self._most = slots or SLOTS
        self._starving = starving
        self._idle: list[asyncio.Future[None]] = []
        self._slots: set[asyncio.Task[None]] = set()
        self._running: dict[ParameterSet, asyncio.Task[None]] = {}
        self._cancelled: set[ParameterSet] = set()
        self._runnable = 0
        self._looking = False
        self._closing = False
        self.crashed: Callable[[BaseException], None] = lambda error: None
        self._watch: LoopWatch | None = None

    @property
    def blocked(self) -> dict[str, float]:
        """The operations that have blocked the event loop, and for how many seconds at most."""
        return self._watch.blocked if self._watch is not None else {}

    async def __aenter__(self) -> Runner:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._watch = LoopWatch(
            (
                (code, operation.instance, prepared.timeout)
                for operation, prepared in self._implementations.prepared.items()
                if (code := prepared.code) is not None
            ),
            running_in,
        )
        self._caller.noticed = self._watch.noticed
        self._watch.start()
        self._network.listen(self.worker, self._wake)
        self._wake()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closing = True
        for slot in self._slots:
            slot.cancel()
        if self._slots:
            await asyncio.wait(self._slots, timeout=2 * GRACE)  # a call with a timeout takes one for itself
        for parameter_set in self._running:
            logger.warning(
                'the operation "%s" ignores being cancelled; it was given up', parameter_set.operation.instance
            )
        if self._watch is not None:
            self._watch.stop()
        self._caller.close()

    def cancel(self, parameter_set: ParameterSet) -> None:
        """Cancel the call of a parameter set whose context has failed; what cannot be cancelled runs to its end."""
        task = self._running.get(parameter_set)
        if task is not None and task is not asyncio.current_task() and self._caller.can_cancel(parameter_set):
            self._cancelled.add(parameter_set)
            task.cancel()

    # -- slots ------------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """See to it that a slot takes what is ready, once the loop gets to it."""
        if not self._looking and not self._closing:
            self._looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        if self._runnable or self._closing:
            return  # a slot is about to go on, and looks again itself
        if self._idle:
            self._runnable += 1
            self._idle.pop().set_result(None)
        elif len(self._slots) < self._most:
            self._runnable += 1
            self._start()

    def _start(self, reports: Sequence[Report] = ()) -> None:
        slot = self._loop.create_task(self._slot(reports), context=self._context.copy())
        self._slots.add(slot)
        slot.add_done_callback(self._ended)

    def _ended(self, slot: asyncio.Task[None]) -> None:
        self._slots.discard(slot)
        if not slot.cancelled() and slot.exception() is not None and not self._closing:
            self.crashed(slot.exception())  # type: ignore[arg-type]

    async def _rest(self) -> None:
        """Wait until there may be something ready."""
        self._runnable -= 1
        self._starving()
        idle = self._loop.create_future()
        self._idle.append(idle)
        await idle

    def _after_cancel(
        self, parameter_set: ParameterSet, task: asyncio.Task[None], error: asyncio.CancelledError
    ) -> Report:
        """Return the report of a call in which the slot was cancelled; raise on if it is the runner that ends."""
        if self._closing:
            raise error
        while task.cancelling():
            task.uncancel()
        if parameter_set in self._cancelled:
            return Released(parameter_set)
        return Failed(parameter_set, failure_of(parameter_set, error))  # the operation has cancelled its own task

    async def _ends(self, task: asyncio.Task[None]) -> bool:
        """Say whether a slot was cancelled because the runner ends, and the operation has kept that. If not, take
        back a cancellation that an operation has survived: it must not hit the next one."""
        if self._closing:
            return True
        while task.cancelling():
            task.uncancel()
        try:
            await asyncio.sleep(0)  # one that was asked for and has not come yet comes here
        except asyncio.CancelledError:
            if self._closing:
                raise
        return False

    async def _slot(self, reports: Sequence[Report]) -> None:
        """Lease, call, report, and so on. ``_runnable`` counts slots that go on without waiting for an operation."""
        network, call, running = self._network, self._caller.call, self._running
        enter, entered = self._caller.enter, None
        calls: dict[PlannedOperation, Call | None] = {}  # what `enter` keeps for this task
        task = asyncio.current_task()
        assert task is not None
        began = contextvars.copy_context()
        turn = 0
        while True:
            leased = await network.cycle(self.worker, reports, 1)
            reports = ()
            if not leased:
                await self._rest()
                calls.clear()
                turn = 0
                continue
            parameter_set = leased[0]
            if enter is not None and parameter_set.operation is not entered:
                entered = parameter_set.operation
                enter(entered, calls)
                began = contextvars.copy_context()
            running[parameter_set] = task
            self._runnable -= 1
            if not self._looking:
                self._wake()
            try:
                report = await call(parameter_set)
            except asyncio.CancelledError as error:
                report = self._after_cancel(parameter_set, task, error)
            finally:
                self._runnable += 1
                del running[parameter_set]
                if self._cancelled:
                    self._cancelled.discard(parameter_set)
            reports = () if report is None else (report,)
            del leased, parameter_set, report  # a slot that rests keeps no context alive
            if task.cancelling() and await self._ends(task):
                return
            turn += 1
            if turn >= TURN:
                turn = 0
                await asyncio.sleep(0)
            if contextvars.copy_context() != began:
                # The operation has set a context variable; the next one must not see it.
                self._start(reports)
                return
