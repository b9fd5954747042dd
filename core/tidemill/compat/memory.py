"""Networks of DFFML in memory that are of use by themselves: a key value store, and implementations to be run by hand.

Tests of operations use them. The engine has its own (`tidemill.backends.memory`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from tidemill.compat.entrypoints import entrypoint
from tidemill.compat.networks import (
    BaseDataFlowObject,
    BaseKeyValueStore,
    BaseKeyValueStoreContext,
    BaseOperationImplementationNetwork,
    BaseOperationImplementationNetworkContext,
    BaseRedundancyChecker,
    BaseRedundancyCheckerContext,
)
from tidemill.errors import (
    LoadError,
    OperationImplementationNotInstantiable,
    OperationImplementationNotInstantiated,
)
from tidemill.model.operation import Operation
from tidemill.runtime.config import config, field
from tidemill.runtime.find import load_implementation
from tidemill.runtime.implementation import OperationImplementation

__all__ = [
    "BaseMemoryDataFlowObject",
    "MemoryDataFlowObjectContextConfig",
    "MemoryKeyValueStore",
    "MemoryKeyValueStoreConfig",
    "MemoryKeyValueStoreContext",
    "MemoryOperationImplementationNetwork",
    "MemoryOperationImplementationNetworkConfig",
    "MemoryOperationImplementationNetworkContext",
    "MemoryRedundancyChecker",
    "MemoryRedundancyCheckerConfig",
    "MemoryRedundancyCheckerContext",
]


@config
class MemoryDataFlowObjectContextConfig:
    """The configuration of a context: what it is known by."""

    uid: str


class BaseMemoryDataFlowObject(BaseDataFlowObject):
    """Something of a data flow that lives in this process."""


@config
class MemoryKeyValueStoreConfig:
    """Nothing is to be said."""


class MemoryKeyValueStoreContext(BaseKeyValueStoreContext):
    """Reads and writes a mapping in memory, its own."""

    def __init__(self, config: Any, parent: Any) -> None:
        super().__init__(config, parent)
        self.memory: dict[str, bytes] = {}
        self.lock = asyncio.Lock()

    async def get(self, key: str) -> bytes | None:
        """Return what is at ``key``, None if nothing is."""
        async with self.lock:
            return self.memory.get(key)

    async def set(self, name: str, value: bytes) -> None:
        """Put ``value`` at the key ``name``."""
        async with self.lock:
            self.memory[name] = value

    async def conditional_set(
        self, key: str, value: bytes, *, checker: Callable[[bytes | None], bool] = lambda value: value is not None
    ) -> bool:
        """Put ``value`` at ``key`` if the checker says yes to what is there, and return what it said."""
        async with self.lock:
            allowed = checker(self.memory.get(key))
            if allowed:
                self.memory[key] = value
            return allowed


@entrypoint("memory")
class MemoryKeyValueStore(BaseKeyValueStore, BaseMemoryDataFlowObject):
    """Keys and values in memory."""

    CONTEXT = MemoryKeyValueStoreContext
    CONFIG = MemoryKeyValueStoreConfig


@config
class MemoryRedundancyCheckerConfig:
    """Where what has been taken is kept."""

    kvstore: BaseKeyValueStore = field("key value store to use", default_factory=MemoryKeyValueStore)


class MemoryRedundancyCheckerContext(BaseRedundancyCheckerContext):
    """Says what has been taken."""

    def __init__(self, config: Any, parent: Any) -> None:
        super().__init__(config, parent)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> MemoryRedundancyCheckerContext:
        store = await self._stack.enter_async_context(self.parent.config.kvstore)
        self.kvctx = await self._stack.enter_async_context(store())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def unique(self, operation: Operation, parameter_set: Any) -> str:
        """Return the identity of an operation's parameter set: a context, and an input for each parameter."""
        handle = (await parameter_set.ctx.handle()).as_string()
        uids = [(parameter.key, parameter.origin.uid) async for parameter in parameter_set.parameters()]
        return repr((operation.instance, handle, sorted(uids)))

    async def exists(self, operation: Operation, parameter_set: Any) -> bool:
        """Say whether it has been taken."""
        return await self.kvctx.get(await self.unique(operation, parameter_set)) is not None

    async def add(self, operation: Operation, parameter_set: Any) -> None:
        """Take it."""
        await self.kvctx.set(await self.unique(operation, parameter_set), b"\x01")


