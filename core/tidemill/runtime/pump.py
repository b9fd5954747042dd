"""The pump: what runs in a process that shares a store with others. It leases parameter sets, calls their operations
and reports, in one call of the store for all that has gathered.

There is one task that talks to the store, and one for each parameter set. What is completed while a call is under way
travels with the next one, so under load batches come by themselves. Where there is nothing to do it waits for a bell.
Neighbours: `runtime.calls` (one parameter set), `runtime.runner` (the same over memory), `networks.implementations`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from tidemill.engine.parameters import ParameterSet
from tidemill.errors import TidemillError
from tidemill.metrics.series import Recorder
from tidemill.model.operation import Stage
from tidemill.networks.backend import Backend
from tidemill.networks.implementations import Completed, Emitted, Failed, Fenced, Released, RemoteNetwork, Report
from tidemill.networks.inputs import InputNetwork
from tidemill.runtime.ahead import Ahead
from tidemill.runtime.calls import GRACE, Caller, running_in
from tidemill.runtime.failures import failure_of
from tidemill.runtime.measuring import meter_of
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.watch import LoopWatch

__all__ = ["SLOTS", "Pump"]

SLOTS = 64
"""Parameter sets that run at once in one process, unless told otherwise."""
BATCH = 32
"""Reports that one call brings, and parameter sets that it leases, at most: so no call holds the store for more than
about two milliseconds, and what a call costs by itself is spread over enough."""

logger = logging.getLogger("tidemill.pump")


class Pump:
    """Runs what a store has ready, as the runner of the id ``runner``, up to ``slots`` at once; calls are measured into
    ``metrics``.

    ``counts`` has how many of its reports were of each kind, ``trips`` how many calls of the store have succeeded.
    ``left`` is how many parameter sets it leases before it stops by itself; None: no end of them.
    """

    def __init__(
        self,
        network: RemoteNetwork,
        inputs: InputNetwork,
        implementations: Implementations,
        *,
        runner: str,
        slots: int = SLOTS,
        left: int | None = None,
        renew: Callable[[], Awaitable[str]] | None = None,
        metrics: Recorder | None = None,
    ) -> None:
        self.runner = runner
        self._renew = renew
        self.slots = slots
        self.left = left
        self.paused = False
        self.counts: Counter[str] = Counter()
        self.trips = 0
        self.inputs = inputs
        self.implementations = self
        self._network = network
        # A call reads inputs and, when it is a generator's, reports by `cycle`: for that the pump is the backend.
        self._caller = Caller(cast(Backend, self), runner, implementations, {})
        if (meter := meter_of(metrics, implementations)) is not None:
            self._caller.measure(meter)
        self._running: dict[asyncio.Task[None], ParameterSet] = {}
        self._reports: list[tuple[Report, asyncio.Future[None] | None]] = []
        self._more = False  # as much was leased as was wanted, so there may be more, and there is room for it
        self._called = False  # since the last call of the store began the bell was rung, or somebody has asked for one
        self._stopping = False
        self._cancelled = False
        self._dropped: set[ParameterSet] = set()
        self._crash: BaseException | None = None
        self._sleep: asyncio.Future[None] | None = None
        self._bell: asyncio.Task[None] | None = None
        self._implementations = implementations
        self._watched = 0
        self._ahead = Ahead(network, implementations, self._start)
        self._nonces = (secrets.token_bytes(8), itertools.count())
        self._watch = LoopWatch((), running_in)
        self._caller.noticed = self._watch.noticed

    @property
    def running(self) -> int:
        """How many parameter sets are being run."""
        return len(self._running)

    # -- the task that talks to the store -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Lease, call and report, until it has been stopped and nothing runs any more.

        Raises `Fenced` when the store holds the runner to be dead: whatever still runs here is not to go on. A runner
        that belongs to no worker begins anew then, under the id that ``renew`` gives it, as nobody would start another
        in its place.
        """
        self._watch.start()
        try:
            while not (self._stopping and not self._running and not self._reports):
                try:
                    due = await self._exchange()
                except Fenced:
                    await self._begin_anew()
                    continue
                if self._crash is not None:
                    raise self._crash
                if not (self._reports or self._more or self._called or (self._stopping and not self._running)):
                    await self._rest(due)
        finally:
            for task in self._running:
                task.cancel()
            if self._bell is not None:
                self._bell.cancel()
            self._watch.stop()
            self._caller.close()

    async def _exchange(self) -> float | None:
        """Report what there is, start what comes back, and return the seconds until something else is due."""
        batch = self._batch()
        # What is leased while reports wait for the next call is reported behind them, later and later.
        room = max(0, min(BATCH - len(self._reports), self.slots - len(self._running)))
        want = 0 if self._stopping or self.paused else room if self.left is None else min(room, self.left)
        reports = [report for report, _ in batch]
        self._ahead.sends(reports)
        self._called = False
        try:
            leased, due = await self._network.exchange(self.runner, reports, want, self._nonce())
        except Fenced:
            for _, heard in batch:
                if heard is not None:
                    heard.cancel()
            self._hear()
            raise
        self.trips += 1
        for report, heard in batch:
            self.counts[type(report).__name__.lower()] += 1 + _besides(report)
            if heard is not None and not heard.done():
                heard.set_result(None)
        self._know()
        self._hear()
        for parameter_set in leased:
            self._start(parameter_set)
        if self.left is not None:
            self.left -= len(leased)
            self._stopping = self._stopping or not self.left
        self._more = 0 < want == len(leased) and len(self._running) < self.slots
        if len(leased) < want and self._bell is None:
            self._bell = asyncio.create_task(self._listen())
        return due

    def _batch(self) -> list[tuple[Report, asyncio.Future[None] | None]]:
        """Take as many reports as one call brings."""
        many = sets = 0
        while many < len(self._reports) and sets < BATCH:
            sets += 1 + _besides(self._reports[many][0]) // 2  # one that was run ahead costs half as much
            many += 1
        batch, self._reports = self._reports[:many], self._reports[many:]
        return batch

    def _hear(self) -> None:
        """Go on with what was run ahead of its lease and is leased now, and end what is not."""
        for one, report in self._ahead.answered():
            if report is not None:
                self._say(one, report)
            else:
                for task in [task for task, running in self._running.items() if running is one]:
                    self._dropped.add(one)
                    task.cancel()

    def _nonce(self) -> bytes:
        """Return what nobody has said before: to ask the system for as much each time costs more than a call does."""
        mine, numbers = self._nonces
        return mine + next(numbers).to_bytes(8, "big")

    async def _begin_anew(self) -> None:
        """Cancel what runs here, since what it says would be refused, and go on under another id. Raises `Fenced` for a
        runner that somebody else starts again."""
        if self._renew is not None:
            self.runner = await self._renew()
            if self._bell is not None:
                self._bell.cancel()  # it is the one of a runner that nobody wakes any more
                self._bell = None
        elif "/" in self.runner:
            raise Fenced(f'the store holds "{self.runner}" to be dead')
        logger.warning("the store takes nothing of what ran here; it is run again")
        for task, one in self._running.items():
            if self._caller.can_cancel(one):
                self._dropped.add(one)
                task.cancel()

    def _know(self) -> None:
        """Watch the operations of plans that were met since the last time."""
        prepared = list(self._implementations.prepared.items())
        if len(prepared) > self._watched:
            new = prepared[self._watched :]
            self._watch.know((one.code, op.instance, one.timeout) for op, one in new if one.code is not None)
            self._watched = len(prepared)

    async def _rest(self, seconds: float | None) -> None:
        """Wait until there is something to report or to lease, for so many seconds at most."""
        loop = asyncio.get_running_loop()
        self._sleep = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self._wake)
        try:
            await self._sleep
        finally:
            self._sleep = None
            if timer is not None:
                timer.cancel()
        steps = -1
        while steps != self._ahead.steps:  # what ends in the same turn, or is run ahead, is reported with it
            steps = self._ahead.steps
            await asyncio.sleep(0)

    def again(self) -> None:
        """Call the store, to hear what has become of this runner, or because its bell has been rung: who has been woken
        is not woken again before it has come, and a call that is under way may have been answered before."""
        self._called = True
        self._wake()

    def _wake(self) -> None:
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    async def _listen(self) -> None:
        """Wait for the bell of this runner."""
        try:
            while not await self._network.rung(self.runner):
                pass
        finally:
            self._bell = None
            self.again()

    # -- calls --------------------------------------------------------------------------------------------------------

    def _start(self, parameter_set: ParameterSet) -> None:
        task = asyncio.create_task(self._call(parameter_set))
        self._running[task] = parameter_set
        task.add_done_callback(self._ended)

    async def _call(self, parameter_set: ParameterSet) -> None:
        began = time.monotonic()
        try:
            report = await self._caller.call(parameter_set)
        except asyncio.CancelledError as error:  # by `_cancel`, or by the operation itself
            if self._cancelled or parameter_set in self._dropped:
                report = Released(parameter_set)
            else:
                report = Failed(parameter_set, failure_of(parameter_set, error))
        except TidemillError as error:  # there is no code for it here
            report = Failed(parameter_set, failure_of(parameter_set, error))
        if report is not None:
            self._say(parameter_set, report, began)

    def _say(self, one: ParameterSet, report: Report, began: float | None = None) -> None:
        """Have a report sent, and run ahead from what was called at ``began``."""
        if self._ahead.has(one):
            self._ahead.ended(one, report)
            return
        report.lease = one.leases
        self._reports.append((report, None))
        free = not (self._stopping or self.paused) and self.left is None
        if began is not None and free and isinstance(report, Completed):
            self._ahead.begin(report, began)

    def _ended(self, task: asyncio.Task[None]) -> None:
        one = self._running.pop(task, None)
        if one is not None and one in self._dropped:
            self._dropped.discard(one)
            if task.cancelled():  # before it began
                self._say(one, Released(one))
        if not task.cancelled() and task.exception() is not None:
            self._crash = task.exception()
        self._wake()

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> Sequence[ParameterSet]:
        """Report what a generator has yielded along with all else, and wait until the store has it."""
        for report in reports:
            assert isinstance(report, Emitted)
            heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._reports.append((report, heard))
            self._wake()
            await heard
        return ()

    def cancel(self, context: str) -> None:
        """Cancel what runs here of a context that was cancelled, and of those that belong to it, and hand it back; what
        cannot be cancelled runs to its end."""
        for task, one in self._running.items():
            inside = one.context.name == context or one.context.name.startswith(f"{context}/")
            if inside and one.operation.stage is not Stage.CLEANUP and self._caller.can_cancel(one):
                self._dropped.add(one)
                task.cancel()

    # -- the end ------------------------------------------------------------------------------------------------------

    def pause(self, paused: bool) -> None:
        """Lease nothing more for a while, or go on."""
        if self.paused != paused:
            self.paused = paused
            self._wake()

    async def drain(self, grace: float) -> None:
        """Take nothing more, give what runs ``grace`` seconds, and hand the rest back; `run` returns then.

        What cannot be cancelled, such as a thread, stays leased until whoever ends this process hands it back.
        """
        self._stopping = True
        self._wake()
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace)
        if self._running:
            self._cancelled = True
            stubborn = [one for one in self._running.values() if not self._caller.can_cancel(one)]
            for task, parameter_set in self._running.items():
                if parameter_set not in stubborn:
                    task.cancel()
            await asyncio.wait(list(self._running), timeout=2 * GRACE)
        for task, parameter_set in list(self._running.items()):
            logger.warning('the operation "%s" goes on after the grace time', parameter_set.operation.instance)
            task.remove_done_callback(self._ended)
            self._running.pop(task)
        self._wake()


def _besides(report: Report) -> int:
    """Return how many parameter sets a report has completed besides its own."""
    return len([one for one in report.ahead if isinstance(one, Completed)]) if isinstance(report, Completed) else 0
