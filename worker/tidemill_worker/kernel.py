"""What only the kernel can promise: that a process ends at a time, whatever state it is in.

A supervisor that is stopped, swapped out or waits for a dead disk cannot end itself before its lease is given to
others. The kernel can: a timer of the process, on a clock that goes on while the machine sleeps, sends SIGKILL. The
runners end with their supervisor (`tidemill.runtime.orphans`), so whoever takes over a lease never works beside its old
holder.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import signal
import sys
import time

__all__ = ["DeathTimer", "boottime"]

_TIMER_ABSTIME = 1
_SIGEV_SIGNAL = 0

logger = logging.getLogger("tidemill.worker")


def boottime() -> float:
    """Return seconds since the machine was started; they go on while it sleeps, where the platform has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class _Sigevent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class DeathTimer:
    """Has the kernel kill this process at a time by `boottime`, unless that is put off.

    ``signal_number`` is SIGKILL but in tests. Where the platform has no such timer, ``works`` is False and nothing is
    done: then a supervisor has to be running to see that its lease is over.
    """

    def __init__(self, signal_number: int = signal.SIGKILL) -> None:
        self.works = False
        self._timer = ctypes.c_void_p()
        if sys.platform != "linux":
            logger.warning("this platform has no timer that ends a stopped process; leases are kept by software alone")
            return
        self._library = _library()
        event = _Sigevent(signo=signal_number, notify=_SIGEV_SIGNAL)
        if self._library.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(self._timer)) != 0:
            logger.warning("the kernel gives no timer: %s; leases are kept by software alone", _error())
            return
        self.works = True

    def arm(self, at: float) -> None:
        """Have the process killed at ``at``, and no more at what was said before."""
        if self.works:
            seconds = max(int(at), 0)
            nanoseconds = max(int((at - seconds) * 1e9), 1)  # zero would disarm it
            self._set(_Itimerspec(0, 0, seconds, nanoseconds))

    def disarm(self) -> None:
        """Let the process live."""
        if self.works:
            self._set(_Itimerspec(0, 0, 0, 0))

    def _set(self, spec: _Itimerspec) -> None:
        if self._library.timer_settime(self._timer, _TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), f"the timer that ends this process cannot be set: {_error()}")


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "timer_create"):  # before glibc 2.34 it was elsewhere
        library = ctypes.CDLL(ctypes.util.find_library("rt"), use_errno=True)
    return library


def _error() -> str:
    return os.strerror(ctypes.get_errno())
