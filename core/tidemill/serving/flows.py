"""A data flow that is kept open for requests: opened once, opened again when its store has been away.

Each request is a run of its own over the same orchestrator context, so requests share implementations and limits, and
one that fails, or is given up, concerns no other. Neighbours: `orchestrator.running`, `app`, `background`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any

from tidemill.errors import StoreError, StoreUnavailable, TidemillError
from tidemill.formats.inputs import InputSet
from tidemill.formats.values import as_json
from tidemill.orchestrator.input_sets import closing
from tidemill.orchestrator.outcome import Outcome
from tidemill.orchestrator.running import OrchestratorContext, Running
from tidemill.plan.plan import Plan
from tidemill.serving.channel import Channel
from tidemill.serving.intake import Intake
from tidemill.serving.limits import ServingLimits

__all__ = ["Gate", "ServedFlow", "named_sets", "opened"]

LOOK = 1.0
"""Seconds between two looks at whether the store of a data flow answers."""
PATIENCE = 2.0
"""Seconds that such a look may take."""
LEAVING = 10.0
"""Seconds that everything has to be left in at the end."""
AGAIN = (0.5, 1.0, 2.0, 5.0)
"""Seconds before a data flow is opened again, the last for all further times."""

_log = logging.getLogger("tidemill.serving")


class Gate:
    """Counts the contexts that are open in this process, and lets no more than ``most`` in."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0
        self.none = asyncio.Event()
        self.none.set()

    def enter(self, many: int) -> None:
        """Let this many more contexts be open. Raises `TidemillError` (TooManyContexts)."""
        if self.open + many > self.most:
            said = f"{self.open} contexts are open, and {many} more would be above the limit {self.most}; try later"
            raise TidemillError(said, reason="TooManyContexts")
        self.open += many
        self.none.clear()

    def leave(self, many: int) -> None:
        """Take note that this many contexts have ended."""
        self.open -= many
        if self.open == 0:
            self.none.set()


@contextlib.contextmanager
def _named(orchestrator: Running) -> Iterator[None]:
    """Have what the client of a store raises be errors of the project."""
    shown = getattr(orchestrator, "shown", None)
    if shown is None:
        yield
        return
    from tidemill.backends.redis.refusals import named

    with named(shown):
        yield


def named_sets(sets: Sequence[InputSet], key: str = "") -> dict[str, InputSet]:
    """Return input sets by names that nobody can guess, and that no other request has, in their order.

    Requests of one ``key`` and one content have the same names: who knows both may ask for what became of them.
    """
    ident = secrets.token_hex(16)
    if key:
        content = [[each.name, [(one.definition.name, one.value, one.origin) for one in each.inputs]] for each in sets]
        ident = hashlib.sha256(as_json([key, content]).encode()).hexdigest()[:32]
    return {f"http-{ident}.{number}": each for number, each in enumerate(sets)}


