"""Notices an operation that blocks the event loop, says which one, and ends it when it is over its time.

A thread looks at a beat that the loop keeps up; when the beat stops, the loop's own stack tells who holds it.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import sys
import threading
import time
from types import CodeType, FrameType

__all__ = ["BEAT", "BLOCKED_AFTER", "Interrupted", "LoopWatch"]

BEAT = 0.1
"""Seconds between two beats of the loop."""
BLOCKED_AFTER = 0.5
"""Seconds without a beat after which the loop counts as blocked."""

logger = logging.getLogger("tidemill.watch")


class Interrupted(BaseException):
    """Raised inside an operation that blocks the event loop beyond its timeout; no operation is expected to catch
    it."""


class LoopWatch:
    """Watches the running loop. ``codes`` maps the code of operations to (instance, timeout in seconds or None).

    ``blocked`` has for how many seconds at most each instance was seen to block, ``noticed`` when it was seen last, by
    the monotonic clock.
    """

    def __init__(self, codes: dict[CodeType, tuple[str, float | None]]) -> None:
        self.blocked: dict[str, float] = {}
        self.noticed: dict[str, float] = {}
        self._codes = codes
        self._beat = time.monotonic()
        self._stop = threading.Event()
        self._handle: asyncio.TimerHandle | None = None
        self._thread_id = 0

    def start(self) -> None:
        """Begin to watch the loop that is running in this thread."""
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._pulse()
        threading.Thread(target=self._look, name="tidemill-watch", daemon=True).start()

    def _pulse(self) -> None:
        self._beat = time.monotonic()
        self._handle = self._loop.call_later(BEAT, self._pulse)

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._handle is not None:
            self._handle.cancel()

    def _look(self) -> None:
        said: float | None = None  # the beat after which a block has been reported already
        interrupted: float | None = None
        while not self._stop.wait(BEAT):
            beat = self._beat
            silent = time.monotonic() - beat
            if silent < BLOCKED_AFTER or (said == beat and interrupted == beat):
                continue
            frame = sys._current_frames().get(self._thread_id)
            found = self._culprit(frame)
            if found is None or frame is None:
                continue
            instance, timeout, where = found
            if said != beat:
                said = beat
                self.noticed[instance] = time.monotonic()
                self.blocked[instance] = max(self.blocked.get(instance, 0.0), silent)
                logger.warning(
                    'the operation "%s" has blocked the event loop for %.1f s at %s; everything else waits. '
                    'Await what takes time, or run it with executor="thread" or "process".',
                    instance, silent, where,
                )  # fmt: skip
            if timeout is not None and silent > timeout:
                # Logging took time, in which the operation may have ended: only its own code may be interrupted.
                if self._beat == beat and self._culprit(sys._current_frames().get(self._thread_id)) is not None:
                    interrupted = beat
                    _raise_in(self._thread_id)

    def _culprit(self, frame: FrameType | None) -> tuple[str, float | None, str] | None:
        """Return (instance, timeout, place) of the operation that is on the loop's stack, if one is."""
        top = frame
        while frame is not None:
            known = self._codes.get(frame.f_code)
            if known is not None and top is not None:
                return known[0], known[1], f"{top.f_code.co_filename}:{top.f_lineno}"
            frame = frame.f_back
        return None


def _raise_in(thread_id: int) -> None:
    """Have `Interrupted` raised in a thread, at its next step of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(Interrupted))
