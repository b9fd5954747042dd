"""The orchestrator over a store: contexts live in Redis or Valkey, and any process that shares it may work on them.

``async with RedisOrchestrator(url) as orchestrator: async with orchestrator(dataflow) as octx: …``, as with the one in
memory. This process works on what is ready too, unless ``workers`` is 0; then that is left to worker processes.
Neighbours: `orchestrator.running`, `runtime.pump`, `backends.redis`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.checks import require
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.heartbeat import Heartbeat
from tidemill.backends.redis.measures import RedisMeasures
from tidemill.backends.redis.overview import RedisOverview, Wait
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.refusals import named
from tidemill.backends.redis.urls import store_url
from tidemill.backends.redis.watching import LEASE
from tidemill.errors import ContextClosed, StoreError, StoreMisconfigured
from tidemill.metrics.remaining import durations
from tidemill.metrics.series import Recorder
from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.networks.backend import Counts
from tidemill.orchestrator.input_sets import InputSets, closing
from tidemill.orchestrator.measured import StoreWindow
from tidemill.orchestrator.outcome import Progress
from tidemill.orchestrator.running import Measured, OrchestratorContext, Run, bound
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan
from tidemill.runtime.config import plain_fields
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.pump import Pump

__all__ = ["RedisOrchestrator", "RedisOrchestratorContext"]

OPEN_AT_ONCE = 2000
"""Contexts of one run that are in the store at once unless told otherwise."""
GRACE = 10.0
"""Seconds that operations have for ending when whoever runs them leaves."""
TIMEOUT = 10.0
"""Seconds after which a reply of the store counts as lost."""
PATIENCE = 2.0
"""Seconds that a look at the counters may take where somebody waits for it."""
REFRESH = 0.5
"""Seconds between two looks at the counters while somebody asks how far the run is."""


class RedisOrchestrator:
    """Runs data flows over the store at ``url`` ("embedded": one of this machine, started for it).

    ``workers`` are the parameter sets that run at once in this process; with 0 others have to. ``max_ctxs`` bounds
    the contexts of a run that are open at once, ``lineage`` keeps their inputs for `Outcome.lineage`. ``durability``
    is what the store has to be (always, fast, none), ``prefix`` begins the names of its keys. ``lease``: seconds of
    silence after which others take over what this process runs. ``journal``: contexts keep so many events.

    Raises `StoreError` when it is entered and the store is not to be used.
    """

    def __init__(
        self,
        url: str = "embedded",
        *,
        max_ctxs: int | None = None,
        workers: int | None = None,
        lineage: bool = False,
        durability: str = "always",
        prefix: str = "tm",
        lease: float = LEASE,
        journal: int | None = None,
    ) -> None:
        self.url = url
        self.max_ctxs = bound("max_ctxs", max_ctxs)
        self.workers = bound("workers", workers, least=0)
        self.lineage = lineage
        self.durability = durability
        self.prefix = prefix
        self.lease = lease
        self.journal = journal
        self.store = self.shown = ""
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def withconfig(cls, config: Mapping[str, Any] | None = None, *above: str) -> RedisOrchestrator:
        """Return an orchestrator configured by a mapping of its keywords, plain or nested (`plain_fields`)."""
        return cls(**plain_fields(config, *above, "orchestrator", "redis"))

    @classmethod
    async def run(
        cls, dataflow: DataFlow, *sets: InputSets, strict: bool = True, ctx: Any = None, **keywords: Any
    ) -> AsyncGenerator[tuple[BaseInputSetContext, dict[str, Any]], None]:
        """Run a data flow over input sets; see `OrchestratorContext.run`."""
        async with cls(**keywords) as orchestrator, orchestrator(dataflow, strict=strict) as octx:
            async with closing(octx.run(*sets, ctx=ctx)) as pairs:
                async for pair in pairs:
                    yield pair

    async def __aenter__(self) -> RedisOrchestrator:
        said = store_url(self.url)
        if said.scheme == "memory":
            raise StoreMisconfigured('"memory" is no store; use MemoryOrchestrator', reason="NotAStore")
        self.store, self.shown = self.url, said.shown
        async with self._stack:
            self._stack.enter_context(named(said.shown))
            if said.scheme == "embedded":
                embedded = EmbeddedStore(said.path or None)
                self._stack.enter_context(embedded)
                self.store = embedded.url
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._stack.__aexit__(*exc)

    def __call__(self, dataflow: DataFlow, *, strict: bool = True) -> RedisOrchestratorContext:
        """Return the context in which a data flow is run. ``strict``: the first failed operation fails its context."""
        return RedisOrchestratorContext(self, dataflow, strict)


class RedisOrchestratorContext(OrchestratorContext):
    """A data flow being run over a store."""

    def __init__(self, parent: RedisOrchestrator, dataflow: DataFlow, strict: bool) -> None:
        super().__init__(dataflow, strict)
        self.parent = parent
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._stack = contextlib.AsyncExitStack()
        self._before: dict[str, Counts] = {}
        self._now: dict[str, Counts] = {}
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> RedisOrchestratorContext:
        parent = self.parent
        async with self._stack:
            client = self._client()
            self._stack.push_async_callback(client.close)
            await require(client.redis, store_url(parent.store).shown, tag=client.tag, durability=parent.durability)
            await patiently(client.load, "its functions")
            self.backend = RedisBackend(client, owner=self.owner, lineage=parent.lineage, journal=parent.journal)
            self._stack.push_async_callback(self.backend.shut)
            self.backend.mail.crashed = self.crashed
            if parent.workers == 0:
                self.plan: Plan = compile_plan(self.dataflow)
            else:
                await self._work()
            await self.backend.publish(self.plan)
            if parent.workers == 0:
                await self.backend.flows.get(self.plan.digest)  # without it nobody else could run it
            self._before = self._now = await self.backend.counts(self.plan)
            self._stack = self._stack.pop_all()
        self._began = time.monotonic()
        return self

    def _client(self) -> Client:
        """Return a client of the store, for one event loop."""
        parent = self.parent
        return Client(parent.store, prefix=parent.prefix, name=self.owner, timeout=TIMEOUT)

    def _again(self) -> None:
        """Have the pump look what has become of it; this is called in another thread."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._pump.again)

    async def _work(self) -> None:
        """Begin to run in this process what is ready in the store."""
        implementations = await self._stack.enter_async_context(Implementations())
        self.plan = await implementations.enter(self.dataflow)
        self.backend.compile = implementations.enter
        network = self.backend.implementations
        slots = {} if self.parent.workers is None else {"slots": self.parent.workers}
        self._heart = Heartbeat(self._client, self.owner, {"pool": network.pool}, self._again, lease=self.parent.lease)
        runner = await self._heart.begin()
        self._stack.push_async_callback(self._heart.end)
        inputs, renew = self.backend.inputs, self._heart.renew
        metrics = self._counted = Recorder()
        self._pump = Pump(network, inputs, implementations, runner=runner, renew=renew, metrics=metrics, **slots)
        self._measures = RedisMeasures(self.backend.client)
        await self._stack.enter_async_context(self._measures.adding(metrics, self.metrics.merge))
        self._loop = asyncio.get_running_loop()
        pumping = asyncio.create_task(self._pump.run())
        pumping.add_done_callback(self._stopped)
        self._stack.push_async_callback(self._drain, pumping)

    async def _drain(self, pumping: asyncio.Task[None]) -> None:
        if not pumping.done():
            await self._pump.drain(GRACE)
        await asyncio.gather(pumping, return_exceptions=True)
        back = patiently(partial(self.backend.implementations.lose, self._pump.runner), "what is handed back")
        with contextlib.suppress(TimeoutError):  # whoever looks after the store takes it back then
            await asyncio.wait_for(back, GRACE)

    def drop(self, name: str) -> None:
        """Cancel what this process runs of a context that was cancelled; others run what they have to its end."""
        if self.parent.workers != 0:
            self._pump.cancel(name)

    def _stopped(self, pumping: asyncio.Task[None]) -> None:
        if not pumping.cancelled() and (error := pumping.exception()) is not None:
            self.crashed(error)

    async def __aexit__(self, *exc: object) -> None:
        self.crashed(ContextClosed("the orchestrator context that runs this data flow has been left"))
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._stack.aclose()

    # -- how far it is ------------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Return how far everything is that this context has been asked to run, as it was seen a moment ago.

        What others run of the same data flow in the same store counts too.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return Progress(
            elapsed=time.monotonic() - self._began,
            contexts=dict(self.counts),
            operations={name: _since(self._before[name], now) for name, now in self._now.items()},
            blocked={},
            seconds=durations(self.metrics),
        )

    async def look(self) -> Progress:
        """Return how far everything is at this moment, or was when the store was last to be asked."""
        with contextlib.suppress(StoreError, TimeoutError), named(self.parent.shown):
            self._now = await asyncio.wait_for(self.backend.counts(self.plan), PATIENCE)
            if self.parent.workers != 0:
                await asyncio.wait_for(self._measures.add_from(self._counted, self.metrics.merge), PATIENCE)
        return self.progress()

    async def measuring(self) -> Measured:
        """Begin the record of a run; see `StoreWindow`. Where the store does not answer it is what this process has
        measured."""
        window = StoreWindow(self.backend, self.plan)
        try:
            with named(self.parent.shown):
                await window.begin()
        except StoreError:
            return await super().measuring()

        async def measured(*, patient: bool = True) -> tuple[Recorder, str]:
            if self.parent.workers != 0:
                await self._measures.add_from(self._counted, self.metrics.merge)
            try:
                with named(self.parent.shown):
                    return await window.read(self.metrics, patient=patient), "store"
            except StoreError:
                return self.metrics, "process"

        return measured

    async def unserved(self) -> list[str]:
        """Return what no worker serves though it is ready, each in a sentence."""
        waits: list[Wait] = []
        with contextlib.suppress(StoreError, TimeoutError), named(self.parent.shown):
            look = RedisOverview(self.backend.client).look(plans=[self.plan.digest])
            waits = (await asyncio.wait_for(look, PATIENCE)).waits()
        return [wait.said for wait in waits if wait.reason == "NoWorkers"]

    async def _look(self) -> None:
        with contextlib.suppress(StoreError), named(self.parent.shown):
            self._now = await self.backend.counts(self.plan)
        await asyncio.sleep(REFRESH)

    def begin(self, strict: bool, halt: asyncio.Event | None) -> Run:
        """Return a run that opens contexts in the store."""
        return _RedisRun(self, strict, halt, self.parent.max_ctxs or OPEN_AT_ONCE)


