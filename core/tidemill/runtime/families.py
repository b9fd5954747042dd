"""Everything that a process has started, however far it went: found, and ended with it.

On Linux a process can ask to adopt what its descendants leave behind, so neither a second fork nor a session of its own
takes a process out of the family. Elsewhere a process group is all that there is. Neighbour: `runtime.processes`.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import warnings
from collections.abc import Iterable
from typing import Any, NoReturn

from tidemill.runtime.orphans import die_with_parent

__all__ = ["KNOWN", "adopt", "descendants", "end_descendants", "guarded_worker"]

KNOWN = sys.platform == "linux"
"""Whether families can be told here."""
ROUNDS = 200
"""How often a family is looked through at most: one that starts processes faster than that has to be stopped by a limit
on processes."""

_SET_CHILD_SUBREAPER = 36  # of prctl(2)


def adopt() -> bool:
    """Let this process have what its descendants leave behind; say whether it will."""
    return KNOWN and ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def descendants(ancestor: int) -> list[int]:
    """Return the processes below one that have not ended, nearest first. Linux only."""
    children: dict[int, list[int]] = {}
    ended: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and (known := _state_and_parent(name)) is not None:
            state, parent = known
            children.setdefault(parent, []).append(int(name))
            if state in "ZX":
                ended.add(int(name))
    found = list(children.get(ancestor, ()))
    for pid in found:  # grows while it is walked
        found.extend(children.get(pid, ()))
    return [pid for pid in found if pid not in ended]


def _state_and_parent(pid: str) -> tuple[str, int] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program stands in brackets, and may hold anything.
            state, parent, *_ = file.read().rpartition(b")")[2].split()
    except (OSError, ValueError):  # it has ended meanwhile
        return None
    return state.decode(), int(parent)


def end_descendants(ancestor: int, but: Iterable[int] = ()) -> None:
    """Kill everything below a process but for ``but``, until nothing is left. Linux only.

    What is killed leaves its children to ``ancestor``, if that has called `adopt`: they come with the next round.
    """
    spared = set(but)
    for _ in range(ROUNDS):
        alive = [pid for pid in descendants(ancestor) if pid not in spared]
        if not alive:
            return
        for pid in alive:
            _kill(pid)
        for pid in alive if ancestor == os.getpid() else ():
            _reap(pid)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:  # it is the child of another one, who has ended too
        pass


def guarded_worker(connection: Any) -> None:
    """Return in a child of this process, to work there; this process stays behind and guards it.

    The guard ends as the worker does, after all that the worker has started; when nobody reads ``connection`` any more,
    it ends at once, and all with it. Where families are not known, there is no guard.
    """
    if not adopt():
        return
    guard = os.getpid()
    with warnings.catch_warnings():
        # Threads that the user's main module has started stay behind with the guard, which needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        worker = os.fork()
    if worker:
        _guard(worker, connection)
    os.setsid()
    die_with_parent(guard)


def _guard(worker: int, connection: Any) -> NoReturn:
    waiting = select.poll()
    waiting.register(connection.fileno(), 0)  # hears only that the other end is gone
    waiting.register(os.pidfd_open(worker), select.POLLIN)
    waiting.poll()
    ended, status = os.waitpid(worker, os.WNOHANG)
    end_descendants(os.getpid())
    code = os.waitstatus_to_exitcode(status) if ended else 1
    if code < 0:
        _end_by(-code)
    os._exit(code)


def _end_by(number: int) -> None:
    """End this process by a signal, as the worker has ended, without a second dump of memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
