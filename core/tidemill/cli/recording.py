"""What ``tidemill run`` does with what was counted and measured: serve it, write it to a file, say it at the end.

Neighbours: `running`; `metrics.series` has it, `metrics.exposition` serves it, `estimate` reads the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli.errors import one_line, say
from tidemill.errors import LoadError, TidemillError

if TYPE_CHECKING:
    from tidemill.metrics.series import Recorder
    from tidemill.orchestrator.running import OrchestratorContext

__all__ = ["Recording", "count_text", "recording_options"]

SHOWN = 10
"""Metrics that are said at the end of a run; a record has all."""
VERSION = 1
"""Of the file of a record."""


def recording_options(function: Any) -> Any:
    """Give a command ``--record`` and ``--metrics-port``."""
    record = click.option("--record", metavar="FILE", help="Write what was counted and measured to FILE, as JSON.")
    port = click.option("--metrics-port", type=click.IntRange(0, 65535), metavar="PORT",
        help="Serve what is counted and measured on PORT of this machine, for Prometheus, while it runs.")  # fmt: skip
    return record(port(function))


class Recording:
    """The record of one run. ``path`` and ``port`` are what the options say; entered before the run, so that what
    cannot be written or served is known then.

    Raises `TidemillError` (CannotWrite, PortTaken) and `LoadError` (MissingExtra).
    """

    def __init__(self, path: str | None, port: int | None) -> None:
        self._path = path
        self._port = port

    @contextlib.asynccontextmanager
    async def of(self, octx: OrchestratorContext) -> AsyncIterator[None]:
        """Record what a context of an orchestrator runs."""
        with self._served(octx):
            async with self._written(octx):
                yield

    @contextlib.contextmanager
    def _served(self, octx: OrchestratorContext) -> Iterator[None]:
        if self._port is None:
            yield
            return
        try:
            from prometheus_client import CollectorRegistry, start_http_server

            from tidemill.metrics.exposition import Exposed
        except ImportError as error:
            said = "--metrics-port needs prometheus-client: pip install 'tidemill[worker]'"
            raise LoadError(said, reason="MissingExtra") from error
        registry = CollectorRegistry()
        registry.register(Exposed(octx.metrics))
        try:
            server, thread = start_http_server(self._port, "127.0.0.1", registry)
        except OSError as error:
            said = f"metrics cannot be served on port {self._port}: {error.strerror}; choose another, or 0 for any"
            raise TidemillError(said, reason="PortTaken", path="--metrics-port") from error
        try:
            say(f"metrics at http://127.0.0.1:{server.server_port}/metrics")
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @contextlib.asynccontextmanager
    async def _written(self, octx: OrchestratorContext) -> AsyncIterator[None]:
        if self._path is None:
            yield
            return
        path = Path(self._path)
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            said = f"{path} cannot be written: {error.strerror}; choose a file in a folder that exists"
            raise TidemillError(said, reason="CannotWrite", path="--record") from error
        found, patient = (octx.metrics, "process"), False
        try:
            measured = await octx.measuring()
            try:
                yield
                patient = True  # a run that was ended early waits for nobody
            finally:
                found = await measured(patient=patient)
        finally:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(record(octx, *found), file, indent=1)
                file.write("\n")
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def record(octx: OrchestratorContext, measured: Recorder, source: str) -> dict[str, Any]:
    """Return the record of a run as plain data: ``measured`` is what was measured, ``source`` where that is from."""
    progress = octx.progress()
    return {
        "tidemill": "record",
        "version": VERSION,
        "plan": octx.plan.digest,
        "elapsed": progress.elapsed,
        "contexts": progress.contexts,
        "operations": {
            name: {word: getattr(counts, word) for word in type(counts).__dataclass_fields__}
            for name, counts in progress.operations.items()
        },
        "measured": source,
        "metrics": measured.plain(),
    }


def count_text(recorder: Recorder) -> list[str]:
    """Return a line for each series that operations have counted, those of Tidemill itself left out."""
    from tidemill.metrics.histograms import Histogram
    from tidemill.metrics.naming import OWN

    lines = []
    for each in recorder.plain():
        if each["name"].startswith(OWN):
            continue
        labels = ", ".join(
            f"{name}={value}" for name, value in {"operation": each["operation"], **each["labels"]}.items()
        )
        value = each["value"]
        if isinstance(value, dict):
            found = Histogram.of(value)
            value = f"{found.count} values, mean {found.mean or 0:.3g}, 95 % up to {found.quantile(0.95) or 0:.3g}"
        lines.append(one_line(f"  {each['name']}{{{labels}}}: {value}"))
    if len(lines) > SHOWN:
        lines[SHOWN:] = [f"  … and {len(lines) - SHOWN} more; --record has all"]
    return lines
