"""Functions that tests call in other processes, which import them from here."""

import os
import socket

__all__ = ["die", "get_pid", "hold", "loop_for_ever"]


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
