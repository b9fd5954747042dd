"""Workers as real processes over a store, and what can be done to them: killed, stopped, told to end."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from tests.worker import flows
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.library import LAYOUT
from tidemill.runtime.families import descendants

__all__ = ["DEADLINE", "LEASE", "SHORT", "Fleet", "fleet", "until"]

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 120.0
"""Seconds within which whatever a test waits for has to have happened."""


async def until(holds: Callable[[], object], what: str, why: Callable[[], str] = str) -> None:
    """Wait until something holds; ``why`` says more when it never does."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, f"it never came to pass that {what}: {why()}"
        await asyncio.sleep(0.01)


LEASE = 30
"""Seconds of a lease that nobody is to lose, as a worker does that gets no turn on a busy machine for most of it."""
SHORT = 6
"""Seconds of one whose end is waited for."""


class Fleet:
    """Workers of one store. ``settings`` are their arguments; ``measured`` is whether their coverage is."""

    measured = True
    module = "tidemill_worker"

    def __init__(self, url: str, prefix: str, folder: Path, **settings: object) -> None:
        self.url = url
        self.prefix = prefix
        self.folder = folder
        self.settings = {"lease": LEASE, "runners": 2, "slots": 4, "port": -1, "grace": 10, **settings}
        self.settings.setdefault("durability", "none")
        self.workers: list[subprocess.Popen[bytes]] = []
        self._started = 0

    def start(self, many: int = 1, **settings: object) -> list["subprocess.Popen[bytes]"]:
        """Start workers; what they say goes to files beside the journal."""
        said = {**self.settings, **settings, "prefix": self.prefix}
        arguments = [f"--{name}={value}" for name, value in said.items()]
        inherited = {n: value for n, value in os.environ.items() if self.measured or not n.startswith("COV")}
        environment = {**inherited, "TIDEMILL_STORE": self.url, flows.FOLDER: str(self.folder)}
        new = []
        for _ in range(many):
            self._started += 1
            with open(self.folder / f"worker-{self._started}.log", "wb") as log:
                command = [sys.executable, "-m", self.module, *arguments]
                new.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log))
        self.workers += new
        return new

    def log(self) -> str:
        """Return what all workers have said so far."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    def runners(self, worker: "subprocess.Popen[bytes]") -> list[int]:
        """Return the processes that a worker runs operations in."""
        return [pid for pid in descendants(worker.pid) if _parent(pid) == worker.pid]

    async def working(self, worker: "subprocess.Popen[bytes]") -> list[int]:
        """Wait until a worker has all its runners, and return them."""
        await until(lambda: len(self.runners(worker)) == self.settings["runners"], "the worker has its runners")
        return self.runners(worker)

    def kill_one(self, rng: random.Random, supervisors: float) -> str:
        """Kill a runner, or with this probability a supervisor, which another one then follows. Return what it was;
        nothing if no worker has all its runners by now."""
        working = [one for one in self.workers if len(self.runners(one)) == self.settings["runners"]]
        if not working:
            return ""
        worker = rng.choice(working)
        if rng.random() < supervisors:
            worker.kill()
            worker.wait()
            self.workers.remove(worker)
            self.start()
            return "supervisor"
        runners = self.runners(worker)
        with_luck(rng.choice(runners), signal.SIGKILL)
        return "runner"

    def replace_expired(self) -> int:
        """Start others for workers that the timers of their leases have ended, as whoever looks after processes does,
        and return how many; there is no other reason for which one may end by itself."""
        ended = [worker for worker in self.workers if worker.poll() is not None]
        for worker in ended:
            assert worker.returncode == -signal.SIGKILL, f"a worker has ended with {worker.returncode}: {self.log()}"
            self.workers.remove(worker)
        self.start(len(ended))
        return len(ended)

    async def stop(self, workers: "Sequence[subprocess.Popen[bytes]] | None" = None) -> list[int]:
        """Tell workers to end and return their exit codes."""
        ending = list(self.workers if workers is None else workers)
        for worker in ending:
            worker.terminate()
        return [await self.ended(worker) for worker in ending]

    async def ended(self, worker: "subprocess.Popen[bytes]") -> int:
        """Wait until a worker has ended and return its exit code."""
        await until(lambda: worker.poll() is not None, "a worker ends", self.log)
        self.workers.remove(worker)
        return worker.returncode

    def look(self, command: str, kind: str, *more: str) -> Any:
        """Look at a key of the store."""
        with Redis.from_url(self.url) as redis:
            return getattr(redis, command)(":".join([f"{{{self.prefix}{LAYOUT}:0}}", kind, *more]))

    def abandon(self) -> None:
        """Kill whatever is left."""
        for worker in self.workers:
            with_luck(worker.pid, signal.SIGCONT)
            worker.kill()
            worker.wait()


def with_luck(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@asynccontextmanager
async def fleet(url: str, folder: Path, **settings: object) -> AsyncIterator[tuple[Fleet, RedisBackend]]:
    """Yield workers, of which none has been started yet, and a backend that submits to them."""
    prefix = f"w{os.getpid()}-{random.getrandbits(64):x}:"
    client = Client(url, prefix=prefix)
    await client.load()
    backend = RedisBackend(client)
    workers = Fleet(url, prefix, folder, **settings)
    try:
        yield workers, backend
    finally:
        workers.abandon()
        async for key in client.redis.scan_iter(f"{client.tag}*", count=1000):
            await client.redis.unlink(key)
        await backend.shut()
