"""What pods use: their memory and processor time, as the files below /proc in each of them say.

That is what `measure` looks at on this machine, asked over kubectl: the sum over all processes of what belongs to them
(PSS), and the time that they and those that have ended before them have had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["TICKS", "Usage", "told", "used"]

TICKS = 100
"""What Linux counts of processor time in a second, as programs are told."""

_LOOK = "cat /proc/[0-9]*/smaps_rollup /proc/[0-9]*/stat 2>/dev/null; true"
_STAT = re.compile(r"^\d+ \((?P<name>.*)\) (?P<rest>.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Usage:
    """``cpu`` in seconds, ``memory`` in bytes."""

    cpu: float
    memory: int


def told(text: str) -> Usage:
    """Return what the files of a pod's processes say; the shell that reads them is left out."""
    ticks = 0
    for found in _STAT.finditer(text):
        fields = found["rest"].split()  # from the third on: see proc(5), whose 14th to 17th are times
        ticks += sum(map(int, fields[11:15])) if found["name"] not in ("sh", "cat") else 0
    memory = sum(int(size) for size in re.findall(r"^Pss: +(\d+) kB$", text, re.M))
    return Usage(ticks / TICKS, memory * 1024)


def used(kubectl: Callable[..., str], selector: str) -> Usage:
    """Return what the running pods with these labels have used until now; ``kubectl`` runs that program."""
    items = json.loads(kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
    names = [pod["metadata"]["name"] for pod in items if pod["status"].get("phase") == "Running"]
    each = [told(kubectl("exec", name, "--", "sh", "-c", _LOOK)) for name in names]
    return Usage(sum(one.cpu for one in each), sum(one.memory for one in each))
