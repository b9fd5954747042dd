"""Where the metrics of operations go that a runner or a pump calls: by the data flow and the instance of each.

Neighbours: `metrics.measured`, `runtime.runner`, `runtime.pump`.
"""

from __future__ import annotations

from tidemill.metrics.measured import Meter
from tidemill.metrics.series import Recorder
from tidemill.runtime.prepare import Implementations

__all__ = ["meter_of", "short"]

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
