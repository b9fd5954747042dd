"""What operations print, as lines of the worker's log: bounded, and of letters that do nothing to whoever reads them.

A runner prints into a pipe, and its supervisor writes each line behind the runner's name: so no line can look like one
of the log itself, and one runner that prints without end fills no disk and hides no others. What is too much is read
all the same, and counted, so that nobody who prints is ever held up. Neighbours: `process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable

__all__ = ["BURST", "LINE", "RATE", "Printed", "harmless"]

BURST = 1 << 20
"""Bytes that a runner may print at once."""
RATE = 64 << 10
"""Bytes a second that it may print for long."""
LINE = 16 << 10
"""Bytes of a line that are shown."""

logger = logging.getLogger("tidemill.worker")


def harmless(raw: bytes) -> str:
    """Return what was printed as text that changes nothing of a terminal and is one line: whatever is no letter, or
    is none at all, stands there by its number."""
    text = raw.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\t" else one.encode("unicode_escape").decode() for one in text)


class Printed(asyncio.Protocol):
    """Hears what one runner prints. ``counted`` is called with how many bytes were shown, and how many were not."""

    def __init__(self, runner: str, counted: Callable[[int, int], None], clock: Callable[[], float] = time.monotonic):
        self.over = asyncio.get_running_loop().create_future()
        self._runner = runner
        self._counted = counted
        self._clock = clock
        self._room = float(BURST)
        self._at = clock()
        self._line = bytearray()
        self._cut = 0
        self._unseen = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def by(cls, runner: str, counted: Callable[[int, int], None]) -> AsyncIterator[tuple[Printed, int]]:
        """Give who hears what a runner prints, and where that is to print to; that is open until the runner has it."""
        ours, theirs = os.pipe()
        try:
            loop, end = asyncio.get_running_loop(), os.fdopen(ours, "rb", 0)
            _, heard = await loop.connect_read_pipe(lambda: cls(runner, counted), end)
            try:
                yield heard, theirs
            except BaseException:
                heard.close()
                raise
        finally:
            os.close(theirs)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember over what is heard."""
        self._transport = transport

    def close(self) -> None:
        """Hear nothing more."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take in what was printed."""
        now = self._clock()
        self._room = min(float(BURST), self._room + RATE * (now - self._at))
        self._at = now
        if self._room < LINE:  # not line by line: to look into it takes longer than to print it
            self._hide(len(self._line) + self._cut + len(data))
            self._line.clear()
            self._cut = 0
            return
        self._confess()
        first, *more = data.split(b"\n")
        self._append(first)
        for one in more:
            self._say()
            self._append(one)

    def connection_lost(self, error: Exception | None) -> None:
        """Say what is left; nobody prints any more."""
        if self._line:
            self._say()
        self._confess()
        if not self.over.done():
            self.over.set_result(None)

    def _append(self, part: bytes) -> None:
        room = LINE - len(self._line)
        self._line += part[:room]
        self._cut += max(0, len(part) - room)

    def _say(self) -> None:
        shown, cut = len(self._line), self._cut
        if self._room < shown:
            self._hide(shown + cut)
        else:
            self._room -= shown + 1
            more = f" … and {cut} bytes more" if cut else ""
            logger.info("%s printed: %s%s", self._runner, harmless(bytes(self._line)), more)
            self._counted(shown, cut)
        self._line.clear()
        self._cut = 0

    def _hide(self, many: int) -> None:
        self._unseen += many
        self._counted(0, many)

    def _confess(self) -> None:
        if self._unseen:
            logger.warning("%s printed %d bytes more, too much to be shown", self._runner, self._unseen)
            self._unseen = 0
