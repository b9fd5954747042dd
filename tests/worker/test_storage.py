"""What is changed of a store while work goes on: its passwords, and how much room its disk has."""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import AuthenticationError, ResponseError

from tests.backends.redis.servers import FORGETFUL, Server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, SHORT, Fleet, until
from tests.worker.test_trouble import outcomes, slept
from tidemill.backends.redis.client import Client

PREFIX = "trouble:"
MANY = 20


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have operations write down that they were called."""
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))


async def ridden(store: Server, workers: Fleet, change: Callable[[], Awaitable[None]]) -> list[str]:
    """Have work done while something is changed, and return what was called; nothing may be lost, and no worker end."""
    try:
        (worker,) = workers.start(1)
        await workers.working(worker)
        waiting = asyncio.create_task(outcomes(store.url, flows.SLOW, range(MANY), workers=0))
        await until(lambda: len(flows.calls_of(workers.folder)) >= 4, "it runs", workers.log)
        await change()
        found: dict[str, Any] = slept(await asyncio.wait_for(waiting, DEADLINE))
        assert found == {f"c{at}": [at] for at in range(MANY)}
        assert worker.poll() is None, workers.log()
        assert await workers.stop() == [0]
    finally:
        workers.abandon()
    return flows.calls_of(workers.folder)


async def test_a_password_is_changed_while_work_goes_on(tmp_path: Path) -> None:
    """X47: connections that come anew are refused until the file has the new password; then everything goes on, and
    nothing was run twice."""
    file = tmp_path / "url"
    with Server(tmp_path / "store", **FORGETFUL) as store:

        def user(password: str) -> str:
            store.ask("execute_command", "ACL", "SETUSER", "worker", "reset", "on", f">{password}", "~*", "+@all")
            return store.url.replace("://", f"://worker:{password}@")

        file.write_text(user("old"))
        workers = Fleet(store.url, PREFIX, tmp_path, lease=30, runners=1, store_file=file)

        async def change() -> None:
            new = user("new")
            killed = store.ask("execute_command", "CLIENT", "KILL", "USER", "worker")
            assert killed >= 2, "the worker and its runner"
            (tmp_path / "go").touch()
            await until(lambda: "AuthenticationError" in workers.log(), "it is refused", workers.log)
            file.write_text(new)

        assert sorted(await ridden(store, workers, change)) == sorted(f"sleep {at}" for at in range(MANY))
        assert "old@" not in workers.log()


async def test_a_file_that_is_no_use_leaves_the_password_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "url"
    with Server(tmp_path / "store", **FORGETFUL) as store:
        store.ask("execute_command", "CONFIG", "SET", "requirepass", "word")
        url = store.url.replace("://", "://:word@")
        for said in (b"\xff", b"nonsense", b"redis://nobody", b""):
            file.write_bytes(said)
            client = Client(url, file=str(file))
            assert await client.redis.ping()
            await client.close()
        file.unlink()
        client = Client(url, file=str(file))
        assert await client.redis.ping()
        await client.close()
        file.write_text(url.replace("word", "other"))
        client = Client(url, file=str(file))
        with pytest.raises(AuthenticationError):
            await client.redis.ping()
        await client.close()


def room(store: Server, more: int | None) -> None:
    """Let the files of a server grow by no more than that, as on a disk that is full; None: let them grow."""
    assert store.process is not None
    hard = resource.RLIM_INFINITY
    longest = max(path.stat().st_size for path in (store.folder / "appendonlydir").iterdir())
    resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, (hard if more is None else longest + more, hard))


async def test_a_disk_is_full_for_a_while(tmp_path: Path) -> None:
    """X23: the server takes no writes, so everything waits, beyond the length of a lease; with room again it goes on,
    and nothing is lost."""
    with Server(tmp_path / "store", appendonly="yes", appendfsync="everysec") as store:
        workers = Fleet(store.url, PREFIX, tmp_path, lease=SHORT, runners=1, durability="none")

        def refuses() -> bool:
            try:
                store.ask("set", "probe", "x" * 4096)
            except ResponseError as error:
                return str(error).startswith("MISCONF")
            return False

        async def change() -> None:
            room(store, 100)
            await until(refuses, "the server finds its disk full", store.log)
            (tmp_path / "go").touch()
            await until(lambda: "MISCONF" in workers.log(), "the worker hears of it", workers.log)
            await until(lambda: "was ended: " in workers.log(), "its lease is over", workers.log)
            assert refuses()
            room(store, None)

        await ridden(store, workers, change)
        assert workers.log().count("working as") == 2
