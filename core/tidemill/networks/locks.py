"""Lock network: inputs that only one parameter set at a time may use."""

from __future__ import annotations

from typing import Protocol

from tidemill.engine.parameters import ParameterSet

__all__ = ["LockNetwork"]


class LockNetwork(Protocol):
    """All locks of a parameter set or none, in one step; first come, first served; gone with the lease."""

    def acquire(self, parameter_set: ParameterSet) -> bool:
        """Queue up for all locks of a parameter set; say whether it holds them all at once."""
        ...

    def release(self, parameter_set: ParameterSet) -> list[ParameterSet]:
        """Give the locks back (or leave the queues) and return the parameter sets that hold all of theirs now."""
        ...
