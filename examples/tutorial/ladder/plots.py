"""Plots of what was measured: time and memory over the number of requests, and one metric against another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ladder.measure import ON_A_CLUSTER, RUNGS

__all__ = ["draw"]

Row = Mapping[str, Any]

_OVER = {
    "seconds": "seconds from start to finish",
    "memory": "MiB of all processes at their highest",
    "cpu": "seconds of processor time",
}
_RUNGS = (*RUNGS, *ON_A_CLUSTER)
_MARKS = "osD^v<>PX*"
"""A mark for each rung."""
_AGAINST = (("seconds", "memory"), ("seconds", "cpu"), ("cpu", "memory"))


def _value(row: Row, metric: str) -> float:
    return float(row[metric]) / 2**20 if metric == "memory" else float(row[metric])


def draw(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Write all plots into a folder and return their paths."""
    found = list(rows)
    folder.mkdir(parents=True, exist_ok=True)
    latencies = sorted({float(row["latency"]) for row in found})
    drawn = [_over(found, metric, latencies, folder) for metric in _OVER]
    return drawn + [_against(found, one, other, latencies, folder) for one, other in _AGAINST]


def _axes(latencies: Sequence[float], title: str) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.6 * len(latencies) + 1.6, 4.8), layout="constrained")
    axes = figure.subplots(1, len(latencies), squeeze=False, sharey=True)
    figure.suptitle(title)
    for axis, latency in zip(axes[0], latencies, strict=True):
        axis.set_title(f"the site answers after {latency * 1000:g} ms")
        axis.grid(True, alpha=0.3)
    return figure, list(axes[0])


def _logarithmic(axis: Axes, across: str, up: str) -> None:
    """Scale both axes by powers, with plain numbers at one, two and five."""
    axis.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
    for each in (axis.xaxis, axis.yaxis):
        each.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        each.set_major_formatter(ticker.FormatStrFormatter("%g"))
        each.set_minor_locator(ticker.NullLocator())


def _saved(figure: Figure, path: Path) -> Path:
    """Write a figure, with one legend beside it, since lines of ten rungs leave no room between them."""
    shown = {
        str(line.get_label()): line
        for axis in figure.axes
        for line in axis.get_lines()
        if line.get_xydata() is not None
    }
    figure.legend(list(shown.values()), list(shown), loc="outside right center", fontsize="small")
    figure.savefig(path, dpi=80, metadata={"Software": None})
    return path


def _drawn(axis: Axes, rung: str, points: Sequence[tuple[float, float]], line: str) -> None:
    """Draw a rung where it is, in a colour and with a mark of its own on every plot."""
    if points:
        number = _RUNGS.index(rung)
        across, up = zip(*points, strict=True)
        size, colour = 4 if line else 9, f"C{number}"
        axis.plot(across, up, label=rung, color=colour, marker=_MARKS[number], linestyle=line, markersize=size)


def _over(rows: Sequence[Row], metric: str, latencies: Sequence[float], folder: Path) -> Path:
    figure, axes = _axes(latencies, f"{_OVER[metric]}, over the number of requests")
    for axis, latency in zip(axes, latencies, strict=True):
        for rung in _RUNGS:
            found = [row for row in rows if (row["rung"], row["latency"]) == (rung, latency) and not row["failed"]]
            _drawn(axis, rung, sorted((row["requests"], _value(row, metric)) for row in found), "-")
        _logarithmic(axis, "requests", _OVER[metric])
    return _saved(figure, folder / f"{metric}.png")


def _against(rows: Sequence[Row], one: str, other: str, latencies: Sequence[float], folder: Path) -> Path:
    most = max(row["requests"] for row in rows)
    figure, axes = _axes(latencies, f"{_OVER[one]}, against {_OVER[other]}, for {most} requests")
    for axis, latency in zip(axes, latencies, strict=True):
        for rung in _RUNGS:
            wanted = (rung, latency, most)
            found = [
                row for row in rows if (row["rung"], row["latency"], row["requests"]) == wanted and not row["failed"]
            ]
            _drawn(axis, rung, [(_value(row, one), _value(row, other)) for row in found], "")
        _logarithmic(axis, _OVER[one], _OVER[other])
    return _saved(figure, folder / f"{one}-{other}.png")
