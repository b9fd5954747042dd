"""One run from the command line: the orchestrator, the printer, the display, and what ends them early.

The first Ctrl-C or SIGTERM cancels the run, which cleans up and says what was done; the second ends the process
at once. A thread cannot be cancelled: it is waited for, and that is said. Neighbours: `run` has the options, `output`
and `progress` what is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.cli import errors
from tidemill.cli.backend import MEMORY
from tidemill.cli.journals import followed, noting
from tidemill.cli.output import FAILURES_SHOWN, Printer, failure_text, printer, record_of
from tidemill.cli.progress import Display, display, running, summary
from tidemill.cli.recording import Recording, count_text

if TYPE_CHECKING:
    from tidemill.backends.redis.following import Following
    from tidemill.formats.inputs import InputSet
    from tidemill.journal.event import Event
    from tidemill.model.dataflow import DataFlow
    from tidemill.orchestrator.outcome import Outcome, Progress
    from tidemill.orchestrator.running import OrchestratorContext, Running

__all__ = ["Settings", "execute"]

PATIENCE = 1.0
"""Seconds after which a run that was cancelled says what it still waits for."""

GRACE = 10.0
"""Seconds that a run which took too long has to end and to clean up; then it is given up."""

UNSERVED = 2.0
"""Seconds between two looks at whether anybody runs what is ready, where others have to."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Settings:
    """What the options of ``tidemill run`` say; ``timeout`` in seconds, ``total`` the number of contexts if known.

    ``record`` and ``metrics_port`` say where what was measured goes. ``slow_inputs`` says that reading the next context
    may have to wait for somebody who writes it, ``backend`` where contexts live.
    """

    output: str = "table"
    strict: bool = True
    seed: int | None = None
    max_contexts: int | None = None
    workers: int | None = None
    timeout: float | None = None
    progress: str = "auto"
    level: int = 0
    total: int | None = None
    slow_inputs: bool = False
    backend: str = "memory"
    durability: str = "always"
    record: str | None = None
    metrics_port: int | None = None
    journal: str | None = None
    journalled: bool = False
    openlineage: str | None = None
    flow: str = ""
    printer: Printer | None = None
    """What prints in the place of the one for ``output``."""


def execute(dataflow: DataFlow, sets: Iterable[InputSet], settings: Settings) -> int:
    """Run a data flow over input sets and return the exit code.

    Raises `Interrupted` after a signal, `BrokenPipeError` when nobody reads the output any more, and the errors of the
    project for a data flow or an input that is refused.
    """
    return asyncio.run(_Run(dataflow, settings).main(sets))