def _since(before: Counts, now: Counts) -> Counts:
    names = Counts.__dataclass_fields__
    return Counts(**{name: getattr(now, name) - getattr(before, name) for name in names})


class _RedisRun(Run):
    octx: RedisOrchestratorContext

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opening: set[asyncio.Future[None]] = set()
        self._error: BaseException | None = None

    def open(self, name: str, inputs: list[Input]) -> None:
        if self._error is not None:
            raise self._error
        backend = self.octx.backend
        done = backend.begin(
            name, self.octx.plan, inputs, lambda raw: self.settled(backend.ending_of(raw)), strict=self.strict
        )
        self._opening.add(done)
        done.add_done_callback(lambda opened: self._opened_or_not(name, opened))

    def _opened_or_not(self, name: str, opened: asyncio.Future[None]) -> None:
        self._opening.discard(opened)
        if not opened.cancelled() and (error := opened.exception()) is not None:
            self._error = self._error or error
            self.refused(name)

    async def fed(self) -> None:
        while self._opening:
            await asyncio.wait(self._opening)
        if self._error is not None:
            raise self._error

    async def cancel(self, name: str) -> None:
        while self._opening:
            await asyncio.wait(self._opening)
        with contextlib.suppress(ContextClosed):  # it has ended just now
            await self.octx.backend.cancel(name)
            self.octx.drop(name)
