"""The orchestrator over a cluster: a DataFlow object is applied, contexts go through its HTTP API, results come back.

``async with KubernetesOrchestrator(image=...) as orchestrator: async with orchestrator(dataflow) as octx: …``, as with
the others. The code of the operations runs in the cluster, so it is in the image of the workers; here nothing runs.
Neighbours: `orchestrator.cluster` (requests), `orchestrator.remote` (contexts), `formats.manifest` (the object).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidemill.errors import ContextClosed, StoreError, TidemillError, shown
from tidemill.formats.manifest import manifest_of
from tidemill.formats.write import plain_data
from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.networks.backend import Counts
from tidemill.orchestrator.cluster import kubectl
from tidemill.orchestrator.cluster.client import ApiError, Client, Place, connected
from tidemill.orchestrator.cluster.journals import ClusterBackend
from tidemill.orchestrator.cluster.objects import ACCOUNT, Objects, objects
from tidemill.orchestrator.input_sets import InputSets, closing
from tidemill.orchestrator.outcome import Progress
from tidemill.orchestrator.remote import RemoteRun
from tidemill.orchestrator.running import OrchestratorContext, Run, bound
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan
from tidemill.runtime.config import as_config, config, field, plain_fields

__all__ = ["KubernetesOrchestrator", "KubernetesOrchestratorConfig", "KubernetesOrchestratorContext"]

OPEN_AT_ONCE = 1000
"""Contexts of one run that are open at once unless told otherwise."""
LOOK = 0.5
"""Seconds between two looks at an object that is not accepted yet."""


@config
class KubernetesOrchestratorConfig:
    """How data flows are run on a cluster; see `KubernetesOrchestrator`."""

    namespace: str | None = field("where the object is; kubectl's, or the pod's", default=None)
    name: str | None = field("what the object is called; one that is given stays afterwards", default=None)
    image: str | None = field("image of the workers, with the code of the operations", default=None)
    pools: Sequence[Mapping[str, Any]] | None = field("spec.pools of the object", default=None)
    api: str | None = field("URL of the HTTP API; kubectl forwards a port without one", default=None)
    token_file: str | None = field("a file with the token for the API", default=None)
    server: str | None = field("URL of a proxy to the API server; kubectl's, or the pod's account", default=None)
    max_ctxs: int | None = field("contexts of a run that are open at once", default=None)
    timeout: float = field("seconds within which the operator has to accept the object", default=120.0)
    journal: bool = field("whether contexts keep every change of their state", default=False)


class KubernetesOrchestrator:
    """Runs data flows on a cluster where Tidemill is installed.

    Configured by a `KubernetesOrchestratorConfig`, or by its fields as keywords. The object is applied in
    ``namespace``; with a ``name`` it stays there afterwards, and applying it again changes it, without one it is
    deleted. ``image`` is that of the workers of the pool ``default``, ``pools`` all of ``spec.pools``. Who asks is said
    by ``token_file`` (TIDEMILL_TOKEN_FILE), the service account of the pod, or the kubeconfig; the HTTP API is at
    ``api`` (TIDEMILL_API). ``journal`` is ``spec.journal``: contexts keep every change of their state, which
    ``octx.backend.journal(name)`` reads.

    Raises `ApiError` when it is entered and the cluster cannot be reached, `TidemillError` (InvalidConfig).
    """

    CONFIG = KubernetesOrchestratorConfig

    def __init__(self, config: KubernetesOrchestratorConfig | None = None, **fields: Any) -> None:
        self.config = config if config is not None else as_config(KubernetesOrchestratorConfig, fields)
        if not isinstance(self.config.journal, bool):
            said = f"journal is {shown(self.config.journal)}, expected True or False: a cluster says how much is kept"
            raise TidemillError(said, reason="InvalidConfig", path="/journal")
        self.max_ctxs = bound("max_ctxs", self.config.max_ctxs)
        self.namespace = ""
        self.objects: Objects
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def withconfig(cls, config: Mapping[str, Any] | None = None, *above: str) -> KubernetesOrchestrator:
        """Return an orchestrator configured by a mapping of its keywords, plain or nested (`plain_fields`)."""
        return cls(**plain_fields(config, *above, "orchestrator", "kubernetes"))

    @classmethod
    async def run(
        cls, dataflow: DataFlow, *sets: InputSets, strict: bool = True, ctx: Any = None, **keywords: Any
    ) -> AsyncGenerator[tuple[BaseInputSetContext, dict[str, Any]], None]:
        """Run a data flow over input sets; see `OrchestratorContext.run`."""
        async with cls(**keywords) as orchestrator, orchestrator(dataflow, strict=strict) as octx:
            async with closing(octx.run(*sets, ctx=ctx)) as pairs:
                async for pair in pairs:
                    yield pair

    async def __aenter__(self) -> KubernetesOrchestrator:
        said = self.config
        self.namespace, token = await asyncio.to_thread(_who, said.namespace, said.token_file)
        async with self._stack:
            self.objects = await self._stack.enter_async_context(objects(self.namespace, said.server))
            url = said.api or os.environ.get("TIDEMILL_API") or self._stack.enter_context(kubectl.forwarded())
            self._place = (url, token)
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._stack.__aexit__(*exc)

    def __call__(self, dataflow: DataFlow, *, strict: bool = True) -> KubernetesOrchestratorContext:
        """Return the context in which a data flow is run. ``strict``: the first failed operation fails its context."""
        return KubernetesOrchestratorContext(self, dataflow, strict)

    def place(self, name: str) -> Place:
        """Return where the contexts of an object are."""
        return Place(*self._place, self.namespace, "dataflows", name)


def _who(namespace: str | None, token_file: str | None) -> tuple[str, str]:
    """Return the namespace, and the token that says who asks: as told, those of the pod, or kubectl's."""
    in_pod = (ACCOUNT / "token").exists()
    if not namespace:
        namespace = (ACCOUNT / "namespace").read_text().strip() if in_pod else kubectl.namespace()
    file = token_file or os.environ.get("TIDEMILL_TOKEN_FILE") or (ACCOUNT / "token" if in_pod else None)
    if file is None:
        return namespace, kubectl.token()
    try:
        return namespace, Path(file).read_text().strip()
    except OSError as error:
        raise ApiError(f"the token file {str(file)!r} cannot be read: {error}", reason="NoToken") from None


