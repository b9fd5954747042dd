"""What became of a context, and how far a run is: what the orchestrator hands out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tidemill.engine.lineage import LineageRecord
from tidemill.errors import OperationFailure
from tidemill.metrics.histograms import Histogram
from tidemill.model.context import BaseInputSetContext
from tidemill.networks.backend import Counts

__all__ = ["Outcome", "Progress"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a context.

    ``result`` is None exactly when ``failure`` says what failed it; ``failures`` were survived because the run was not
    strict. ``elapsed`` is in seconds, from opening the context to its end. `lineage` has a record of every input if the
    orchestrator was asked to keep them.
    """

    name: str
    ctx: BaseInputSetContext
    result: dict[str, Any] | None
    failure: OperationFailure | None
    failures: tuple[OperationFailure, ...]
    notes: tuple[str, ...]
    inputs: int
    parameter_sets: int
    elapsed: float
    lineage: Callable[[], list[LineageRecord]] = field(repr=False, default=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: ``elapsed`` seconds, ``contexts`` by state (open, succeeded, failed), ``operations`` by
    instance, and the operations that ``blocked`` the event loop, with the seconds of the longest time. ``seconds`` has
    how long calls have taken, by instance, as far as they were measured here."""

    elapsed: float
    contexts: dict[str, int]
    operations: dict[str, Counts]
    blocked: dict[str, float]
    seconds: dict[str, Histogram] = field(default_factory=dict)
