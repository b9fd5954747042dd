"""The timer that ends a process whatever state it is in."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tidemill_worker.kernel import DeathTimer, boottime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is such a timer on Linux only")

CHILD = """
import sys, time
from tidemill_worker.kernel import DeathTimer, boottime
timer = DeathTimer()
assert timer.works
{}
print("armed", flush=True)
sys.stdin.readline()
"""
DEADLINE = 120


def child(does: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(does)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "armed\n"
    return process


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[str]"]]:
    found: list[subprocess.Popen[str]] = []
    yield found
    for process in found:
        process.kill()
        process.communicate()


def test_it_ends_a_process_that_does_nothing_about_it(started: list["subprocess.Popen[str]"]) -> None:
    started.append(child("timer.arm(boottime() + 2)"))
    assert started[0].wait(DEADLINE) == -signal.SIGKILL


def test_it_ends_a_process_that_is_stopped(started: list["subprocess.Popen[str]"]) -> None:
    started.append(child("timer.arm(boottime() + 4)"))
    os.kill(started[0].pid, signal.SIGSTOP)
    assert started[0].wait(DEADLINE) == -signal.SIGKILL


def test_what_was_put_off_or_called_off_does_not_happen(started: list["subprocess.Popen[str]"]) -> None:
    soon = "timer.arm(boottime() + 2)\n"
    put_off = "timer.arm(boottime() + 600)\ntime.sleep(2.1)\n"
    started.append(child(f"{soon}{put_off}{soon}timer.disarm()\ntime.sleep(2.1)"))
    assert started[0].communicate("end\n", timeout=DEADLINE)[0] == ""
    assert started[0].returncode == 0


def test_a_time_that_has_passed_is_now(started: list["subprocess.Popen[str]"]) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        timer = DeathTimer(signal.SIGUSR1)
        timer.arm(boottime() - 5)
        deadline = time.monotonic() + DEADLINE
        while not heard and time.monotonic() < deadline:
            signal.sigtimedwait([], 0.01)
        assert heard == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)
