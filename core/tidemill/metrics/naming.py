"""How metrics are called: by the conventions of Prometheus, so that what is exposed needs no translation.

A name is lower case with underscores; a counter ends in ``_total``, nothing else does; units are seconds and bytes and
stand last. ``tidemill_`` begins the names of Tidemill's own. Labels are lower case too, and not those that each series
has.
"""

from __future__ import annotations

import re

from tidemill.errors import MetricError, shown
from tidemill.metrics.series import Kind

__all__ = ["OWN", "checked"]

OWN = "tidemill_"
"""How the names begin that only Tidemill gives."""
LABELS = 8
"""Labels of a metric at most."""
_LONGEST = 100
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PARTS = ("_bucket", "_count", "_created", "_sum", "_info")
_UNITS = {
    "milliseconds": "seconds", "ms": "seconds", "microseconds": "seconds", "us": "seconds", "nanoseconds": "seconds",
    "ns": "seconds", "minutes": "seconds", "hours": "seconds", "kilobytes": "bytes", "kb": "bytes",
    "megabytes": "bytes", "mb": "bytes", "gigabytes": "bytes", "gb": "bytes", "percent": "ratio",
}  # fmt: skip
_TAKEN = ("dataflow", "operation", "le", "quantile", "job", "instance")


def checked(kind: Kind) -> Kind:
    """Return the metric. Raises `MetricError` (InvalidMetric) that says what is wrong with its name, or a label's."""
    wrong = _wrong(kind)
    if wrong:
        raise MetricError(f"{shown(kind.name)}: {wrong}", reason="InvalidMetric", path=str(kind.name)[:_LONGEST])
    return kind


def _wrong(kind: Kind) -> str:
    name = kind.name
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST:
        return f'expected a name such as "pages_total": a-z, 0-9 and single _, {_LONGEST} characters at most'
    if name.startswith(OWN):
        return f'names that begin with "{OWN}" are those of Tidemill; give it another'
    if kind.type == "counter" and not name.endswith("_total"):
        return f'a counter ends in "_total"; call it "{name}_total"'
    if kind.type != "counter" and name.endswith("_total"):
        return f'only a counter ends in "_total", this is a {kind.type}'
    last = name.removesuffix("_total").rsplit("_", 1)[-1]
    if f"_{last}" in _PARTS:
        return f'"_{last}" is what Prometheus adds to names; let it end otherwise'
    if last in _UNITS:
        return f'the unit "{last}" is to be "{_UNITS[last]}", without a factor'
    if not isinstance(kind.about, str) or not kind.about.strip():
        return f"its description is {shown(kind.about)}, expected a few words that say what it is"
    return _wrong_labels(kind.labels)


def _wrong_labels(labels: tuple[str, ...]) -> str:
    if len(labels) > LABELS or len(set(labels)) < len(labels):
        return f"it has the labels {shown(list(labels))}, expected {LABELS} different ones at most"
    for label in labels:
        if not isinstance(label, str) or not _NAME.fullmatch(label) or len(label) > _LONGEST:
            return f"the label {shown(label)} is no name of a-z, 0-9 and single _"
        if label in _TAKEN:
            return f'the label "{label}" is one that each series has already; give it another name'
    return ""