class _Run:
    """The state of one run: what it prints with, and which signal has come."""

    def __init__(self, dataflow: DataFlow, settings: Settings) -> None:
        self.dataflow, self.settings = dataflow, settings
        self.printer: Printer = settings.printer or printer(settings.output)
        self.display: Display = display(
            settings.progress, quiet=settings.level < 0, total=settings.total, streams=settings.output != "table"
        )
        self.ended = {"succeeded": 0, "failed": 0}
        self.failed = 0  # contexts with a failure, those among them that survived it, too
        self.order: dict[str, int] = {}  # of the contexts that are open
        self.signum: int | None = None
        self.timed_out = False
        self.sink: Callable[[Sequence[Event]], None] | None = None
        self.progress: Callable[[], Progress] | None = None  # while it runs
        self.following: Following | None = None

    async def main(self, sets: Iterable[InputSet]) -> int:
        """Run to the end, or to the first signal or timeout."""
        settings = self.settings
        with self._stoppable(), noting(settings.journal, settings.openlineage, settings.flow) as self.sink:
            try:
                await self._run(sets)
            except asyncio.CancelledError:
                if self.signum is None and not self.timed_out:
                    raise
        if self.signum is not None:
            raise errors.Interrupted(self.signum)
        if self.timed_out:
            seconds = self.settings.timeout
            errors.say(f"error: Timeout\n  the run took longer than --timeout {seconds:g} s and was cancelled")
        return errors.FAILED if self.failed or self.timed_out else errors.OK

    async def _run(self, sets: Iterable[InputSet]) -> None:
        settings = self.settings
        orchestrator = _orchestrator(settings, self.sink)
        recording = Recording(settings.record, settings.metrics_port)
        async with (
            orchestrator,
            orchestrator(self.dataflow, strict=settings.strict) as octx,
            recording.of(octx),
            followed(octx, self.sink) as self.following,
        ):
            beside = [asyncio.create_task(self.display.show(octx.progress)), asyncio.create_task(self._warn(octx))]
            self.progress = octx.progress
            try:
                # Closed before the orchestrator is left: whatever ends the loop, contexts that are open clean up.
                async with contextlib.aclosing(octx.outcomes(self._pairs(sets))) as outcomes:
                    async for outcome in outcomes:
                        self._take(outcome)
                        if self.following is not None:
                            await self.following.end(outcome.name)
            finally:
                self.progress = None
                for task in beside:
                    task.cancel()
                await asyncio.wait(beside)
                progress = await octx.look()
                with contextlib.suppress(BrokenPipeError):  # the first one is on its way already
                    self.printer.close()
                if settings.level >= 0:
                    # Cancelled contexts have ended, too, but nothing came out of them.
                    self._summarise(summary(progress, **self.ended, unfinished=len(self.order)))
                    for line in count_text(octx.metrics):
                        errors.say(line)

    async def _warn(self, octx: OrchestratorContext) -> None:
        """Say what nobody runs though it is ready, once each."""
        said: set[str] = set()
        while self.settings.level >= 0 and self.settings.backend != MEMORY:
            await asyncio.sleep(UNSERVED)
            for wait in await octx.unserved():
                if wait not in said:
                    said.add(wait)
                    self.display.write(f"waiting: {wait}")

    def _take(self, outcome: Outcome) -> None:
        self.printer.put(record_of(outcome), self.order.pop(outcome.name, 0))
        self.ended["succeeded" if outcome.failure is None else "failed"] += 1
        failures = [outcome.failure] if outcome.failure is not None else list(outcome.failures)
        if failures:
            self.failed += 1
            if self.failed <= FAILURES_SHOWN or self.settings.level >= 1:
                for failure in failures:
                    self.display.write(failure_text(outcome.name, failure, self.settings.level))
        if self.settings.level >= 1:
            for note in outcome.notes:
                self.display.write(f"note: {errors.one_line(outcome.name)}\n  {note}")

    def _summarise(self, text: str) -> None:
        if self.failed > FAILURES_SHOWN and self.settings.level < 1:
            errors.say(f"… and {self.failed - FAILURES_SHOWN} more contexts with failures; -v shows them all")
        errors.say(f"{'interrupted: ' if self.signum is not None else ''}{text}")

    async def _pairs(self, sets: Iterable[InputSet]) -> AsyncIterator[tuple[Any, list[Any]]]:
        from tidemill.cli.feeding import at_once, in_thread
        from tidemill.model.context import StringInputSetContext

        at = 0
        async for each in in_thread(sets) if self.settings.slow_inputs else at_once(sets):
            self.order[each.name] = at
            at += 1
            if self.following is not None:
                self.following.expect(each.name)
            yield StringInputSetContext(each.name), each.inputs

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Cancel the current task at a signal, or when its time is over."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # a coroutine always runs in a task
        timers: list[asyncio.TimerHandle] = []

        def cancel() -> None:
            task.cancel()
            timers.append(loop.call_later(PATIENCE, self._say_what_is_waited_for))

        def expire() -> None:
            self.timed_out = True
            cancel()
            timers.append(loop.call_later(GRACE, task.cancel))

        def stop(signum: int) -> None:
            if self.signum is not None:
                self.display.leave()
                errors.say("stopped at once; what was running is not cleaned up")
                os._exit(128 + signum)
            self.signum = signum
            cancel()

        for signum in _SIGNALS:
            loop.add_signal_handler(signum, stop, signum)
        if self.settings.timeout is not None:
            timers.append(loop.call_later(self.settings.timeout, expire))
        try:
            yield
        finally:
            for signum in _SIGNALS:
                loop.remove_signal_handler(signum)
            for timer in timers:
                timer.cancel()

    def _say_what_is_waited_for(self) -> None:
        busy = sorted(running(self.progress())) if self.progress is not None else []
        what = f"; when it was cancelled ran: {errors.one_line(', '.join(busy))}" if busy else ""
        how = "a second signal ends it at once" if self.signum is not None else f"it has {GRACE:g} s for that"
        self.display.write(f"cancelled, waiting for threads and cleanup to end, {how}{what}")


def _orchestrator(settings: Settings, sink: Callable[[Sequence[Event]], None] | None) -> Running:
    if settings.backend == MEMORY:
        from tidemill.journal.kept import Journal
        from tidemill.orchestrator.memory import MemoryOrchestrator

        journal = Journal(sink=sink) if sink is not None else None
        most, workers = settings.max_contexts, settings.workers
        return MemoryOrchestrator(max_ctxs=most, seed=settings.seed, workers=workers, exact=True, journal=journal)
    from tidemill.journal.event import LIMIT
    from tidemill.orchestrator.redis import RedisOrchestrator

    return RedisOrchestrator(
        settings.backend,
        max_ctxs=settings.max_contexts,
        workers=settings.workers,
        durability=settings.durability,
        journal=LIMIT if sink is not None or settings.journalled else None,
    )