class ServedFlow:
    """One channel, and its data flow as it is being run."""

    def __init__(self, channel: Channel, plan: Plan, orchestrator: Running, gate: Gate, limits: ServingLimits) -> None:
        self.channel = channel
        self.plan = plan
        self.orchestrator = orchestrator
        self.gate = gate
        self.limits = limits
        self.intake = Intake(channel, plan, contexts=limits.contexts)
        self._problem = "it has not been opened yet"
        self._octx: OrchestratorContext | None = None
        self._runs: set[asyncio.Task[Any]] = set()

    @property
    def problem(self) -> str:
        """Why the data flow cannot be run now, "" if it can."""
        crash = self._octx.crash if self._octx is not None else None
        return self._problem if crash is None else f"it has broken down: {crash}"

    # -- open and kept open -------------------------------------------------------------------------------------------

    async def keep(self, began: asyncio.Future[None]) -> None:
        """Keep the data flow open until it is cancelled; ``began`` is told when it is open for the first time, or why
        it cannot be."""
        tries = 0
        while True:
            try:
                with _named(self.orchestrator):
                    async with self.orchestrator(self.channel.dataflow) as octx:
                        self._octx, self._problem, tries = octx, "", 0
                        if not began.done():
                            began.set_result(None)
                        await self._watch(octx)
            except Exception as error:
                if not began.done():
                    began.set_exception(error)
                    return
                self._problem = str(error)
                _log.warning("the data flow at %s is away: %s", self.channel.path, error)
            finally:
                self._octx = None
            await asyncio.sleep(AGAIN[min(tries, len(AGAIN) - 1)])
            tries += 1

    async def _watch(self, octx: OrchestratorContext) -> None:
        """Look whether the data flow can be run, until it cannot be any more, and raise why.

        A store that is away is no reason to begin anew: what is under way goes on when it is back.
        """
        while octx.crash is None:
            await asyncio.sleep(LOOK)
            backend: Any = getattr(octx, "backend", None)
            if hasattr(backend, "client"):
                problem = await self._away(backend)
                if problem != self._problem:
                    _log.warning("the data flow at %s: %s", self.channel.path, problem or "the store is back")
                self._problem = problem
        raise octx.crash

    async def _away(self, backend: Any) -> str:
        """Return why the store cannot be used, "" if it can."""
        try:
            with _named(self.orchestrator):
                await asyncio.wait_for(backend.counts(self.plan), PATIENCE)
        except TimeoutError:
            return f"the store has not answered for {PATIENCE:g} s"
        except StoreError as error:
            return error.message
        return ""

    # -- runs ---------------------------------------------------------------------------------------------------------

    async def run(self, sets: Sequence[InputSet]) -> dict[str, Outcome]:
        """Run the data flow over input sets, and return what became of each, by name, in their order.

        Whoever is cancelled meanwhile, or waits too long, leaves a run that is cancelled and cleans up behind it.
        Raises `TidemillError` (Timeout, TooManyContexts, NotReady), `StoreError`.
        """
        found: dict[str, Outcome] = {}
        named = named_sets(sets)

        async def collect() -> None:
            async with closing(self.outcomes(named)) as outcomes:
                async for name, outcome in outcomes:
                    found[name] = outcome

        task = self.begun(collect, len(named))
        try:
            await asyncio.wait({task}, timeout=self.limits.run)
        finally:
            if not task.done():
                task.cancel()
        if not task.done():
            self.ready()
            said = f"it took longer than {self.limits.run:g} s and was cancelled; ask for it in the background"
            raise TidemillError(said, reason="Timeout")
        await task
        return {each.name: found[name] for name, each in named.items()}

    def begun(self, work: Callable[[], Coroutine[Any, Any, None]], many: int) -> asyncio.Task[None]:
        """Return a task that runs this many contexts, for which there is room; `settled` waits for it.

        Raises `TidemillError` (TooManyContexts, NotReady).
        """
        self.ready()
        self.gate.enter(many)
        task = asyncio.create_task(work())
        self._runs.add(task)

        def over(done: asyncio.Task[None]) -> None:
            self._runs.discard(done)
            self.gate.leave(many)
            if not done.cancelled():
                done.exception()  # whoever gave it up does not ask

        task.add_done_callback(over)
        return task

    def ready(self) -> OrchestratorContext:
        """Return the context in which it is run. Raises `StoreUnavailable`, `TidemillError` (NotReady)."""
        octx, problem = self._octx, self.problem
        if octx is None or octx.crash is not None:
            raise TidemillError(f"the data flow cannot be run now: {problem or 'it has ended'}", reason="NotReady")
        if problem:
            raise StoreUnavailable(problem)
        return octx

    async def settled(self) -> None:
        """Cancel what still runs, and wait until it has cleaned up."""
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def outcomes(self, named: dict[str, InputSet]) -> AsyncIterator[tuple[str, Outcome]]:
        """Yield (name, what became of it) of contexts as they end. Raises what `run` does."""
        octx = self.ready()
        with _named(self.orchestrator):
            try:
                async with closing(octx.outcomes({name: each.inputs for name, each in named.items()})) as outcomes:
                    async for outcome in outcomes:
                        self._tell(outcome)
                        yield outcome.name, outcome
            except Exception as error:
                if octx.crash is None:
                    raise
                raise TidemillError(f"the data flow was given up meanwhile: {error}", reason="NotReady") from error

    def _tell(self, outcome: Outcome) -> None:
        """Log a failure: who asked is not told what it was made from."""
        failure = outcome.failure
        if failure is not None:
            values = (self.channel.path, failure.instance, failure.reason, failure.message)
            _log.warning("a context of %r failed: %r: %s: %r", *values)
            if failure.traceback:
                _log.info("%r", failure.traceback)


@contextlib.asynccontextmanager
async def opened(flows: Sequence[ServedFlow]) -> AsyncIterator[None]:
    """Have data flows be open meanwhile. Raises why one of them cannot be, with all others closed again."""
    loop = asyncio.get_running_loop()
    tasks = []
    try:
        for flow in flows:
            began: asyncio.Future[None] = loop.create_future()
            tasks.append(asyncio.create_task(flow.keep(began)))
            await began
        yield
    finally:
        await _within(LEAVING, [asyncio.create_task(flow.settled()) for flow in flows])
        for task in tasks:
            task.cancel()
        await _within(LEAVING, tasks)


async def _within(seconds: float, tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for tasks, so long at most: a store that is away is not waited for when the process ends."""
    if not tasks:
        return
    done, left = await asyncio.wait(tasks, timeout=seconds)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("closing a data flow: %s", error)
    if left:
        _log.warning("%d data flows could not be closed within %g s", len(left), seconds)
