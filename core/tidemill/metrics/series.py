"""What was counted: series by metric, data flow, operation and label values; bounded, so that nobody's labels fill a
process.

A `Recorder` has all series of a run, or of a process; a `Scope` those of one operation. What one recorder has `taken`
out another one takes in with `merge`: so values get from a child process to its parent, and from a runner to its
worker. Neighbours: `instruments` write here, `exposition` reads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tidemill.errors import MetricError, TidemillError, shown
from tidemill.metrics.histograms import Histogram

__all__ = ["DROPPED", "ENOUGH", "METRICS", "OTHER", "SERIES", "Batch", "Kind", "Recorder", "Scope", "Series"]

METRICS = 200
"""Metrics of a process at most; more are not recorded, but counted."""
SERIES = 1000
"""Series of a metric at most; what would be in more is in one whose labels all are `OTHER`."""
ENOUGH = 1024
"""Values that are gathered at most before they are taken in."""
LONGEST = 100
"""Characters of a label's value that are kept."""
OTHER = "other"

logger = logging.getLogger("tidemill.metrics")


class Kind(NamedTuple):
    """A metric: what it is called, its type (counter, gauge or histogram), what it is, and the names of its labels."""

    name: str
    type: str
    about: str
    labels: tuple[str, ...] = ()


DROPPED = Kind("tidemill_metrics_dropped_total", "counter", "What was counted and had no room, by metric", ("metric",))


class Series:
    """One series: a number, or a histogram."""

    __slots__ = ("kind", "value", "values")

    def __init__(self, kind: Kind, values: tuple[str, ...]) -> None:
        self.kind = kind
        self.values = values
        self.value: Any = Histogram() if kind.type == "histogram" else 0

    def add(self, value: Any) -> None:
        """Take in what another series of the same labels has."""
        if isinstance(value, Histogram):
            self.value.merge(value)
        elif self.kind.type == "gauge":
            self.value = value
        else:
            self.value += value


class Scope:
    """The series of one operation of one data flow. ``lock`` is held while one is changed."""

    __slots__ = ("batches", "dataflow", "found", "lock", "operation", "recorder")

    def __init__(self, recorder: Recorder, dataflow: str, operation: str) -> None:
        self.recorder = recorder
        self.dataflow = dataflow
        self.operation = operation
        self.found: dict[tuple[Any, ...], Series] = {}
        self.lock = recorder.lock
        self.batches: list[Batch] = []

    def series(self, kind: Kind, values: tuple[str, ...] = ()) -> Series | None:
        """Return a series, made if there is room; None if there is none for its metric. The lock has to be held."""
        found = self.found.get((kind.name, values))
        return found if found is not None else self.recorder.made(self, kind, values)

    def observe(self, kind: Kind, value: float) -> None:
        """Take a value into a histogram without labels."""
        with self.lock:
            found = self.found.get((kind.name, ())) or self.recorder.made(self, kind, ())
            if found is not None:
                found.value.add(value)

    def count(self, kind: Kind, *values: str) -> None:
        """Count one more in a counter."""
        with self.lock:
            found = self.found.get((kind.name, values)) or self.recorder.made(self, kind, values)
            if found is not None:
                found.value += 1


class Batch:
    """Values of a histogram in billionths, each counted in a counter as well, gathered before they are taken in: that
    costs a fraction. Whoever adds to ``values`` calls `settle` when there are `ENOUGH`."""

    __slots__ = ("_counter", "_kind", "_labels", "_scope", "values")

    def __init__(self, scope: Scope, kind: Kind, counter: Kind | None = None, *labels: str) -> None:
        self.values: list[int] = []
        self._scope, self._kind, self._counter, self._labels = scope, kind, counter, labels
        scope.batches.append(self)

    def settle(self) -> None:
        """Take in what there is. The lock must not be held."""
        with self._scope.lock:
            self.settle_locked()

    def settle_locked(self) -> None:
        """The same, with the lock held. Others may add meanwhile: what they add stays for the next time."""
        values = self.values[:]
        del self.values[: len(values)]
        if not values:
            return
        found = self._scope.series(self._kind)
        if found is not None:
            found.value.extend(values)
        if self._counter is not None and (counted := self._scope.series(self._counter, self._labels)) is not None:
            counted.value += len(values)


