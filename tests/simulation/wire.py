"""A connection to a store without an event loop: what is asked is answered before anything else happens.

It speaks as much of the protocol as the simulation needs, over a unix socket, many commands in one go. That a reply
takes its time, is lost, or comes when whoever asked is gone, is played by `processes`, and not left to the machine.
"""

import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from redis.exceptions import ResponseError

__all__ = ["Wire"]

Command = Sequence[str | bytes | int | float]


class Wire:
    """One connection. ``url`` is that of an `EmbeddedStore` which listens on a unix socket."""

    def __init__(self, url: str) -> None:
        assert url.startswith("unix://"), f"{url} is no unix socket, which the simulation needs"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(unquote(url.removeprefix("unix://")))
        self._file = self._socket.makefile("rb")
        self.asked = 0

    def ask(self, *command: str | bytes | int | float) -> Any:
        """Return the answer to a command. Raises `ResponseError`."""
        (answer,) = self.all([command])
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    def all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to commands, which are sent together; one that is refused is a `ResponseError`."""
        self._socket.sendall(b"".join(map(_spelt, commands)))
        self.asked += len(commands)
        return [self._answer() for _ in commands]

    def _answer(self) -> Any:
        line = self._file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2]
        if kind == b":":
            return int(rest)
        if kind == b"*":
            return None if rest == b"-1" else [self._answer() for _ in range(int(rest))]
        if kind == b"-":
            return ResponseError(rest.decode())
        if kind == b"+":
            return rest
        raise ConnectionError(f"the server has closed the connection, or says {line!r}")

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()


def _spelt(command: Command) -> bytes:
    said = [b"*%d\r\n" % len(command)]
    for part in command:
        raw = part if isinstance(part, bytes) else str(part).encode()
        said.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(said)
