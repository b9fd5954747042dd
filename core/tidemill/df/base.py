"""DFFML's import path ``dffml.df.base``: `op`, implementations, contexts, and base classes of networks."""

from tidemill.compat.networks import (
    BaseDataFlowObject,
    BaseDataFlowObjectContext,
    BaseInputNetwork,
    BaseInputNetworkContext,
    BaseKeyValueStore,
    BaseKeyValueStoreContext,
    BaseLockNetwork,
    BaseLockNetworkContext,
    BaseOperationImplementationNetwork,
    BaseOperationImplementationNetworkContext,
    BaseOperationNetwork,
    BaseOperationNetworkContext,
    BaseRedundancyChecker,
    BaseRedundancyCheckerContext,
)
from tidemill.errors import (
    FailedToLoadOperationImplementation,
    NotOpImp,
    OperationException,
    OperationImplementationNotInstantiable,
    OperationImplementationNotInstantiated,
)
from tidemill.model.context import (
    BaseContextHandle,
    BaseInputSet,
    BaseInputSetContext,
    StringContextHandle,
    StringInputSetContext,
)
from tidemill.model.context import MemoryInputSetConfig as BaseInputSetConfig
from tidemill.model.definition import NO_DEFAULT, Definition
from tidemill.model.input import Input
from tidemill.model.operation import Operation, Stage
from tidemill.model.parameters import Parameter
from tidemill.orchestrator.running import OrchestratorContext as BaseOrchestratorContext
from tidemill.orchestrator.running import Running as BaseOrchestrator
from tidemill.runtime.annotations import create_definition
from tidemill.runtime.config import BaseConfig
from tidemill.runtime.decorator import op
from tidemill.runtime.implementation import (
    OperationImplementation,
    OperationImplementationContext,
    isoperation,
    isopimp,
    isopwraped,
    operation_in,
    opimp_in,
    opimp_name,
    opwraped_in,
)
from tidemill.runtime.view import DefinitionSet as BaseDefinitionSetContext

__all__ = [
    "NO_DEFAULT",
    "BaseConfig",
    "BaseContextHandle",
    "BaseDataFlowObject",
    "BaseDataFlowObjectContext",
    "BaseDefinitionSetContext",
    "BaseInputNetwork",
    "BaseInputNetworkContext",
    "BaseInputSet",
    "BaseInputSetConfig",
    "BaseInputSetContext",
    "BaseKeyValueStore",
    "BaseKeyValueStoreContext",
    "BaseLockNetwork",
    "BaseLockNetworkContext",
    "BaseOperationImplementationNetwork",
    "BaseOperationImplementationNetworkContext",
    "BaseOperationNetwork",
    "BaseOperationNetworkContext",
    "BaseOrchestrator",
    "BaseOrchestratorContext",
    "BaseRedundancyChecker",
    "BaseRedundancyCheckerContext",
    "Definition",
    "FailedToLoadOperationImplementation",
    "Input",
    "NotOpImp",
    "Operation",
    "OperationException",
    "OperationImplementation",
    "OperationImplementationContext",
    "OperationImplementationNotInstantiable",
    "OperationImplementationNotInstantiated",
    "Parameter",
    "Stage",
    "StringContextHandle",
    "StringInputSetContext",
    "create_definition",
    "isoperation",
    "isopimp",
    "isopwraped",
    "op",
    "operation_in",
    "opimp_in",
    "opimp_name",
    "opwraped_in",
]
