"""The same `run`, for programs without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from tidemill.model.context import BaseInputSetContext
from tidemill.model.dataflow import DataFlow
from tidemill.orchestrator.input_sets import InputSets
from tidemill.orchestrator.run import run as run_async

__all__ = ["run"]


def run(
    dataflow: DataFlow, *input_sets: InputSets, **keywords: Any
) -> Generator[tuple[BaseInputSetContext, dict[str, Any]], None, None]:
    """Run a data flow and yield (context, result) as contexts end; see `tidemill.run`.

    The event loop runs while the next result is waited for, and stands still while the caller works on one. Closing the
    generator ends the run.
    """
    with asyncio.Runner() as runner:
        results = run_async(dataflow, *input_sets, **keywords)
        try:
            while True:
                try:
                    yield runner.run(anext(results))
                except StopAsyncIteration:
                    return
        finally:
            runner.run(results.aclose())
