"""A runner: the process of a worker that runs operations. It talks to the store itself and is told by its supervisor
when to pause and when to end. ``python -m tidemill_worker.runner`` is how the supervisor starts it.

Nothing here has to survive: whatever kills the process, the supervisor says what was lost. Neighbours: `runtime.pump`.
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.measures import RedisMeasures
from tidemill.errors import TidemillError
from tidemill.metrics.series import Recorder
from tidemill.networks.implementations import Fenced
from tidemill.runtime.find import find_operation
from tidemill.runtime.orphans import die_with_parent
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.pump import Pump
from tidemill_worker import memory
from tidemill_worker.channel import Channel
from tidemill_worker.settings import Settings

__all__ = ["FENCED", "ORPHANED", "Runner", "main"]

FENCED = 3
"""Exit code of a runner that the store holds to be dead."""
ORPHANED = 4
"""Exit code of a runner whose supervisor has gone."""
TELL = 0.5
"""Seconds between two reports of how much has been done."""
SERIES_A_LINE = 100
"""Series that one line to the supervisor has at most: so it is far shorter than a line may be."""


class Runner:
    """Runs operations as ``runner``, until ``channel`` says that it is to end."""

    def __init__(self, channel: Channel, settings: Settings, runner: str) -> None:
        self._channel = channel
        self._settings = settings
        self._runner = runner
        self._metrics = Recorder()

    async def run(self) -> None:
        """Run until it has been drained, or the store holds it to be dead (`Fenced`)."""
        settings = self._settings
        memory.trim()
        client = Client(
            settings.store.get_secret_value(),
            prefix=settings.prefix,
            timeout=settings.timeout,
            name=self._runner,
            threshold=settings.threshold,
            elsewhere=settings.elsewhere,
            file=settings.store_file,
        )
        backend = RedisBackend(client)
        backend.implementations.pool = settings.pool
        try:
            async with Implementations(settings.pool) as implementations:
                backend.compile = implementations.enter
                pump = Pump(
                    backend.implementations, backend.inputs, implementations, runner=self._runner,
                    slots=settings.slots, left=1 if settings.once else None, metrics=self._metrics,
                )  # fmt: skip
                self._channel.send(ready=True, missing=self._missing())
                beside = [asyncio.create_task(one(pump)) for one in (self._listen, self._tell, self._give_up)]
                try:
                    async with RedisMeasures(client).adding(self._metrics, self._tell_metrics):
                        await pump.run()
                finally:
                    for task in beside:
                        task.cancel()
                    self._channel.send(**_said(pump))
        finally:
            await backend.shut()

    def _missing(self) -> dict[str, str]:
        """Return what is wrong with those of the operations that have to be there, by name."""
        found = {}
        for name in self._settings.operations:
            try:
                find_operation(name)
            except TidemillError as error:
                found[name] = error.message
        return found

    async def _listen(self, pump: Pump) -> None:
        while (said := await self._channel.receive()) is not None:
            if "pause" in said:
                pump.pause(bool(said["pause"]))
            if "slots" in said:
                pump.slots = int(said["slots"])
            if "drain" in said:
                await pump.drain(float(said["drain"]))
        os._exit(ORPHANED)  # the supervisor has gone, and with it the lease

    async def _give_up(self, pump: Pump) -> None:
        """End a runner that is here for one parameter set, where others have taken all that there were."""
        if self._settings.once:
            await asyncio.sleep(self._settings.idle)
            if pump.left:
                await pump.drain(0)

    async def _tell(self, pump: Pump) -> None:
        before: dict[str, Any] = {}
        while True:
            said = _said(pump)
            if said != before:
                self._channel.send(**said)
                before = said
            await asyncio.sleep(TELL)

    def _tell_metrics(self, taken: list[list[Any]]) -> None:
        """Tell the supervisor what operations have counted."""
        for at in range(0, len(taken), SERIES_A_LINE):
            self._channel.send(metrics=taken[at : at + SERIES_A_LINE])


def _said(pump: Pump) -> dict[str, Any]:
    return {"counts": dict(pump.counts), "running": pump.running, "trips": pump.trips}


async def _serve(end: socket.socket) -> None:
    channel = await Channel.over(end)
    said = await channel.receive()
    if said is None:
        os._exit(ORPHANED)
    await Runner(channel, Settings(**said["settings"]), said["runner"]).run()


def main(arguments: Sequence[str]) -> None:
    """Run as the child of the process ``arguments[0]``, told by the socket ``arguments[1]``."""
    die_with_parent(int(arguments[0]))
    for stream in (sys.stdout, sys.stderr):  # the log has a line when it is printed, also that of one who dies then
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    end = socket.socket(fileno=int(arguments[1]))
    end.set_inheritable(False)
    try:
        asyncio.run(_serve(end))
    except Fenced:
        os._exit(FENCED)  # whatever runs here is somebody else's now


if __name__ == "__main__":
    main(sys.argv[1:])
