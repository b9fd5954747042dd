"""What a worker asks of its store before it works, and what it does for the large values outside."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.redis.servers import FORGETFUL, Server
from tests.backends.redis.stores import server
from tests.worker.fleet import SHORT, Fleet, until
from tests.worker.test_health import ask
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill_worker import supervisor
from tidemill_worker.settings import Settings
from tidemill_worker.supervisor import Supervisor


def ended(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a worker that is to end by itself."""
    command = [sys.executable, "-m", "tidemill_worker", "--port", "-1", *arguments]
    environment = {**os.environ, "TIDEMILL_STORE": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_store_that_forgets_is_refused_with_what_to_change() -> None:
    result = ended(server("valkey"))
    assert result.returncode == 1
    assert result.stderr.startswith("NotDurable: the store at unix://")
    assert "CONFIG SET appendonly yes" in result.stderr


def test_a_store_that_evicts_is_refused_whatever_was_chosen() -> None:
    with EmbeddedStore(settings={"maxmemory-policy": "allkeys-lru"}, unix=False) as store:
        result = ended(store.url, "--durability", "none")
    assert result.returncode == 1
    assert "EvictionPolicy" in result.stderr
    assert store_password(store) not in result.stderr


async def waited(workers: Fleet, store: Server, client: Client, times: int) -> None:
    """See that the only worker waits for functions, and begins when they are there."""
    await until(lambda: workers.log().count("nothing is taken before that") == times, "it waits", workers.log)
    status, said = ask(workers, "/readyz")
    assert (status, "has no functions of layout 1; the operator loads them" in said) == (503, True)
    assert ask(workers, "/livez")[0] == 200
    assert store.ask("function_list") == []
    await client.load()
    await until(lambda: workers.log().count("working as") == times, "it begins", workers.log)
    await until(lambda: ask(workers, "/readyz")[0] == 200, "it is ready", workers.log)


async def test_a_worker_that_is_not_to_load_functions_waits_for_them_each_time(tmp_path: Path) -> None:
    """As on a cluster, where the operator loads them; a store that comes back with nothing is waited for again."""
    with Server(tmp_path / "store", **FORGETFUL) as store:
        client = Client(store.url, prefix="waits:")
        workers = Fleet(store.url, "waits:", tmp_path, lease=SHORT, runners=1, port=0, loads="false")
        try:
            (worker,) = workers.start(1)
            await waited(workers, store, client, 1)
            store.kill()
            store.start()
            await waited(workers, store, client, 2)
            assert worker.poll() is None
            assert await workers.stop() == [0]
        finally:
            workers.abandon()
            await client.close()


def store_password(store: EmbeddedStore) -> str:
    return store._url.split(":")[2].split("@")[0]


async def test_large_values_outside_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SWEEP", 0.01)
    place, prefix = tmp_path / "ab" / "body", "sweep"
    place.parent.mkdir()
    place.touch()
    worker = Supervisor(Settings(store=server("valkey"), prefix=prefix, elsewhere=f"file://{tmp_path}"))
    client = worker._client
    task = asyncio.create_task(worker._sweep())
    await client.redis.rpush(client.key("trash", ""), "ab/body")
    async with asyncio.timeout(120):
        while await client.redis.exists(client.key("trash", "")):
            await client.redis.ping()
    assert not place.exists()
    task.cancel()
    await client.close()
