"""How long it will still take: what is left of each operation times what a call has taken, over how many run at once.

Nothing is said before everything that is left has been measured. Neighbours: `measured`; ``tidemill run`` and
``tidemill watch`` show it.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidemill.metrics.histograms import Histogram
from tidemill.metrics.measured import SECONDS
from tidemill.metrics.series import Recorder

__all__ = ["at_once", "by_contexts", "durations", "seconds_left", "shown_seconds"]


def durations(recorder: Recorder) -> dict[str, Histogram]:
    """Return how long the calls of each operation have taken, by instance."""
    found: dict[str, Histogram] = {}
    for scope, one in recorder:
        if one.kind.name == SECONDS.name:
            found.setdefault(scope.operation, Histogram()).merge(one.value)
    return found


def at_once(measured: Mapping[str, Histogram], elapsed: float) -> float:
    """Return how many calls have run at once on average, in ``elapsed`` seconds."""
    return sum(one.sum for one in measured.values()) / elapsed if elapsed > 0 else 0.0


def seconds_left(left: Mapping[str, int], measured: Mapping[str, Histogram], slots: float) -> float | None:
    """Return the seconds until what is ``left`` of each operation is done with ``slots`` at once; None if that cannot
    be told yet."""
    total, many = 0.0, 0
    for instance, count in left.items():
        if count <= 0:
            continue
        mean = measured[instance].mean if instance in measured else None
        if mean is None:
            return None
        total += count * mean
        many += count
    if not many:
        return 0.0
    return total / min(slots, many) if slots > 0 else None


def by_contexts(elapsed: float, done: int, total: int | None) -> float | None:
    """Return the seconds until all ``total`` contexts are done, of which ``done`` have taken ``elapsed`` seconds."""
    if total is None or not done:
        return None
    return elapsed / done * max(0, total - done)


def shown_seconds(seconds: float) -> str:
    """Return a number of seconds as people say it: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
