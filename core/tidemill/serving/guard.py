"""Connections are counted, and one that keeps the server waiting is closed: a head that trickles in, an answer that
nobody reads.

aiohttp has no limit for either. A guard stands between a transport and aiohttp's protocol and passes everything on.
Neighbours: `server` listens with it, `app` says when a request begins and ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from prometheus_client import Counter

from tidemill.serving.limits import ServingLimits

__all__ = ["Counting", "Guards"]


class Counting(Protocol):
    """Metrics that say how many connections were closed, by reason."""

    dropped: Counter


class Guards:
    """All guards; called, it makes the protocol of one more connection."""

    def __init__(self, inner: Callable[[], Any], limits: ServingLimits, metrics: Counting) -> None:
        self.inner, self.limits, self.metrics = inner, limits, metrics
        self.of: dict[Any, _Guard] = {}

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of one more connection."""
        return _Guard(self)

    def begun(self, transport: Any) -> None:
        """Take note that the head of a request is there."""
        if (guard := self.of.get(transport)) is not None:
            guard.wait(None)

    def ended(self, transport: Any) -> None:
        """Take note that a request has been handled: now its answer is read, and perhaps another one sent."""
        if (guard := self.of.get(transport)) is not None:
            guard.wait(self.limits.idle)


_Protocol: type[asyncio.Protocol] = asyncio.Protocol  # by another name: coverage leaves out protocols of typing


class _Guard(_Protocol):  # type: ignore[valid-type,misc]
    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._inner: Any = guards.inner()
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._head = False  # whether the head of a request has begun to arrive
        self._busy = False

    def wait(self, seconds: float | None) -> None:
        """Close the connection in that time unless something is said before; None: a request is being handled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._busy, self._head = seconds is None, False
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._drop)

    def _drop(self) -> None:
        self._guards.metrics.dropped.labels("slow").inc()
        self._transport.abort()

    # -- what a transport tells its protocol ---------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if len(self._guards.of) >= self._guards.limits.connections:
            self._guards.metrics.dropped.labels("too_many").inc()
            transport.abort()
            return
        self._guards.of[transport] = self
        self._inner.connection_made(transport)
        self.wait(self._guards.limits.head)
        self._head = True

    def data_received(self, data: bytes) -> None:
        if self._transport not in self._guards.of:
            return
        if not self._busy and not self._head:
            self.wait(self._guards.limits.head)
            self._head = True
        self._inner.data_received(data)

    def eof_received(self) -> Any:
        return self._inner.eof_received() if self._transport in self._guards.of else None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._guards.of.pop(self._transport, None) is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
