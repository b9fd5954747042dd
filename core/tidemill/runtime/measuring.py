"""Where the metrics of operations go that a runner or a pump calls: by the data flow and the instance of each; and what
the estimates of operations say beside that.

Neighbours: `metrics.measured`, `runtime.runner`, `runtime.pump`, `orchestrator.estimating`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tidemill.errors import MetricError, shown
from tidemill.metrics.calls import Call
from tidemill.metrics.estimate import Estimate
from tidemill.metrics.measured import RATIO, Meter
from tidemill.metrics.series import Recorder
from tidemill.runtime.failures import text_of
from tidemill.runtime.implementation import OperationImplementation
from tidemill.runtime.prepare import Implementations

__all__ = ["compare", "estimated", "meter_of", "short"]

logger = logging.getLogger("tidemill.metrics")

DIGITS = 12
"""Digits of the digest of a plan by which metrics name a data flow."""


def short(digest: str) -> str:
    """Return how metrics name the data flow whose plan has this digest."""
    return digest.removeprefix("sha256:")[:DIGITS]


def meter_of(metrics: Recorder | None, implementations: Implementations) -> Meter | None:
    """Return what measures calls of these implementations into ``metrics``; None where nothing is to be measured."""
    if metrics is None:
        return None
    return Meter(
        metrics, lambda operation: short(implementations[operation].dataflow), lambda operation: operation.instance
    )


def estimated(implementation: type[OperationImplementation], inputs: Mapping[str, Any]) -> Estimate | None:
    """Return what the stub of an operation estimates for a call with these inputs; None if it has none.

    Raises `MetricError` (EstimateFailed) where the stub raises, or returns something else.
    """
    if implementation.ESTIMATE is None:
        return None
    stub, names = implementation.ESTIMATE
    name = implementation.op.name
    try:
        found = stub(**{key: value for key, value in inputs.items() if names is None or key in names})
    except MetricError as error:
        raise MetricError(f"the estimate of {name}: {error.message}", reason=error.reason, path=name) from error
    except Exception as error:
        said = f"the estimate of {name} has failed: {type(error).__name__}: {text_of(error)}"
        raise MetricError(said, reason="EstimateFailed", path=name) from error
    if not isinstance(found, Estimate):
        said = f"the estimate of {name} returned {shown(found)}, expected tidemill.Estimate(seconds=…, memory=…)"
        raise MetricError(said, reason="EstimateFailed", path=name)
    return found


def compare(call: Call, implementation: OperationImplementation, inputs: Mapping[str, Any], took: float) -> None:
    """Record how wrong the estimate of a call was; one that fails is logged, and the call goes on."""
    try:
        found = estimated(type(implementation), inputs)
    except MetricError as error:
        logger.warning("%s", error.message)
        return
    if found is not None and found.seconds:
        call.scope.observe(RATIO, took / found.seconds)
