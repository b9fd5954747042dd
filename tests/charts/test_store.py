"""The script that starts the bundled store, run here with the folders of a pod moved into one of the test."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from tests.backends.redis.servers import eventually, free_port
from tests.backends.redis.stores import program_of
from tests.charts.rendering import objects


def _pod(folder: Path, port: int, kind: str = "valkey", scenario: str = "default") -> Path:
    """Lay out what the container of a store has mounted; return its script."""
    data = next(one for one in objects(scenario, "ConfigMap") if "start.sh" in one["data"])["data"]
    users = [line.split() for line in data["users"].splitlines()]
    places = {"/etc/tidemill": "config", "/run/tidemill/passwords": "passwords", "/tmp": "tmp", "/data": "data"}
    for name in places.values():
        (folder / name).mkdir(exist_ok=True)
    for _, file, *_ in users:
        (folder / "passwords" / file).write_text("secret\n")
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "valkey-server").unlink(missing_ok=True)
    (folder / "bin" / "valkey-server").symlink_to(program_of(kind))
    for name, text in data.items():
        text = re.sub("|".join(places), lambda found: str(folder / places[found[0]]), text)
        (folder / "config" / name).write_text(text.replace("port 6379", f"port {port}"))
    return folder / "config" / "start.sh"


def _started(folder: Path, port: int, kind: str = "valkey", scenario: str = "default") -> subprocess.Popen[bytes]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    script = _pod(folder, port, kind, scenario)
    return subprocess.Popen(
        ["sh", str(script)], env={**os.environ, "PATH": path}, stdout=subprocess.DEVNULL, start_new_session=True
    )


def _answers(port: int) -> bool:
    with Redis("127.0.0.1", port, username="operator", password="secret", socket_timeout=5) as client:
        return bool(client.ping())


@pytest.mark.skipif(sys.platform != "linux", reason="the images of the store are Linux")
def test_a_store_begins_when_the_one_before_it_has_ended_and_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    ports = (free_port(), free_port())
    first = _started(tmp_path, ports[0])
    second = None
    try:
        eventually(lambda: _answers(ports[0]), "the first store answers")
        second = _started(tmp_path, ports[1])
        eventually(lambda: "flock" in _children(second.pid), "the second one waits for it")
        with Redis("127.0.0.1", ports[0], username="operator", password="secret") as client:
            client.set("{tm-x:0}", "acknowledged while both were there")
        first.send_signal(signal.SIGKILL)
        first.wait()
        eventually(lambda: _answers(ports[1]), "the second store answers")
        with Redis("127.0.0.1", ports[1], username="operator", password="secret") as client:
            assert client.get("{tm-x:0}") == b"acknowledged while both were there"
    finally:
        for process in (first, second):
            if process is not None:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the images of the store are Linux")
@pytest.mark.parametrize(("scenario", "user"), [("default", "operator"), ("bring-your-own", "default")])
@pytest.mark.parametrize("kind", ["redis", "valkey"])
def test_a_store_that_is_killed_has_what_was_written_in_transactions(
    tmp_path: Path, kind: str, scenario: str, user: str
) -> None:
    """Redis 7.0 reads its log as the user that nobody is, and leaves out what that user may not do in a MULTI."""
    port = free_port()
    process = _started(tmp_path, port, kind, scenario)

    def client() -> Redis:
        return Redis("127.0.0.1", port, username=user, password="secret", socket_timeout=5)

    def answers() -> bool:
        with client() as asked:
            return bool(asked.ping())

    try:
        eventually(answers, "the store answers")
        with client() as writing, writing.pipeline(transaction=True) as commands:
            commands.set("{tm-x:0}a", "1").expire("{tm-x:0}a", 1000).hset("{tm-x:0}b", "c", "2").rpush("{tm-x:0}d", "3")
            commands.execute()
        process.kill()
        process.wait()
        process = _started(tmp_path, port, kind, scenario)
        eventually(answers, "the store answers again")
        with client() as reading:
            assert reading.get("{tm-x:0}a") == b"1"
            assert reading.hgetall("{tm-x:0}b") == {b"c": b"2"}
            assert reading.lrange("{tm-x:0}d", 0, -1) == [b"3"]
    finally:
        process.kill()
        process.wait()


def _children(pid: int) -> str:
    """Return the names of the processes that a process has started and waits for."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return " ".join(Path(f"/proc/{child}/comm").read_text().strip() for child in children)
