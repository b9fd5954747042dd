"""Families of processes: who is below whom, and that nothing of one is left when it is to end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.beside import DEADLINE
from tidemill.runtime import families

if not families.KNOWN:
    pytest.skip("families of processes are only known on Linux", allow_module_level=True)

ROOT = Path(__file__).parents[2]

PARENT_AND_CHILD = """
import subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "import threading; print(1, flush=True); threading.Event().wait()"],
                         stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
threading.Event().wait()
"""

RUNS_A_CALL = """
import sys
from tests.runtime.in_processes import detach
from tidemill.runtime.children import Reading
from tidemill.runtime.processes import encode_call, one_off

if __name__ == "__main__":
    call = encode_call(detach, {"address": sys.argv[1], "then": "wait"}, Reading(None, frozenset(), None))
    one_off(call, None, lambda process: None)
"""


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A process and its child."""
    with subprocess.Popen([sys.executable, "-c", PARENT_AND_CHILD], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        yield parent.pid, child
        parent.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_descendants_are_found_nearest_first(family: tuple[int, int]) -> None:
    found = families.descendants(os.getpid())
    assert [pid for pid in found if pid in family] == list(family)
    assert families.descendants(family[0]) == [family[1]]
    assert families.descendants(family[1]) == []


def test_who_has_ended_and_was_not_asked_after_is_no_descendant() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert ended.pid not in families.descendants(os.getpid())


def test_descendants_of_a_process_are_ended_and_it_is_not(family: tuple[int, int]) -> None:
    parent, child = family
    families.end_descendants(parent)
    assert families.descendants(parent) == []
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()
    assert parent in families.descendants(os.getpid())


def test_who_is_to_be_spared_lives(family: tuple[int, int]) -> None:
    families.end_descendants(os.getpid(), but=[pid for pid in families.descendants(os.getpid()) if pid not in family])
    assert not set(family) & set(families.descendants(os.getpid()))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as spared:
        families.end_descendants(os.getpid(), but=families.descendants(os.getpid()))
        assert spared.poll() is None
        spared.communicate(b"\n")
    assert spared.returncode == 0


def test_a_family_that_grows_faster_than_it_can_be_ended_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    def another(ancestor: int) -> list[int]:
        rounds.append(ancestor)
        return [2**22 + 1]  # more than any process is numbered

    monkeypatch.setattr(families, "descendants", another)
    families.end_descendants(1)
    assert len(rounds) == families.ROUNDS


def test_where_families_are_not_known_there_is_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "KNOWN", False)
    assert not families.adopt()
    families.guarded_worker(None)  # returns in this very process


def test_a_call_and_what_it_has_detached_end_when_the_program_is_killed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.settimeout(DEADLINE)
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        script = tmp_path / "runs_a_call.py"
        script.write_text(RUNS_A_CALL)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen([sys.executable, str(script), str(tmp_path / "s")], env=environment) as program:
            connection, _ = listening.accept()
            connection.settimeout(DEADLINE)
            program.send_signal(signal.SIGKILL)
            with connection:
                assert connection.recv(1) == b""
