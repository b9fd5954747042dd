"""Connections to the node of a Redis or Valkey Cluster that has a shard: whoever is asked says who that is.

All keys of a shard begin with one hash tag, so one node has them all, and a connection has to lead there. No map of the
cluster is read: a node that has not the slot says who has (MOVED) when it is asked for a key of it, which takes no
right that others do not need. A connection that leads elsewhere, as its node has handed the slot on or is a primary no
more, counts as lost, and the next one looks again. While a slot moves from node to node both refuse its functions, so
none ever sees half of its keys. Neighbours: `urls`, which makes the connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    TimeoutError,
    TryAgainError,
)

__all__ = ["Whereabouts", "following"]

HOPS = 5
"""How often a connection is sent on from node to node at most: two that send each other are not believed for ever."""
_ELSEWHERE = (AskError, ClusterDownError, MasterDownError, ReadOnlyError, TryAgainError)  # MovedError is an AskError


class Whereabouts:
    """Where the node of a shard may be: ``hosts`` are asked in their order, first the one that had it last. ``key`` is
    one of the shard's."""

    def __init__(self, hosts: Sequence[tuple[str, int]], key: str) -> None:
        self.key = key
        self._hosts = tuple(hosts)
        self._last: tuple[str, int] | None = None

    def places(self) -> list[tuple[str, int]]:
        """Return whom to ask."""
        last = [] if self._last is None else [self._last]
        return last + [host for host in self._hosts if host not in last]

    def found(self, host: str, port: int) -> None:
        """Note who has the slot."""
        self._last = host, port


def following(kind: type[Any], where: Whereabouts) -> type[Any]:
    """Return a class of connections as ``kind``, which lead to the node that has the slot."""

    class Following(kind):  # type: ignore[misc]
        async def connect(self) -> None:
            """Connect to the node. Raises `ConnectionError` or `TimeoutError` if no node says who that is."""
            if self.is_connected:
                return
            lost: Exception = ConnectionError("no node of the cluster is known")
            for self.host, self.port in where.places():
                try:
                    return await self._follow()
                except (ConnectionError, TimeoutError, ClusterDownError, MasterDownError) as error:
                    lost = error
                    await self.disconnect()
            raise lost if isinstance(lost, TimeoutError) else ConnectionError(str(lost))

        async def _follow(self) -> None:
            for _ in range(HOPS):
                await super().connect()
                try:
                    await self.send_command("EXISTS", where.key, check_health=False)
                    await super().read_response()
                    where.found(self.host, self.port)
                    return
                except MovedError as moved:
                    await self.disconnect()
                    self.host, self.port = moved.host or self.host, moved.port
            raise ConnectionError(f"the nodes of the cluster send each other for the slot of {where.key}")

        async def read_response(self, *arguments: Any, **keywords: Any) -> Any:
            """Return a reply. Raises `ConnectionError` for one that says that this node is not the one any more."""
            try:
                return await super().read_response(*arguments, **keywords)
            except _ELSEWHERE as error:
                await self.disconnect()
                raise ConnectionError(f"the node has not the slot any more: {error}") from error

    return Following
