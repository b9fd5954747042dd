"""Servers at an address that stays: killed and started again on the same folder and port, made replicas, sentinels.

`stores` has one server for all tests, which nobody may touch; these belong to one test each. Neighbour: `proxy`, which
stands between them and whoever asks.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from tests.backends.redis.stores import program_of
from tidemill.backends.redis.embedded import _SHIM

__all__ = ["DURABLE", "FORGETFUL", "Server", "eventually", "free_port"]

DEADLINE = 120.0
"""Seconds within which a server has to answer."""
DURABLE = {"appendonly": "yes", "appendfsync": "always"}
"""Settings of a server that has on its disk what it has acknowledged."""
FORGETFUL = {"appendonly": "no"}
"""Settings of one that keeps nothing."""


def free_port() -> int:
    """Return a port of the loopback that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds. A store that does not answer is asked again."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            if holds():
                return
        except (RedisError, OSError):
            pass
        assert time.monotonic() < deadline, f"it never came to pass that {what}"
        time.sleep(0.01)


class Server:
    """A server of a test, which ends with the test at the latest. ``settings`` are those of its configuration, with
    underscores; ``kind`` is one of valkey, redis; ``arguments`` stand behind the configuration."""

    def __init__(self, folder: Path, *arguments: str, kind: str = "valkey", **settings: object) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._program = program_of(kind)
        self._arguments = arguments
        said = {"port": self.port, "bind": "127.0.0.1", "dir": folder}
        if "--sentinel" not in arguments:
            said |= {"save": '""', **{name.replace("_", "-"): value for name, value in settings.items()}}
        folder.mkdir(parents=True, exist_ok=True)
        self._configuration = folder / "server.conf"
        self._configuration.write_text("".join(f"{name} {value}\n" for name, value in said.items()))

    def configure(self, *lines: str) -> None:
        """Add lines to its configuration."""
        with self._configuration.open("a") as configuration:
            configuration.writelines(f"{line}\n" for line in lines)

    def spawn(self) -> Self:
        """Start it on what its folder has, and do not wait until it answers."""
        program = [self._program, str(self._configuration), *self._arguments]
        command = [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), "-1", *program]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def start(self) -> Self:
        """Start it and wait until it answers."""
        self.spawn()
        eventually(lambda: self.ask("ping"), f"the server answers: {self.log()[-2000:]}")
        return self

    def ask(self, command: str, *arguments: Any, **keywords: Any) -> Any:
        """Ask it something, as a method of the client library is called."""
        with Redis.from_url(self.url, socket_timeout=DEADLINE) as redis:
            return getattr(redis, command)(*arguments, **keywords)

    def kill(self) -> None:
        """End it where it stands."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Have it end in order."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(DEADLINE)
            self.process = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def log(self) -> str:
        """Return what it has said."""
        path = self.folder / "server.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
