"""What a recorder has, for Prometheus: counters and gauges as they are, histograms with a fixed number of buckets.

The finer buckets of `histograms` are added up to these: seconds from a millisecond to more than an hour, bytes from 64
to 16 gigabytes. Needs prometheus-client, an extra. Neighbours: `series`; the worker and ``tidemill run`` serve it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tidemill.metrics.histograms import Histogram
from tidemill.metrics.series import DROPPED, Kind, Recorder, Series

__all__ = ["Exposed", "bounds", "text"]

_BOUNDS = {"seconds": range(-10, 13, 2), "bytes": range(6, 35, 4)}
"""By the unit that a name ends in, the powers of two at which the buckets end that are shown."""
_OTHERS = range(-10, 21, 3)
_PLACE = ("dataflow", "operation")


def bounds(name: str) -> list[float]:
    """Return where the buckets of a histogram end that are shown."""
    return [2.0**power for power in _BOUNDS.get(name.rsplit("_", 1)[-1], _OTHERS)]


class Exposed(Collector):
    """The series of a recorder, as a collector of Prometheus."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def describe(self) -> Iterable[Any]:
        """Return nothing: which metrics there will be is not known before."""
        return []

    def collect(self) -> Iterator[Any]:
        """Yield every metric with all of its series."""
        families: dict[str, Any] = {}
        for scope, one in self._recorder:
            family = families.get(one.kind.name)
            if family is None:
                family = families[one.kind.name] = _family(one.kind)
            _add(family, [scope.dataflow, scope.operation, *one.values], one)
        yield from families.values()
        dropped = CounterMetricFamily(DROPPED.name, DROPPED.about, labels=DROPPED.labels)
        for name, many in sorted(self._recorder.dropped.items()):
            dropped.add_metric([name], many)
        yield dropped


def text(recorder: Recorder) -> bytes:
    """Return all series in the format that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(Exposed(recorder))
    return generate_latest(registry)


def _family(kind: Kind) -> Any:
    made = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
    return made[kind.type](kind.name, kind.about, labels=[*_PLACE, *kind.labels])


def _add(family: Any, labels: list[str], one: Series) -> None:
    value = one.value
    if not isinstance(value, Histogram):
        family.add_metric(labels, value)
        return
    pairs = [(_number(bound), value.below(bound)) for bound in bounds(one.kind.name)]
    family.add_metric(labels, buckets=[*pairs, ("+Inf", value.count)], sum_value=value.sum)


def _number(bound: float) -> str:
    return repr(bound)
