"""The same workers without a cluster: processes of this machine, and a server with the same settings."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cluster import flows
from benchmarks.cluster.rate import Workers
from benchmarks.store.server import Server

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
"""How long workers may take to get ready."""


@contextlib.contextmanager
def outside(workers: int, slots: int) -> Iterator[Workers]:
    """Give so many workers with one runner each."""
    with Server("always") as server, TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        pool = f"bench.{flows.POOL}"
        said = {"store": server.url, "prefix": "tm-bench", "pool": pool, "runners": 1, "slots": slots, "port": -1}
        said |= {"durability": "always", "operations": "operations:double"}
        arguments = [f"--{name}={value}" for name, value in said.items()]
        (Path(folder) / flows.MODULE.name).write_bytes(flows.MODULE.read_bytes())
        path = os.pathsep.join([folder, str(ROOT / "core"), str(ROOT / "worker")])
        for at in range(workers):
            log = stack.enter_context((Path(folder) / f"{at}.log").open("wb"))
            command = [sys.executable, "-m", "tidemill_worker", *arguments]
            stack.enter_context(_running(command, path, folder, log.fileno()))
        _wait(server.url, workers)
        yield Workers(server.url, "tm-bench", pool)


@contextlib.contextmanager
def _running(command: list[str], path: str, folder: str, log: int) -> Iterator[None]:
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _wait(url: str, workers: int) -> None:
    """Wait until all of them are idle: a runner that is slow to start would be measured later."""
    from redis import Redis

    deadline = time.monotonic() + SECONDS
    with Redis.from_url(url) as redis:
        while sum(int(redis.hlen(key)) for key in redis.scan_iter("*:idle:*")) < workers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{workers} workers were not ready after {SECONDS:g} s")
            time.sleep(0.1)