@entrypoint("memory")
class MemoryRedundancyChecker(BaseRedundancyChecker, BaseMemoryDataFlowObject):
    """Has every combination taken once."""

    CONTEXT = MemoryRedundancyCheckerContext
    CONFIG = MemoryRedundancyCheckerConfig


@config
class MemoryOperationImplementationNetworkConfig:
    """Implementations that are there from the beginning, by the names of their operations."""

    operations: dict[str, OperationImplementation] = field("implementations by name", default_factory=dict)


class MemoryOperationImplementationNetworkContext(BaseOperationImplementationNetworkContext):
    """Runs operations by hand, each with its tries, and enters what it is given for as long as it lasts."""

    def __init__(self, config: Any, parent: Any) -> None:
        super().__init__(config, parent)
        self.operations: dict[str, OperationImplementation] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> MemoryOperationImplementationNetworkContext:
        for name, implementation in self.parent.config.operations.items():
            self.operations[name] = await self._stack.enter_async_context(implementation)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def contains(self, operation: Operation) -> bool:
        """Say whether the operation can be run at once."""
        return operation.instance in self.operations

    async def instantiable(self, operation: Operation, *, opimp: Any = None) -> bool:
        """Say whether there is code for the operation."""
        if opimp is not None:
            return True
        try:
            load_implementation(operation.name)
        except LoadError:
            return False
        return True

    async def instantiate(self, operation: Operation, config: Any, *, opimp: Any = None) -> bool:
        """Enter the implementation of an operation. Raises `FailedToLoadOperationImplementation`."""
        found = opimp if opimp is not None else load_implementation(operation.name)
        own = type(found.__name__, (found,), {"op": operation})
        self.operations[operation.instance] = await self._stack.enter_async_context(own(config))
        return True

    async def ensure_contains(self, operation: Operation) -> None:
        """Raise unless the operation can be run at once.

        `OperationImplementationNotInstantiable`: there is no code for it. `OperationImplementationNotInstantiated`:
        there is, but nobody has called `instantiate`.
        """
        if await self.contains(operation):
            return
        if not await self.instantiable(operation):
            said = f'there is no code for "{operation.instance}"'
            raise OperationImplementationNotInstantiable(said, path=operation.instance)
        said = f'"{operation.instance}" has not been instantiated; call instantiate first'
        raise OperationImplementationNotInstantiated(said, path=operation.instance)

    async def run(self, ctx: Any, octx: Any, operation: Operation, inputs: dict[str, Any]) -> Any:
        """Run the operation over ``inputs``, as often as it has tries, and return what it returns."""
        await self.ensure_contains(operation)
        for left in reversed(range(operation.tries)):
            try:
                return await self.run_no_retry(ctx, octx, operation, inputs)
            except Exception:
                if not left:
                    raise
        raise AssertionError("an operation has at least one try")

    async def run_no_retry(self, ctx: Any, octx: Any, operation: Operation, inputs: dict[str, Any]) -> Any:
        """Run the operation once."""
        await self.ensure_contains(operation)
        async with self.operations[operation.instance](ctx, octx) as call:
            return await call.run(inputs)


@entrypoint("memory")
class MemoryOperationImplementationNetwork(BaseOperationImplementationNetwork, BaseMemoryDataFlowObject):
    """Implementations in this process."""

    CONTEXT = MemoryOperationImplementationNetworkContext
    CONFIG = MemoryOperationImplementationNetworkConfig
