"""One run from the command line: the orchestrator, the printer, the display, and what ends them early.

The first Ctrl-C or SIGTERM cancels the run, which cleans up and says what was done; the second ends the process
at once. Neighbours: `run` has the options, `output` and `progress` what is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.cli import errors
from tidemill.cli.output import Printer, printer
from tidemill.cli.progress import Display, display, summary

if TYPE_CHECKING:
    from tidemill.formats.inputs import InputSet
    from tidemill.model.dataflow import DataFlow
    from tidemill.orchestrator.outcome import Outcome

__all__ = ["Settings", "execute"]

FAILURES_SHOWN = 10
"""Failures that are written out; the summary counts them all. With ``-v`` all are."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Settings:
    """What the options of ``tidemill run`` say; ``timeout`` in seconds, ``total`` the number of contexts if known."""

    output: str = "table"
    strict: bool = True
    seed: int | None = None
    max_contexts: int | None = None
    workers: int | None = None
    timeout: float | None = None
    progress: str = "auto"
    level: int = 0
    total: int | None = None


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
        self.printer: Printer = printer(settings.output)
        self.display: Display = display(settings.progress, quiet=settings.level < 0, total=settings.total)
        self.failed = 0
        self.order: dict[str, int] = {}  # of the contexts that are open
        self.signum: int | None = None

    async def main(self, sets: Iterable[InputSet]) -> int:
        """Run to the end, or to the first signal or timeout."""
        timed_out = False
        with self._signals():
            try:
                async with asyncio.timeout(self.settings.timeout) as clock:
                    await self._run(sets)
            except TimeoutError:
                if not clock.expired():
                    raise
                timed_out = True
            except asyncio.CancelledError:
                if self.signum is None:
                    raise
        if timed_out:
            seconds = self.settings.timeout
            errors.say(f"error: Timeout\n  the run took longer than --timeout {seconds:g} s and was cancelled")
        if self.signum is not None:
            raise errors.Interrupted(self.signum)
        return errors.FAILED if self.failed or timed_out else errors.OK

    async def _run(self, sets: Iterable[InputSet]) -> None:
        from tidemill.orchestrator.memory import MemoryOrchestrator

        settings = self.settings
        orchestrator = MemoryOrchestrator(max_ctxs=settings.max_contexts, seed=settings.seed, workers=settings.workers)
        async with orchestrator, orchestrator(self.dataflow, strict=settings.strict) as octx:
            shown = asyncio.create_task(self.display.show(octx.progress))
            try:
                async for outcome in octx.outcomes(self._pairs(sets)):
                    self._take(outcome)
            finally:
                progress = octx.progress()
                shown.cancel()
                await asyncio.wait([shown])
                with contextlib.suppress(BrokenPipeError):  # the first one is on its way already
                    self.printer.close()
                if settings.level >= 0:
                    self._summarise(summary(progress))

    def _take(self, outcome: Outcome) -> None:
        self.printer.add(outcome, self.order.pop(outcome.name, 0))
        failures = [outcome.failure] if outcome.failure is not None else list(outcome.failures)
        if failures:
            self.failed += 1
            if self.failed <= FAILURES_SHOWN or self.settings.level >= 1:
                for failure in failures:
                    self.display.write(_failure_text(outcome.name, failure, self.settings.level))
        if self.settings.level >= 1:
            for note in outcome.notes:
                self.display.write(f"note: {errors.one_line(outcome.name)}\n  {note}")

    def _summarise(self, text: str) -> None:
        if self.failed > FAILURES_SHOWN and self.settings.level < 1:
            errors.say(f"… and {self.failed - FAILURES_SHOWN} more contexts with failures; -v shows them all")
        errors.say(f"{'interrupted: ' if self.signum is not None else ''}{text}")

    def _pairs(self, sets: Iterable[InputSet]) -> Iterator[tuple[Any, list[Any]]]:
        from tidemill.model.context import StringInputSetContext

        for at, each in enumerate(sets):
            self.order[each.name] = at
            yield StringInputSetContext(each.name), each.inputs

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # a coroutine always runs in a task

        def stop(signum: int) -> None:
            if self.signum is not None:
                errors.say("stopped at once; what was running is not cleaned up")
                os._exit(128 + signum)
            self.signum = signum
            task.cancel()

        for signum in _SIGNALS:
            loop.add_signal_handler(signum, stop, signum)
        try:
            yield
        finally:
            for signum in _SIGNALS:
                loop.remove_signal_handler(signum)


def _failure_text(context: str, failure: Any, level: int) -> str:
    """Return the block that says what failed, with which inputs, and why."""
    from tidemill.errors import shown

    lines = [f"failed: {errors.one_line(context)}"]
    if failure.instance:
        named = "" if failure.operation == failure.instance else f" ({failure.operation})"
        lines.append(errors.one_line(f"  operation: {failure.instance}{named}"))
    if failure.inputs:
        lines.append("  inputs: " + ", ".join(f"{name}={shown(value, 60)}" for name, value in failure.inputs.items()))
    lines += [f"  {line}" for line in f"{failure.reason}: {failure.message}".splitlines()]
    if failure.traceback and level >= 1:
        lines += [f"  | {line}" for line in failure.traceback.rstrip().splitlines()]
    return "\n".join(lines)
