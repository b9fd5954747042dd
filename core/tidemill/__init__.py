"""Tidemill runs data flows: operations that say what data they take and what data they give.

An operation runs as soon as a new combination of its inputs exists, once. Nobody draws the graph of a run::

    import tidemill

    @tidemill.op
    async def shout(text: str) -> str:
        return text.upper()

    flow = tidemill.DataFlow(shout, tidemill.GetSingle)
"""

from tidemill.errors import (
    ContextClosed,
    ContextError,
    ContextLimitExceeded,
    DefinitionMissing,
    DefinitionNotInContext,
    DuplicateContext,
    FailedToLoadOperation,
    FailedToLoadOperationImplementation,
    InputValidationError,
    InvalidCustomRunDataFlowContext,
    InvalidCustomRunDataFlowOutputs,
    InvalidDocument,
    InvalidFlow,
    InvalidInput,
    LoadError,
    MultipleAncestorsFoundError,
    NotOpImp,
    OperationException,
    OperationFailure,
    OperationImplementationNotInstantiable,
    OperationImplementationNotInstantiated,
    Problem,
    RemapFailure,
    TidemillError,
    ValidatorMissing,
)
from tidemill.formats.load import load
from tidemill.model.context import (
    BaseInputSetContext,
    MemoryInputSet,
    MemoryInputSetConfig,
    StringInputSetContext,
)
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import NO_DEFAULT, Definition
from tidemill.model.flow import Forward, InputFlow
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.operation import Operation, Stage
from tidemill.model.parameters import Parameter
from tidemill.operation.dataflow import RunDataFlowConfig, run_dataflow
from tidemill.operation.output import Associate, AssociateDefinition, GetMulti, GetSingle, GroupBy
from tidemill.operation.remap import RemapConfig, remap
from tidemill.orchestrator.memory import MemoryOrchestrator
from tidemill.orchestrator.outcome import Outcome, Progress
from tidemill.orchestrator.run import run
from tidemill.plan.compile import compile_plan
from tidemill.runtime.config import BaseConfig, config, field
from tidemill.runtime.decorator import op
from tidemill.runtime.implementation import (
    OperationImplementation,
    OperationImplementationContext,
    operation_in,
    opimp_in,
)

__version__ = "0.1.0"

__all__ = [
    "NO_DEFAULT",
    "Associate",
    "AssociateDefinition",
    "BaseConfig",
    "BaseInputSetContext",
    "ContextClosed",
    "ContextError",
    "ContextLimitExceeded",
    "DataFlow",
    "Definition",
    "DefinitionMissing",
    "DefinitionNotInContext",
    "DuplicateContext",
    "FailedToLoadOperation",
    "FailedToLoadOperationImplementation",
    "Forward",
    "GetMulti",
    "GetSingle",
    "GroupBy",
    "Input",
    "InputFlow",
    "InputValidationError",
    "InvalidCustomRunDataFlowContext",
    "InvalidCustomRunDataFlowOutputs",
    "InvalidDocument",
    "InvalidFlow",
    "InvalidInput",
    "Limits",
    "LoadError",
    "MemoryInputSet",
    "MemoryInputSetConfig",
    "MemoryOrchestrator",
    "MultipleAncestorsFoundError",
    "NotOpImp",
    "Operation",
    "OperationException",
    "OperationFailure",
    "OperationImplementation",
    "OperationImplementationContext",
    "OperationImplementationNotInstantiable",
    "OperationImplementationNotInstantiated",
    "Outcome",
    "Parameter",
    "Problem",
    "Progress",
    "RemapConfig",
    "RemapFailure",
    "RunDataFlowConfig",
    "Stage",
    "StringInputSetContext",
    "TidemillError",
    "ValidatorMissing",
    "compile_plan",
    "config",
    "field",
    "load",
    "op",
    "operation_in",
    "opimp_in",
    "remap",
    "run",
    "run_dataflow",
]