class Recorder:
    """All series of a run, or of a process. ``dropped`` counts what had no room, by metric; what had no
    metric there is under `OTHER`."""

    def __init__(self, metrics: int = METRICS, series: int = SERIES) -> None:
        self.lock = threading.Lock()
        self._most = (metrics, series)
        self._scopes: dict[tuple[str, str], Scope] = {}
        self._kinds: dict[str, Kind] = {}
        self._many: dict[str, int] = {}
        self.dropped: dict[str, int] = {}

    def scope(self, dataflow: str = "", operation: str = "") -> Scope:
        """Return where series of an operation are; of none, without names."""
        found = self._scopes.get((dataflow, operation))
        if found is None:
            if len(self._scopes) > self._most[1]:
                dataflow = operation = OTHER
            found = self._scopes.setdefault((dataflow, operation), Scope(self, dataflow, operation))
        return found

    def made(self, scope: Scope, kind: Kind, values: tuple[str, ...]) -> Series | None:
        """Make a series, or return the one that stands for those that have no room. The lock has to be held."""
        known = self._kinds.get(kind.name)
        if known is None:
            if len(self._kinds) >= self._most[0]:
                self._drop(OTHER, f'"{kind.name}" is one metric too many')
                return None
            self._kinds[kind.name] = known = kind
        if (known.type, known.labels) != (kind.type, kind.labels):
            raise MetricError(
                f'the metric "{kind.name}" is a {known.type} with the labels {list(known.labels)} already, and now a '
                f"{kind.type} with {list(kind.labels)}; give one of them another name",
                reason="DuplicateMetric",
                path=kind.name,
            )
        place = scope
        if self._many.get(kind.name, 0) >= self._most[1]:
            self._drop(kind.name, f'"{kind.name}" has too many series, which become one of "{OTHER}"')
            values = (OTHER,) * len(kind.labels)
            if (kind.name, values) not in scope.found:
                place = self.scope(OTHER, OTHER)
        found = place.found.get((kind.name, values))
        if found is None:
            self._many[kind.name] = self._many.get(kind.name, 0) + 1
            found = place.found[kind.name, values] = Series(known, values)
        return found

    def _drop(self, name: str, why: str) -> None:
        if name not in self.dropped:
            logger.warning("%s; a process has %d metrics of %d series at most", why, *self._most)
        self.dropped[name] = self.dropped.get(name, 0) + 1

    def __iter__(self) -> Iterator[tuple[Scope, Series]]:
        """Yield all series there are now."""
        with self.lock:
            self._settle()
            found = [(scope, one) for scope in list(self._scopes.values()) for one in scope.found.values()]
        return iter(found)

    def _settle(self) -> None:
        for scope in list(self._scopes.values()):
            for batch in scope.batches:
                batch.settle_locked()

    def take(self) -> list[list[Any]]:
        """Take everything out, as plain data for `merge`; gauges stay as well, since they are no sums."""
        taken = []
        with self.lock:
            self._settle()
            for scope in list(self._scopes.values()):
                for one in scope.found.values():
                    value = one.value
                    if isinstance(value, Histogram):
                        if not value.buckets:
                            continue
                        value, one.value = value.plain(), Histogram()
                    elif one.kind.type == "counter":
                        if not value:
                            continue
                        one.value = 0
                    taken.append([*one.kind[:3], list(one.kind.labels), scope.dataflow, scope.operation,
                                  list(one.values), value])  # fmt: skip
        return taken

    def merge(self, taken: Iterable[Any], dataflow: str | None = None, operation: str | None = None) -> None:
        """Take in what another recorder has given out; what nobody said the operation of is that of ``operation``.

        What does not fit is dropped and counted: it comes from another process, and nobody here is to fail for it.
        """
        for row in taken:
            try:
                name, kind, about, labels, flow, op, values, value = row
                said = Kind(name, kind, about, tuple(labels))
                if kind == "histogram":
                    value = Histogram.of(value)
                scope = self.scope(flow or dataflow or "", op or operation or "")
                with self.lock:
                    found = scope.series(said, tuple(values))
                    if found is not None:
                        found.add(value)
            except (TidemillError, TypeError, ValueError) as error:
                with self.lock:
                    self._drop(OTHER, f"what a process has counted does not fit: {type(error).__name__}: {error}")

    @classmethod
    def of(cls, plain: Iterable[Mapping[str, Any]]) -> Recorder:
        """Return a recorder with what `plain` returned; what is none of that is dropped, and counted."""
        made = cls()
        made.merge(
            [one["name"], one["type"], "", list(one["labels"]), one["dataflow"], one["operation"],
             list(one["labels"].values()), one["value"]]
            for one in plain
        )  # fmt: skip
        return made

    def plain(self) -> list[dict[str, Any]]:
        """Return all series as plain data for a record of a run."""
        found = []
        for scope, one in self:
            value = one.value.plain() if isinstance(one.value, Histogram) else one.value
            labels = dict(zip(one.kind.labels, one.values, strict=True))
            where = {"dataflow": scope.dataflow, "operation": scope.operation}
            found.append({"name": one.kind.name, "type": one.kind.type, **where, "labels": labels, "value": value})
        return sorted(found, key=lambda one: (one["name"], one["dataflow"], one["operation"], shown(one["labels"])))
