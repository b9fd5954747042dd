"""What a supervisor and its runner say to each other: one JSON object a line, over a socket that only they have.

The hot path has no part in it: parameter sets and outputs go between runner and store. Here go settings, "drain",
"pause", and how much has been done.
"""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

__all__ = ["LINE", "Channel"]

LINE = 1 << 20
"""Bytes that a line may have."""


class Channel:
    """One end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        """Return the channel over one end of a pair of sockets."""
        return cls(*await asyncio.open_connection(sock=end, limit=LINE))

    def send(self, **said: Any) -> None:
        """Say something, unless nobody listens any more."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps(said).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """Return what the other end says next; None when it has gone."""
        try:
            line = await self._reader.readline()
        except (OSError, ValueError):
            return None
        return dict(json.loads(line)) if line.endswith(b"\n") else None

    def close(self) -> None:
        """Say nothing more."""
        self._writer.close()
