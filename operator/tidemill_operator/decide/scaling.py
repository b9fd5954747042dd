"""How many workers a pool is to have: from how long what is ready would take them.

More are asked for at once, as many as the backlog needs; fewer only after they have been enough for the whole of a
cooldown, so nothing flaps, and none while parameter sets are with workers that would have to go. What was wanted
lately is handed in and out: who forgets it (the operator after a restart) begins the cooldown anew. Neighbours:
`resources`, `reconcile`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tidemill_operator.kinds.dataflow import Optimize
from tidemill_operator.kinds.pools import DEFAULT_MOST, Pool

__all__ = ["MOST", "Scale", "Trend", "bounds", "fixed", "scale"]

MOST = DEFAULT_MOST
"""Workers of a pool at most unless it says otherwise."""
SLOTS = 64
"""Parameter sets that a worker runs at once unless its pool says otherwise."""
STEP = 5.0
"""Seconds between two additions of workers."""
PARTS = 6
"""Parts of a cooldown in which what was wanted is remembered."""

_PATIENCE = {"speed": 1.0, "latency": 0.1, "memory": 4.0, "power": 4.0}
"""By what is optimized, how much longer than its target a backlog may take."""


@dataclass(frozen=True, slots=True)
class Trend:
    """What was wanted lately: (end of a part of the cooldown, the most that was wanted in it), and when workers were
    last added. Times are in seconds by any clock that only goes on."""

    wanted: tuple[tuple[float, int], ...] = ()
    added: float = -math.inf


@dataclass(frozen=True, slots=True)
class Scale:
    """How many workers there are to be, why, in a word, what is remembered, and seconds until fewer may be enough."""

    replicas: int
    reason: str
    trend: Trend
    again: float | None = None


def fixed(pool: Pool, replicas: int | None) -> int | None:
    """Return the number of workers that somebody has fixed, None where it follows the work. ``replicas`` is what /scale
    says of the pool that is called default."""
    if pool.name == "default" and replicas is not None:
        return replicas
    return pool.replicas


def scale(
    pool: Pool,
    current: int,
    *,
    backlog: int,
    busy: int,
    seconds: float | None,
    trend: Trend,
    now: float,
    optimize: Optimize | None = None,
) -> Scale:
    """Return how many workers a pool is to have, that has ``current`` ones, of which ``backlog`` parameter sets are
    ready and ``busy`` are with workers. ``seconds``: those of a worker for one parameter set, if they were measured."""
    least, most = bounds(pool, optimize)
    wanted = min(most, max(least, _needed(pool, backlog, busy, seconds, optimize)))
    trend, peak = _remembered(trend, wanted, current, now, pool.scaling.cooldownSeconds)
    if current > most:
        return Scale(most, "AboveLimit", trend)
    if wanted > current:
        left = trend.added + STEP - now
        if left > 0 and current > 0:
            return Scale(current, "JustAdded", trend, left)
        more = min(wanted, max(current + 4, 2 * current))
        return Scale(more, "Backlog" if backlog or busy else "BelowLimit", replace(trend, added=now))
    if peak < current and not (busy and peak == 0):
        return Scale(max(peak, least), "Idle" if not backlog and not busy else "LessToDo", trend)
    again = trend.wanted[0][0] + pool.scaling.cooldownSeconds - now if wanted < current else None
    return Scale(current, "Cooldown" if wanted < current else "AsWanted", trend, again)


def bounds(pool: Pool, optimize: Optimize | None) -> tuple[int, int]:
    """Return how many workers a pool has at least and at most."""
    least, most = pool.minReplicas or 0, pool.maxReplicas or MOST
    limits = optimize.constraints if optimize else None
    if limits is not None and limits.maxWorkers is not None:
        most = min(most, limits.maxWorkers)
    if limits is not None and limits.maxMemoryMebibytes is not None:
        each = _mebibytes(pool)
        most = min(most, max(1, int(limits.maxMemoryMebibytes // each))) if each else most
    return min(least, most), most


def _needed(pool: Pool, backlog: int, busy: int, seconds: float | None, optimize: Optimize | None) -> int:
    """Return how many workers would have what is ready done in time."""
    if not backlog and not busy:
        return 0
    goal = optimize.goal if optimize else "speed"
    target = pool.scaling.targetBacklogSeconds * _PATIENCE[goal]
    limits = optimize.constraints if optimize else None
    if limits is not None and limits.maxLatencySeconds is not None:
        target = min(target, float(limits.maxLatencySeconds))
    if seconds is not None:
        return max(1, math.ceil(backlog * seconds / target))
    slots = (pool.slots or SLOTS) * (pool.runners or 1)
    return max(1, math.ceil((backlog + busy) / (slots * _PATIENCE[goal])))


def _remembered(trend: Trend, wanted: int, current: int, now: float, cooldown: float) -> tuple[Trend, int]:
    """Return what is remembered now, and the most that was wanted within the cooldown. Who remembers nothing takes it
    that all there are were wanted."""
    kept = [one for one in trend.wanted if now - one[0] < cooldown]
    if not trend.wanted:
        kept = [(now, max(wanted, current))]
    length = cooldown / PARTS
    if len(kept) > 1 and now - kept[-2][0] < length:
        kept[-1] = (now, max(kept[-1][1], wanted))
    else:
        kept.append((now, wanted))
    return replace(trend, wanted=tuple(kept)), max(most for _, most in kept)


_UNITS = {"Ki": 2**-10, "Mi": 1.0, "Gi": 2**10, "Ti": 2**20, "k": 1e3 / 2**20, "M": 1e6 / 2**20, "G": 1e9 / 2**20}


def _mebibytes(pool: Pool) -> float | None:
    """Return the memory that a worker asks for, None where that is not said in a unit that is known."""
    said = None
    if pool.resources is not None:
        said = pool.resources.requests.get("memory") or pool.resources.limits.get("memory")
    if said is None:
        return None
    text = str(said)
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    try:
        return float(text.removesuffix(unit)) * (_UNITS[unit] if unit else 2**-20)
    except ValueError:
        return None
