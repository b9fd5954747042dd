"""What a worker asks of its store before it works, and what it does for the large values outside."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.redis.stores import server
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
    async with asyncio.timeout(20):
        while await client.redis.exists(client.key("trash", "")):
            await client.redis.ping()
    assert not place.exists()
    task.cancel()
    await client.close()