class KubernetesOrchestratorContext(OrchestratorContext):
    """A data flow being run on a cluster; ``name`` is that of its object, ``backend`` has the journals of contexts."""

    client: Client
    backend: ClusterBackend

    def __init__(self, parent: KubernetesOrchestrator, dataflow: DataFlow, strict: bool) -> None:
        super().__init__(dataflow, strict)
        self.parent = parent
        self.name = parent.config.name or f"run-{secrets.token_hex(5)}"
        self.tasks: set[asyncio.Task[None]] = set()
        self._stack = contextlib.AsyncExitStack()
        self._operations: dict[str, Counts] = {}

    async def __aenter__(self) -> KubernetesOrchestratorContext:
        self.plan: Plan = compile_plan(self.dataflow)
        body, found = self._object(), self.parent.objects
        async with self._stack:
            if self.parent.config.name is None:
                self._stack.push_async_callback(found.delete, self.name)
            generation = (await found.apply(body))["metadata"].get("generation", 0)
            await self._accepted(generation)
            self.client = await self._stack.enter_async_context(connected(self.parent.place(self.name)))
            self.backend = ClusterBackend(self.client)
            self._stack = self._stack.pop_all()
        self._began = time.monotonic()
        return self

    def _object(self) -> dict[str, Any]:
        said = self.parent.config
        made = manifest_of(self.dataflow, self.name)
        made["metadata"]["namespace"] = self.parent.namespace
        pools = said.pools or ([{"name": "default", "image": said.image}] if said.image else [])
        if pools:
            made["spec"]["pools"] = plain_data([dict(pool) for pool in pools])
        if said.journal:
            made["spec"]["journal"] = True
        return made

    async def _accepted(self, generation: int) -> None:
        """Wait until the operator has accepted the object. Raises `ApiError` with its reason if it does not."""
        try:
            async with asyncio.timeout(self.parent.config.timeout):
                while True:
                    status = (await self.parent.objects.get(self.name)).get("status") or {}
                    for one in status.get("conditions") or ():
                        if one["type"] == "Accepted" and one.get("observedGeneration", generation) >= generation:
                            if one["status"] == "True":
                                return
                            if one["status"] == "False":
                                said = f'the data flow "{self.name}" is refused: {one.get("message", "")}'
                                raise ApiError(said, reason=str(one["reason"]))
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            said = (
                f"no operator has looked at the DataFlow {self.parent.namespace}/{self.name} within "
                f"{self.parent.config.timeout:g} s; is Tidemill installed, and does it look after that namespace?"
            )
            raise ApiError(said, reason="NotAccepted") from None

    async def __aexit__(self, *exc: object) -> None:
        self.crashed(ContextClosed("the orchestrator context that runs this data flow has been left"))
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._stack.aclose()

    # -- how far it is ------------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Return how far everything is that this context has been asked to run, as `look` saw it last."""
        elapsed = time.monotonic() - self._began
        return Progress(elapsed=elapsed, contexts=dict(self.counts), operations=dict(self._operations), blocked={})

    async def look(self) -> Progress:
        """Return how far everything is at this moment, with all that others run of the object."""
        with contextlib.suppress(StoreError, ApiError):
            names = ("taken", "dispatched", "completed", "failed")
            for one in (await self.client.get())["operations"]:
                self._operations[one["instance"]] = Counts(**{name: one[name] for name in names})
        return self.progress()

    async def unserved(self) -> list[str]:
        """Return what keeps workers away, each in a sentence."""
        status = (await self.parent.objects.get(self.name)).get("status") or {}
        wanted = ("ImplementationsAvailable", "WorkersAvailable")
        found = [one for one in status.get("conditions") or () if one["type"] in wanted and one["status"] == "False"]
        return [f"{one['reason']}: {one.get('message', '')}" for one in found]

    def begin(self, strict: bool, halt: asyncio.Event | None) -> Run:
        """Return a run that opens contexts on the cluster."""
        return RemoteRun(self, strict, halt, self.parent.max_ctxs or OPEN_AT_ONCE, journal=self.parent.config.journal)
