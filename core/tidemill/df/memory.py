"""DFFML's import path ``dffml.df.memory``: the orchestrator of this process, input sets, networks to use by hand."""

from tidemill.compat.memory import (
    BaseMemoryDataFlowObject,
    MemoryDataFlowObjectContextConfig,
    MemoryKeyValueStore,
    MemoryKeyValueStoreConfig,
    MemoryKeyValueStoreContext,
    MemoryOperationImplementationNetwork,
    MemoryOperationImplementationNetworkConfig,
    MemoryOperationImplementationNetworkContext,
    MemoryRedundancyChecker,
    MemoryRedundancyCheckerConfig,
    MemoryRedundancyCheckerContext,
)
from tidemill.model.context import MemoryInputSet, MemoryInputSetConfig
from tidemill.orchestrator.memory import MemoryOrchestrator, MemoryOrchestratorConfig, MemoryOrchestratorContext

__all__ = [
    "BaseMemoryDataFlowObject",
    "MemoryDataFlowObjectContextConfig",
    "MemoryInputSet",
    "MemoryInputSetConfig",
    "MemoryKeyValueStore",
    "MemoryKeyValueStoreConfig",
    "MemoryKeyValueStoreContext",
    "MemoryOperationImplementationNetwork",
    "MemoryOperationImplementationNetworkConfig",
    "MemoryOperationImplementationNetworkContext",
    "MemoryOrchestrator",
    "MemoryOrchestratorConfig",
    "MemoryOrchestratorContext",
    "MemoryRedundancyChecker",
    "MemoryRedundancyCheckerConfig",
    "MemoryRedundancyCheckerContext",
]
