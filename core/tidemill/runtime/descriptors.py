"""Open files of a process that runs one call after another: a call that has used them all up leaves some to the next.

What calls keep open on purpose (a connection that the next one uses) stays open for as long as there is room.
Neighbour: `runtime.processes`.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator

__all__ = ["left_to_others"]

SPARE = 16
"""Files that the next call can open at least."""


@contextlib.contextmanager
def left_to_others() -> Iterator[None]:
    """Within it files may be used up. If they are at its end, those that were opened meanwhile are closed, and the
    limit is again what it was."""
    before = {int(name) for name in os.listdir("/proc/self/fd")}
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        yield
    finally:
        if resource.getrlimit(resource.RLIMIT_NOFILE) != limits:
            with contextlib.suppress(ValueError, OSError):  # its upper limit can only be lowered
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        if not _some_are_left():
            _close_but(before)


def _some_are_left() -> bool:
    opened: list[int] = []
    try:
        for _ in range(SPARE):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    finally:
        for number in opened:
            os.close(number)
    return True


def _close_but(kept: set[int]) -> None:
    """Close all files but these, which cannot be listed: that would take one more."""
    last = -1
    for number in sorted(kept):
        os.closerange(last + 1, number)
        last = number
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
