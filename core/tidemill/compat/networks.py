"""DFFML's base classes of networks, for programs that subclass them or say their names.

The engine is not made of them: what Tidemill asks of a store is in `tidemill.networks`, one protocol a network, and a
store of one's own is a backend there.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tidemill.compat.entrypoints import base_entry_point
from tidemill.compat.objects import BaseDataFlowFacilitatorObject, BaseDataFlowFacilitatorObjectContext
from tidemill.runtime.config import BaseConfig

__all__ = [
    "BaseDataFlowObject",
    "BaseDataFlowObjectContext",
    "BaseInputNetwork",
    "BaseInputNetworkContext",
    "BaseKeyValueStore",
    "BaseKeyValueStoreContext",
    "BaseLockNetwork",
    "BaseLockNetworkContext",
    "BaseOperationImplementationNetwork",
    "BaseOperationImplementationNetworkContext",
    "BaseOperationNetwork",
    "BaseOperationNetworkContext",
    "BaseRedundancyChecker",
    "BaseRedundancyCheckerContext",
]


class BaseDataFlowObjectContext(BaseDataFlowFacilitatorObjectContext):
    """What does the work of a `BaseDataFlowObject`, which is its ``parent``."""

    def __init__(self, config: Any, parent: Any) -> None:
        self.config = config
        self.parent = parent


class BaseDataFlowObject(BaseDataFlowFacilitatorObject):
    """Something of a data flow that is configured, entered, and gives contexts."""

    CONFIG: ClassVar[Any] = BaseConfig


class BaseKeyValueStoreContext(BaseDataFlowObjectContext):
    """Reads and writes a key value store."""

    async def get(self, key: str) -> bytes | None:
        """Return what is at ``key``, None if nothing is."""
        raise NotImplementedError

    async def set(self, name: str, value: bytes) -> None:
        """Put ``value`` at the key ``name``."""
        raise NotImplementedError


@base_entry_point("dffml.kvstore", "kvstore")
class BaseKeyValueStore(BaseDataFlowObject):
    """Keys and values."""


class BaseInputNetworkContext(BaseDataFlowObjectContext):
    """The inputs of contexts."""


@base_entry_point("dffml.input.network", "input", "network")
class BaseInputNetwork(BaseDataFlowObject):
    """Stores inputs; see `tidemill.networks.inputs`."""


class BaseOperationNetworkContext(BaseDataFlowObjectContext):
    """Which operations inputs concern."""


@base_entry_point("dffml.operation.network", "operation", "network")
class BaseOperationNetwork(BaseDataFlowObject):
    """Knows operations; see `tidemill.networks.operations`."""


class BaseLockNetworkContext(BaseDataFlowObjectContext):
    """Holds inputs."""


@base_entry_point("dffml.lock.network", "lock", "network")
class BaseLockNetwork(BaseDataFlowObject):
    """Locks inputs; see `tidemill.networks.locks`."""


class BaseOperationImplementationNetworkContext(BaseDataFlowObjectContext):
    """Runs operations."""


@base_entry_point("dffml.operation.implementation.network", "opimp", "network")
class BaseOperationImplementationNetwork(BaseDataFlowObject):
    """Knows where implementations are; see `tidemill.networks.implementations`."""


class BaseRedundancyCheckerContext(BaseDataFlowObjectContext):
    """Says what has been taken."""


@base_entry_point("dffml.redundancy.checker", "rchecker")
class BaseRedundancyChecker(BaseDataFlowObject):
    """Has every combination run once; see `tidemill.networks.redundancy`."""
