"""OpenLineage: what becomes of contexts, in the words that catalogues of data read.

A context is a run: START when its first event is heard, COMPLETE or FAIL when it has ended, under an id that follows
from its name. What was given to it is its inputs, the parts of its result are its outputs; a child context has its
parent. Events go out in a thread of their own and in their order: whoever takes them may be slow, and may fail, without
a run noticing. Needs the extra ``tidemill[openlineage]``.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tidemill.errors import LoadError, TidemillError, shown
from tidemill.journal.event import Event

if TYPE_CHECKING:
    from openlineage.client.transport.transport import Transport

__all__ = ["DATASETS", "OpenLineage", "run_id", "transport_of"]

PRODUCER = "https://pypi.org/project/tidemill/"
DATASETS = 100
"""Inputs, and outputs, that an event names at most."""
_FAMILY = uuid.UUID("5c0d6c5e-0d2f-5d1c-9a53-7a1f3d0d3c11")


def run_id(namespace: str, context: str) -> str:
    """Return the id of the run that a context is: the same wherever it is asked for."""
    return str(uuid.uuid5(_FAMILY, f"{namespace}\n{context}"))


def transport_of(said: str) -> Transport:
    """Return where events go: ``console``, ``file:PATH``, or the URL of a server.

    Raises `LoadError` (MissingExtra) and `TidemillError` (InvalidTransport).
    """
    try:
        from openlineage.client.transport.console import ConsoleConfig, ConsoleTransport
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import HttpConfig, HttpTransport
    except ImportError as error:
        told = "this needs the package openlineage-python, which is not installed: pip install 'tidemill[openlineage]'"
        raise LoadError(told, reason="MissingExtra") from error
    if said == "console":
        return ConsoleTransport(ConsoleConfig())
    if said.startswith("file:") and said.removeprefix("file:"):
        return FileTransport(FileConfig(log_file_path=said.removeprefix("file:"), append=True))
    if said.startswith(("http://", "https://")):
        return HttpTransport(HttpConfig(url=said))
    told = (
        f"OpenLineage events cannot go to {shown(said)}; expected console, file:PATH, or the URL of a server (http://…)"
    )
    raise TidemillError(told, reason="InvalidTransport")


class OpenLineage:
    """Tells a transport what becomes of contexts; called with the events of a journal, as they come.

    ``job`` is the name of the data flow, ``failed`` is called with why an event could not be handed over. `close` waits
    for what is on its way.
    """

    def __init__(
        self,
        transport: Transport,
        job: str,
        *,
        namespace: str = "tidemill",
        failed: Callable[[str], None] = lambda said: None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        from openlineage.client import OpenLineageClient

        self._client = OpenLineageClient(transport=transport)
        self._job, self._namespace, self._failed, self._now = job, namespace, failed, now
        self._open: dict[str, _Run] = {}
        self._thread = ThreadPoolExecutor(1, "openlineage")

    def __call__(self, events: Sequence[Event]) -> None:
        """Take the next events of one context, or of several."""
        for event in events:
            run = self._open.get(event.context)
            if run is None:
                run = self._begun(event)
            elif event.id <= run.last:  # it was heard before
                continue
            run.last = event.id
            if event.kind == "input" and "operation" not in event.what and len(run.given) < DATASETS:
                run.given[str(event.what["definition"])] = None
            elif event.kind == "ended":
                state = "COMPLETE" if event.what["status"] == "succeeded" else "FAIL"
                self._send(state, event.context, run, event.what)
                del self._open[event.context]

    def _begun(self, event: Event) -> _Run:
        """Tell that a context has begun, whichever of its events is heard first: who comes late, or where the oldest
        are gone, learns of its begin then."""
        parent = event.what.get("parent") if event.kind == "opened" else None
        run = self._open[event.context] = _Run(self._name(parent), parent)
        self._send("START", event.context, run, {})
        return run

    def _name(self, parent: Mapping[str, Any] | None) -> str:
        """Return the job of a context: of a child, that of its parent and the operation that runs it."""
        above = self._open.get(parent["context"]) if parent is not None else None
        return self._job if parent is None else f"{above.job if above else self._job}.{parent['operation']}"

    def _send(self, state: str, context: str, run: _Run, what: Mapping[str, Any]) -> None:
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import error_message_run, parent_run

        facets: dict[str, Any] = {}
        if run.parent is not None:
            above = run.parent["context"]
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=run_id(self._namespace, above)),
                job=parent_run.Job(namespace=self._namespace, name=run.job.rpartition(".")[0]),
                producer=PRODUCER,
            )
        if state == "FAIL":
            failure = what["failure"]
            said = f"{failure['reason']}: {failure['message']}"
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=said, programmingLanguage="python", producer=PRODUCER
            )
        result = what.get("result")
        names = list(result)[:DATASETS] if isinstance(result, Mapping) else []
        event = RunEvent(
            eventType=RunState[state],
            eventTime=self._now().isoformat(),
            run=Run(runId=run_id(self._namespace, context), facets=facets),
            job=Job(namespace=self._namespace, name=run.job),
            inputs=[InputDataset(self._namespace, f"{context}/inputs/{name}") for name in run.given],
            outputs=[OutputDataset(self._namespace, f"{context}/result/{name}") for name in names],
            producer=PRODUCER,
        )
        self._thread.submit(self._emit, event)

    def _emit(self, event: Any) -> None:
        try:
            self._client.emit(event)
        except Exception as error:
            self._failed(f"an event for OpenLineage was not taken: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Wait until everything has been handed over, or refused."""
        self._thread.shutdown()


class _Run:
    """A context that is open."""

    def __init__(self, job: str, parent: Mapping[str, Any] | None) -> None:
        self.job = job
        self.parent = parent
        self.given: dict[str, None] = {}
        self.last = 0  # the event that was heard last
