"""What processes have used, read from the kernel by whoever measures them: CPU to the nanosecond, and memory.

CPU is that of all threads that live, out of `/proc/<pid>/task/*/schedstat`, and where threads have ended that of the
process, in steps of 10 ms; it suffers far less from neighbours than seconds do. A process counts as client (the
driver), server, or worker (all else below the driver). Linux only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tidemill.runtime.families import descendants

ROLES = ("client", "server", "workers")
STEP = 2 / os.sysconf("SC_CLK_TCK")
"""Seconds by which the coarse figure of a process may be wrong."""


@dataclass(frozen=True)
class Used:
    """CPU seconds of a process so far."""

    role: str
    fine: float
    """Those of the threads that live, to the nanosecond."""
    coarse: float
    """Those of all threads that there ever were."""


Usage = dict[int, Used]
"""pid → what it has used."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds between two looks."""

    roles: Mapping[str, float]
    busiest: float
    """Those of the process that used the most."""

    @property
    def total(self) -> float:
        """Those of all processes."""
        return sum(self.roles.values())

    @property
    def bound(self) -> float:
        """The seconds that two quiet cores would need at least."""
        return max(self.total / 2, self.busiest)


class Tree:
    """A driver and all that it has started."""

    def __init__(self, driver: int, server: int | None) -> None:
        self._driver = driver
        self._server = server

    def pids(self) -> list[int]:
        """The processes that there are now."""
        return [self._driver, *descendants(self._driver)]

    def role(self, pid: int) -> str:
        """What a process counts as."""
        return "client" if pid == self._driver else "server" if pid == self._server else "workers"

    def usage(self) -> Usage:
        """What each process has used so far."""
        return {pid: Used(self.role(pid), *both) for pid in self.pids() if (both := seconds(pid)) is not None}

    def memory(self) -> dict[str, int]:
        """Bytes resident, by role; what processes share is counted for each."""
        found = dict.fromkeys(ROLES, 0)
        for pid in self.pids():
            found[self.role(pid)] += memory(pid, "Rss")
        return found


def spent(before: Usage, after: Usage) -> Spent:
    """What was used between two looks. What processes used that ended in between is not known, and not counted."""
    roles, busiest = dict.fromkeys(ROLES, 0.0), 0.0
    for pid, now in after.items():
        then = before.get(pid, Used(now.role, 0.0, 0.0))
        more = between(then.fine, then.coarse, now.fine, now.coarse)
        roles[now.role] += more
        busiest = max(busiest, more)
    return Spent(roles, busiest)


def between(fine: float, coarse: float, fine_now: float, coarse_now: float) -> float:
    """CPU seconds between two looks at a process: the fine figure, unless threads have ended that it had counted."""
    exact, rough = fine_now - fine, coarse_now - coarse
    return rough if rough - exact > STEP else max(0.0, exact)


def seconds(pid: int) -> tuple[float, float] | None:
    """CPU seconds of a process, fine and coarse; None when it has ended."""
    try:
        total = 0
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except (OSError, ValueError, IndexError):
        return None
    return total / 1e9, (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float | None:
    """CPU seconds of the threads of a process that live; None when it has ended."""
    found = seconds(pid)
    return None if found is None else found[0]


def memory(pid: int, kind: str) -> int:
    """Bytes of a process: "Rss", or "Pss", in which what is shared is divided among those who share it."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith(f"{kind}:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def machine() -> float:
    """CPU seconds that the whole machine has used so far, in steps of 10 ms a core."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, *_ = (int(word) for word in file.readline().split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
