"""What operations call: `counter`, `gauge`, `histogram` and `progress`.

An instrument is made once, at the top of a module, and used in any operation; the series it writes to is that of the
call it is used in. To use one costs less than two microseconds. Neighbours: `calls`, `series`, `naming`.
"""

from __future__ import annotations

import math
from typing import Any

from tidemill.errors import MetricError, shown
from tidemill.metrics.calls import CALL, PROCESS
from tidemill.metrics.naming import checked
from tidemill.metrics.series import LONGEST, Kind, Scope

__all__ = ["DONE", "EXPECTED", "Counter", "Gauge", "Measure", "counter", "gauge", "histogram", "progress"]

_OUTSIDE = PROCESS.scope()
DONE = Kind("tidemill_progress_done_total", "counter", "What operations have said they have done")
EXPECTED = Kind("tidemill_progress_expected_total", "counter", "What operations have said they have to do")


def current() -> Scope:
    """Return where what is counted now goes."""
    call = CALL.get(None)
    return _OUTSIDE if call is None else call.scope


class _Instrument:
    __slots__ = ("_key", "_names", "kind")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._names = kind.labels
        self._key = (kind.name, ())

    def _values(self, labels: dict[str, Any]) -> tuple[str, ...]:
        if len(labels) != len(self._names) or not all(name in labels for name in self._names):
            said = f'"{self.kind.name}" was given the labels {sorted(labels)}, expected {list(self._names)}, each with '
            raise MetricError(f"{said}a value", reason="InvalidMetric", path=self.kind.name)
        return tuple([str(labels[name])[:LONGEST] for name in self._names])

    def _refused(self, what: str, value: object, expected: str) -> MetricError:
        said = f'{what} of "{self.kind.name}" is {shown(value)}, expected {expected}'
        return MetricError(said, reason="InvalidMetric", path=self.kind.name)


class Counter(_Instrument):
    """A number that only grows."""

    __slots__ = ()

    def inc(self, by: float = 1, **labels: Any) -> None:
        """Count ``by`` more. Raises `MetricError` (InvalidMetric) for less than 0, and for labels that it has not."""
        if type(by) is not int and type(by) is not float or not 0 <= by < math.inf:
            raise self._refused("the increment", by, "a number of 0 or more: a counter only grows; use a gauge")
        call = CALL.get(None)
        scope = _OUTSIDE if call is None else call.scope
        key = (self.kind.name, self._values(labels)) if labels or self._names else self._key
        with scope.lock:
            found = scope.found.get(key) or scope.series(self.kind, key[1])
            if found is not None:
                found.value += by


class Gauge(_Instrument):
    """A number that is what it was last set to."""

    __slots__ = ()

    def set(self, value: float, **labels: Any) -> None:
        """Set it. Raises `MetricError` (InvalidMetric) for what is no number, and for labels that it has not."""
        if type(value) is not int and type(value) is not float or not math.isfinite(value):
            raise self._refused("the value", value, "a finite number")
        key = (self.kind.name, self._values(labels)) if labels or self._names else self._key
        scope = current()
        with scope.lock:
            found = scope.found.get(key) or scope.series(self.kind, key[1])
            if found is not None:
                found.value = value


class Measure(_Instrument):
    """Values, by how large they are; see `histograms.Histogram`."""

    __slots__ = ()

    def observe(self, value: float, **labels: Any) -> None:
        """Take a value in. Raises `MetricError` (InvalidMetric) for less than 0, and for labels that it has not."""
        if type(value) is not int and type(value) is not float or not 0 <= value < math.inf:
            raise self._refused("the value", value, "a finite number of 0 or more")
        key = (self.kind.name, self._values(labels)) if labels or self._names else self._key
        scope = current()
        with scope.lock:
            found = scope.found.get(key) or scope.series(self.kind, key[1])
            if found is not None:
                found.value.add(value)


def counter(name: str, about: str, *labels: str) -> Counter:
    """Return a counter called ``name``, which ends in ``_total``; ``about`` says what it is, ``labels`` are names of
    what tells its series apart.

    Raises `MetricError` (InvalidMetric) for a name that is not as names are: see `naming`.
    """
    return Counter(checked(Kind(name, "counter", about, labels)))


def gauge(name: str, about: str, *labels: str) -> Gauge:
    """Return a gauge; see `counter`."""
    return Gauge(checked(Kind(name, "gauge", about, labels)))


def histogram(name: str, about: str, *labels: str) -> Measure:
    """Return a histogram, whose name ends in the unit of its values, such as ``_seconds`` or ``_bytes``; see
    `counter`."""
    return Measure(checked(Kind(name, "histogram", about, labels)))


def progress(done: float, total: float | None = None) -> None:
    """Say how far the call is: ``done`` of ``total`` things, whatever they are (None: that is not known).

    What the calls of an operation have said is added up. Raises `MetricError` (InvalidMetric) for what is no number of
    0 or more, and for more that is done than there is.
    """
    for value in (done, total):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value < math.inf):
            said = f"progress was called with {shown(value)}, expected a number of 0 or more"
            raise MetricError(said, reason="InvalidMetric", path="progress")
    if total is not None and done > total:
        said = f"progress was called with {shown(done)} done of {shown(total)}; say the larger total along with it"
        raise MetricError(said, reason="InvalidMetric", path="progress")
    call = CALL.get(None)
    if call is None:
        return
    scope = call.scope
    with scope.lock:
        before_done, before_total = call.progress or (0, 0)
        now_done, now_total = max(done, before_done), max(total or 0, before_total)
        call.progress = (now_done, now_total)
        for kind, more in ((DONE, now_done - before_done), (EXPECTED, now_total - before_total)):
            found = scope.series(kind)
            if found is not None:
                found.value += more
