"""Lock network: inputs that only one parameter set at a time may use."""

from __future__ import annotations

from typing import Any, Protocol

from tidemill.engine.inputs import Item

__all__ = ["LockNetwork"]


class LockNetwork(Protocol):
    """All locks of a parameter set or none, in one step; first come, first served; gone with the lease.

    Locks are taken and given back in the atomic steps that take, lease and settle parameter sets, so nobody outside
    can do either: what can be asked is who stands in a queue.
    """

    async def queue(self, context: Any, item: Item) -> list[tuple[str, tuple[int, ...]]]:
        """Return the parameter sets that hold or wait for a locked input, the holder first, each as its operation
        instance and the numbers of its inputs."""
        ...
