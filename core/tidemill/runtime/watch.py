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
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any, NamedTuple

__all__ = ["BEAT", "BLOCKED_AFTER", "Interrupted", "LoopWatch", "Running", "within"]

BEAT = 0.1
"""Seconds between two beats of the loop."""
BLOCKED_AFTER = 0.5
"""Seconds without a beat after which the loop counts as blocked."""
LAST_LOOK = 5.0
"""Seconds that who stops a watch waits for it at most: it may be about to write to a log that takes nothing."""

logger = logging.getLogger("tidemill.watch")


class Interrupted(BaseException):
    """Raised inside an operation that blocks the event loop beyond its timeout; no operation is expected to catch
    it."""


class Running(NamedTuple):
    """A call that runs on the loop: what it is known by, the operation's instance, and its timeout in seconds."""

    call: Any
    instance: str
    timeout: float | None


class _Sight(NamedTuple):
    """What was seen on the loop's stack: a call, the frame that stands for it, and the place where the loop is."""

    frame: FrameType
    running: Running
    where: str


class _Spell:
    """Since when one call, and calls of one operation without a beat between them, have held the loop.

    The times are by the monotonic clock, and true to one beat: what is seen now began after the look before.
    """

    def __init__(self) -> None:
        self._looked = time.monotonic()
        self._seen: _Sight | None = None
        self.call = self.operation = self._looked

    def look(self, sight: _Sight | None, beat: float, now: float) -> None:
        """Take in what was seen ``now``, and when the last beat was."""
        began, seen = max(beat, self._looked), self._seen
        if seen is None or sight is None or sight.running.instance != seen.running.instance:
            self.operation = began
        if seen is None or sight is None or sight.frame is not seen.frame:
            self.call = began
        self.operation, self.call = max(self.operation, beat), max(self.call, beat)
        self._looked, self._seen = now, sight


class LoopWatch:
    """Watches the running loop. ``codes`` are the code of operations, each with its instance and its timeout in seconds
    (None: it has none); ``running`` says which call a frame makes, as instances may share their code.

    ``blocked`` has for how many seconds at most each instance was seen to block; ``noticed`` when a call was seen to
    block last, by the monotonic clock, for those that have a timeout; who waits for the call takes it out.
    """

    def __init__(
        self,
        codes: Iterable[tuple[CodeType, str, float | None]],
        running: Callable[[FrameType], Running | None] = lambda frame: None,
    ) -> None:
        self.blocked: dict[str, float] = {}
        self.noticed: dict[Any, float] = {}
        self._codes: dict[CodeType, list[tuple[str, float | None]]] = {}
        self.know(codes)
        self._running = running
        self._beat = time.monotonic()
        self._stop = threading.Event()
        self._handle: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._thread_id = 0

    def start(self) -> None:
        """Begin to watch the loop that is running in this thread."""
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._pulse()
        self._thread = threading.Thread(target=self._look, name="tidemill-watch", daemon=True)
        self._thread.start()

    def _pulse(self) -> None:
        self._beat = time.monotonic()
        self._handle = self._loop.call_later(BEAT, self._pulse)

    def stop(self) -> None:
        """Watch no more. What was seen last is let go of by then: a frame keeps the values that its call was given."""
        self._stop.set()
        if self._handle is not None:
            self._handle.cancel()
        if self._thread is not None:
            self._thread.join(LAST_LOOK)

    def know(self, codes: Iterable[tuple[CodeType, str, float | None]]) -> None:
        """Watch these operations too."""
        for code, instance, timeout in codes:
            self._codes[code] = [*self._codes.get(code, ()), (instance, timeout)]

    def _look(self) -> None:
        said: tuple[str, float] | None = None  # what has been reported already: an instance, and the beat before
        interrupted: FrameType | None = None
        spell = _Spell()
        while not self._stop.wait(BEAT):
            beat, now = self._beat, time.monotonic()
            sight = self._sight() if now - beat >= BEAT else None
            spell.look(sight, beat, now)
            if sight is None:
                interrupted = None
                continue
            running = sight.running
            if now - spell.call >= BLOCKED_AFTER and running.timeout is not None and running.call is not None:
                self.noticed[running.call] = now
            if now - spell.operation >= BLOCKED_AFTER and said != (running.instance, beat):
                said = (running.instance, beat)
                self._report(sight, now - spell.operation)
            over = running.timeout is not None and now - spell.call > max(running.timeout, BLOCKED_AFTER)
            if over and interrupted is not sight.frame:
                # Logging took time, in which the operation may have ended: only this call may be interrupted.
                again = self._sight()
                if self._beat == beat and again is not None and again.frame is sight.frame:
                    interrupted = sight.frame
                    _raise_in(self._thread_id)

    def _report(self, sight: _Sight, seconds: float) -> None:
        instance = sight.running.instance
        self.blocked[instance] = max(self.blocked.get(instance, 0.0), seconds)
        logger.warning(
            'the operation "%s" has blocked the event loop for %.1f s at %s; everything else waits. '
            'Await what takes time, or run it with executor="thread" or "process".',
            instance, seconds, sight.where,
        )  # fmt: skip

    def _sight(self) -> _Sight | None:
        """Return which call is on the loop's stack, if the code of an operation is."""
        top = frame = sys._current_frames().get(self._thread_id)
        own: FrameType | None = None
        while frame is not None and top is not None:
            if own is None:
                own = frame if frame.f_code in self._codes else None
            elif (running := self._running(frame)) is not None:
                return _Sight(frame, running, _place(top))
            frame = frame.f_back
        return None if own is None or top is None else _Sight(own, self._by_code(own.f_code), _place(top))

    def _by_code(self, code: CodeType) -> Running:
        """Return whose code it is; in a task that an operation has made for itself nothing tells more."""
        instances = dict(self._codes[code])
        only = instances.popitem()[1] if len(instances) == 1 else None
        return Running(None, " or ".join(sorted(dict(self._codes[code]))), only)


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _raise_in(thread_id: int) -> None:
    """Have `Interrupted` raised in a thread, at its next step of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(Interrupted))


async def within(task: asyncio.Task[Any], seconds: float) -> bool:
    """Wait for a task and say whether it has ended in time. Time in which somebody blocked the loop does not count."""
    while True:
        until = time.monotonic() + seconds
        done, _ = await asyncio.wait([task], timeout=seconds)
        if done or time.monotonic() - until < BLOCKED_AFTER:
            return bool(done)
