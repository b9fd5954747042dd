"""Sees to it that a process does not outlive the one that started it.

Code of a parameter set that goes on after its worker has died would run beside whoever gets it next. The kernel ends
it, where there is a kernel that can (Linux); elsewhere a process notices by the end of a pipe. Neighbours:
`runtime.processes`, and the worker.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Have this process killed when its parent ends; ``parent`` is who started it: if that has gone, it ends now."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
