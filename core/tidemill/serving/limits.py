"""What the server lets one request, and all of them, take. Neighbours: `app`, `server`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ServingLimits"]


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """Limits of a server; times are in seconds.

    ``body`` is in bytes. ``head`` is how long the head of a request may take to arrive, ``arrival`` its body, ``run`` a
    request as a whole, ``idle`` how long a connection is kept without one. ``contexts`` are those of one request,
    ``open`` those that are open at once in this process, ``connections`` the connections. ``retention`` is how long a
    result in the background is kept.
    """

    body: int = 1024 * 1024
    head: float = 10.0
    arrival: float = 30.0
    run: float = 60.0
    idle: float = 30.0
    contexts: int = 500
    open: int = 1000
    connections: int = 1000
    retention: float = 3600.0
