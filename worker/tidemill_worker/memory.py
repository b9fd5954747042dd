"""How much memory the worker uses of what it may: at 80 % it takes nothing more, at 95 % a runner starts anew.

The kernel's own way is to end whatever it likes, supervisor included, at 100 %.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterable
from pathlib import Path

__all__ = ["FULL", "HIGH", "LOW", "cgroup_limit", "step", "trim", "used_by"]

LOW, HIGH, FULL = 0.75, 0.80, 0.95
"""Parts of the limit: below the first a worker takes work again, from the second on none, from the third it sheds."""

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60


def step(used: int, limit: int, paused: bool, running: int) -> tuple[bool, bool]:
    """Return (whether to take nothing more, whether to start the largest runner anew).

    A worker that takes nothing, runs nothing and is still full has to shed what its runners have kept.
    """
    part = used / limit
    pause = part >= HIGH or (paused and part >= LOW)
    return pause, part >= FULL or (paused and pause and running == 0)


def trim() -> bool:
    """Give the system back what is free in this process: importing leaves several MiB of that, for as long as it
    lives. Say whether there was a way to; only some C libraries have one."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
        return True
    return False


def cgroup_limit(proc: Path = PROC, cgroup: Path = CGROUP) -> int | None:
    """Return the bytes that the control group of this process may have; None where nothing limits it."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found += [cgroup / path.strip("/") / "memory.max", cgroup / "memory.max"]
        elif "memory" in controllers.split(","):
            found += [cgroup / "memory" / path.strip("/") / "memory.limit_in_bytes"]
            found += [cgroup / "memory/memory.limit_in_bytes"]
    limits = [limit for limit in map(_number, found) if limit is not None and limit < UNLIMITED]
    return min(limits, default=None)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # it is not there, or says "max"
        return None


def used_by(roots: Iterable[int], proc: Path = PROC) -> dict[int, int]:
    """Return, for each process, the bytes that it and all its descendants have in memory for themselves."""
    parents: dict[int, int] = {}
    sessions: dict[int, int] = {}
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            parents[int(folder.name)], sessions[int(folder.name)] = int(fields[1]), int(fields[3])
    wanted = set(roots)
    found = dict.fromkeys(wanted, 0)
    for pid in parents:
        root = _root(pid, parents, sessions, wanted)
        if root is not None:
            found[root] += _own(proc / str(pid))
    return found


def _root(pid: int, parents: dict[int, int], sessions: dict[int, int], wanted: set[int]) -> int | None:
    """Return to which of the wanted processes a process belongs: the nearest above it, or the leader of its session."""
    at: int | None = pid
    while at:
        if at in wanted:
            return at
        session = sessions.get(at)
        if session in wanted:
            return session
        at = parents.get(at)
    return None


def _own(folder: Path) -> int:
    try:
        fields = (folder / "statm").read_text().split()
    except OSError:
        return 0
    import resource

    return max(0, int(fields[1]) - int(fields[2])) * resource.getpagesize()
