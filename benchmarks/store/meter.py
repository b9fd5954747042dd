"""What processes have used, read from the kernel by whoever measures them: CPU to the nanosecond, and memory.

CPU is that of all threads that live, out of `/proc/<pid>/task/*/schedstat`; it suffers far less from neighbours than
seconds do. A process counts as client (the driver), server, or worker (all else below the driver). Linux only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from tidemill.runtime.families import descendants

ROLES = ("client", "server", "workers")
Usage = dict[int, tuple[str, float]]
"""pid → role and CPU seconds so far."""


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
        return {pid: (self.role(pid), used) for pid in self.pids() if (used := cpu(pid)) is not None}

    def memory(self) -> dict[str, int]:
        """Bytes resident, by role; what processes share is counted for each."""
        found = dict.fromkeys(ROLES, 0)
        for pid in self.pids():
            found[self.role(pid)] += memory(pid, "Rss")
        return found


def spent(before: Usage, after: Usage) -> Spent:
    """What was used between two looks. What ended in between is not known, and not counted."""
    roles, busiest = dict.fromkeys(ROLES, 0.0), 0.0
    for pid, (role, used) in after.items():
        more = max(0.0, used - before.get(pid, ("", 0.0))[1])
        roles[role] += more
        busiest = max(busiest, more)
    return Spent(roles, busiest)


def cpu(pid: int) -> float | None:
    """CPU seconds of the threads of a process; None when it has ended."""
    try:
        total = 0
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return total / 1e9


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
