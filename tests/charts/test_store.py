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
from tests.charts.rendering import named, objects


def _pod(folder: Path, port: int) -> Path:
    """Lay out what the container of a store has mounted; return its script."""
    data = named(objects("default"), "ConfigMap", "tidemill-store")["data"]
    users = [line.split() for line in data["users"].splitlines()]
    places = {"/etc/tidemill": "config", "/run/tidemill/passwords": "passwords", "/tmp": "tmp", "/data": "data"}
    for name in places.values():
        (folder / name).mkdir(exist_ok=True)
    for _, file, *_ in users:
        (folder / "passwords" / file).write_text("secret\n")
    (folder / "bin").mkdir(exist_ok=True)
    if not (folder / "bin" / "valkey-server").exists():
        (folder / "bin" / "valkey-server").symlink_to(program_of("valkey"))
    for name, text in data.items():
        text = re.sub("|".join(places), lambda found: str(folder / places[found[0]]), text)
        (folder / "config" / name).write_text(text.replace("port 6379", f"port {port}"))
    return folder / "config" / "start.sh"


def _started(folder: Path, port: int) -> subprocess.Popen[bytes]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    script = _pod(folder, port)
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


def _children(pid: int) -> str:
    """Return the names of the processes that a process has started and waits for."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return " ".join(Path(f"/proc/{child}/comm").read_text().strip() for child in children)
