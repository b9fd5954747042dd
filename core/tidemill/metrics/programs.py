"""How programs in any language count: they append lines of JSON to the file that the variable ``TIDEMILL_METRICS``
names.

A line is ``{"counter": "pages_total", "by": 3}``, ``{"gauge": "queue_items", "value": 7}``,
``{"histogram": "page_bytes", "value": 1200}`` or ``{"done": 3, "total": 10}``; the first three may have ``"help"`` and
``"labels": {name: value}``. What cannot be read is counted, logged once, and costs nothing else. Neighbours:
`instruments`; `runtime.processes`, which does this around each operation that has a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidemill.errors import TidemillError
from tidemill.metrics.instruments import counter, gauge, histogram, progress

__all__ = ["LINES", "VARIABLE", "programs"]

VARIABLE = "TIDEMILL_METRICS"
"""The environment variable that names the file."""
LINES = 10_000
"""Lines that are read of one file at most."""
LONGEST = 4096
"""Bytes of a line at most."""

logger = logging.getLogger("tidemill.metrics")


@contextlib.contextmanager
def programs() -> Iterator[dict[str, str]]:
    """Give an environment for programs whose metrics are to be those of this call: they are read when it is left.

    ``with metrics.programs() as env: subprocess.run(command, env=env)``
    """
    handle, name = tempfile.mkstemp(prefix="tidemill-metrics-", suffix=".jsonl")
    os.close(handle)
    path = Path(name)
    try:
        yield {**os.environ, VARIABLE: name}
        _read(path)
    finally:
        path.unlink(missing_ok=True)


def _read(path: Path) -> None:
    wrong, first = 0, ""
    try:
        with path.open("rb") as lines:
            for at, _ in enumerate(iter(lambda: lines.peek(1), b"")):
                line = lines.readline(LONGEST)
                if at >= LINES:
                    logger.warning("a program has said more than %d lines of metrics; the rest is left out", LINES)
                    break
                try:
                    _told(json.loads(line))
                except (TidemillError, AttributeError, KeyError, TypeError, ValueError) as error:
                    wrong += 1
                    first = first or f"line {at + 1}: {type(error).__name__}: {error}"
    except OSError as error:
        logger.warning("the metrics of a program cannot be read: %s", error)
    if wrong:
        logger.warning("%d lines of metrics of a program are no metrics; %s", wrong, first)


def _told(said: dict[str, Any]) -> None:
    if "done" in said:
        progress(said["done"], said.get("total"))
        return
    labels = said.get("labels", {})
    about = said.get("help", "Said by a program")
    if "counter" in said:
        counter(said["counter"], about, *labels).inc(said.get("by", 1), **labels)
    elif "gauge" in said:
        gauge(said["gauge"], about, *labels).set(said["value"], **labels)
    else:
        histogram(said["histogram"], about, *labels).observe(said["value"], **labels)
