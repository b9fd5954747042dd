"""One runner process as its supervisor sees it: started, told things, watched, and ended with all of its children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from tidemill_worker.channel import Channel
from tidemill_worker.printed import Printed
from tidemill_worker.settings import Settings

__all__ = ["RunnerProcess", "how_it_ended"]


def how_it_ended(code: int) -> str:
    """Say in words how a process has ended, given what `wait` returned."""
    if code >= 0:
        return f"it ended by itself, with exit code {code}"
    named = f" ({signal.Signals(-code).name})" if -code in {*signal.Signals} else ""
    hint = "; if nobody sent it, the kernel did, for want of memory" if code == -signal.SIGKILL else ""
    return f"it was ended by signal {-code}{named}{hint}"


class RunnerProcess:
    """A runner that has been started. ``counts`` are its reports by kind, ``running`` its parameter sets, ``missing``
    what is wrong with operations that have to be there, by name.

    ``retired``: in a word, why it is being ended on purpose. ``heard`` is called after it has said something,
    ``measured`` with what its operations have counted.
    """

    def __init__(self, runner: str, process: asyncio.subprocess.Process, channel: Channel, printed: Printed) -> None:
        self.runner = runner
        self.pid = process.pid
        self.ready = False
        self.missing: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.running = 0
        self.retired = ""
        self.heard: Callable[[RunnerProcess], None] = lambda process: None
        self.measured: Callable[[list[Any]], None] = lambda taken: None
        self._process = process
        self._channel = channel
        self._printed = printed

    @classmethod
    async def start(cls, runner: str, settings: Settings, counted: Callable[[int, int], None]) -> RunnerProcess:
        """Start a runner. It is in a session of its own, so that signals for the supervisor are not for it. ``counted``
        is called with how many of the bytes that it prints are shown, and how many are not."""
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            arguments = ("-m", "tidemill_worker.runner", str(os.getpid()), str(fd))
            async with Printed.by(runner, counted) as (printed, pipe):
                process = await asyncio.create_subprocess_exec(
                    sys.executable, *arguments, pass_fds=[fd], stdin=asyncio.subprocess.DEVNULL, stdout=pipe,
                    stderr=pipe, start_new_session=True,
                )  # fmt: skip
        try:
            channel = await Channel.over(ours)
        except BaseException:
            process.kill()
            raise
        said = settings.model_dump()
        said["store"] = settings.store.get_secret_value()
        channel.send(settings=said, runner=runner)
        return cls(runner, process, channel, printed)

    async def wait(self) -> int:
        """Hear what it says until it ends; end then what it has started, and return its exit code."""
        listening = asyncio.create_task(self._listen())
        try:
            code = await self._process.wait()
            said = [listening, self._printed.over]  # what it said before; a child of it may hold the other end
            await asyncio.wait(said, timeout=0.2)
            return code
        finally:
            listening.cancel()
            self.kill()
            self._channel.close()
            self._printed.close()

    async def gone(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()

    async def _listen(self) -> None:
        while (said := await self._channel.receive()) is not None:
            self.ready = bool(said.get("ready", self.ready))
            self.missing = said.get("missing", self.missing)
            self.counts = said.get("counts", self.counts)
            self.running = said.get("running", self.running)
            if "metrics" in said:
                self.measured(said["metrics"])
            self.heard(self)

    def tell(self, **said: Any) -> None:
        """Say something to it."""
        self._channel.send(**said)

    def kill(self) -> None:
        """End it, and whatever it has started in its session, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
