"""Functions that tests call in other processes, which import them from here."""

import os
import signal
import socket
import threading

__all__ = ["detach", "die", "get_pid", "hold", "kill_the_guard", "loop_for_ever", "seen"]


def seen() -> str | None:
    """Return what this process has under a name of its environment."""
    return os.environ.get("TIDEMILL_SEEN")


def get_pid() -> int:
    return os.getpid()


def die() -> None:
    os._exit(7)


def loop_for_ever() -> None:
    while True:
        pass


def hold(address: str) -> int:
    """Connect to a listening socket, and return when that connection is closed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        connection.recv(1)
    return os.getpid()


def detach(address: str, then: str) -> int:
    """Leave a process behind, in a session of its own and without a parent, that holds a connection to a socket."""
    left, done = os.pipe()
    if not os.fork():
        os.setsid()
        if not os.fork():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(address)
            os.write(done, b"x")
            threading.Event().wait()
        os._exit(0)
    os.wait()
    os.read(left, 1)
    if then == "exit":
        os._exit(7)
    if then == "raise":
        raise LookupError(then)
    if then == "wait":
        threading.Event().wait()
    return os.getpid()


def kill_the_guard() -> None:
    """Kill the process that this one was forked from, and wait for what follows."""
    os.kill(os.getppid(), signal.SIGKILL)
    threading.Event().wait()
