"""Tidemill runs data flows: operations that say what data they take and what data they give.

An operation runs as soon as a new combination of its inputs exists, once. Nobody draws the graph of a run::

    import tidemill

    @tidemill.op
    async def shout(text: str) -> str:
        return text.upper()

    flow = tidemill.DataFlow(shout, tidemill.GetSingle)

Names are imported from where they live when they are first asked for, so that a program which needs few of them, such
as the command line printing its help, starts fast.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill import metrics as metrics
    from tidemill import noasync as noasync
    from tidemill.dffml import *  # noqa: F403  # all that it has is public here
    from tidemill.errors import (
        ContextClosed,
        ContextError,
        ContextLimitExceeded,
        CorruptState,
        CorruptValue,
        DefinitionMissing,
        DefinitionNotInContext,
        DuplicateContext,
        EntrypointNotFound,
        FailedToLoadOperation,
        FailedToLoadOperationImplementation,
        FunctionLibraryMissing,
        ImmutableConfigPropertyError,
        InputValidationError,
        InvalidCustomRunDataFlowContext,
        InvalidCustomRunDataFlowOutputs,
        InvalidDocument,
        InvalidFlow,
        InvalidInput,
        LoadError,
        MetricError,
        MultipleAncestorsFoundError,
        NotOpImp,
        OperationException,
        OperationFailure,
        OperationImplementationNotInstantiable,
        OperationImplementationNotInstantiated,
        Problem,
        RemapFailure,
        StoreError,
        StoreFull,
        StoreMisconfigured,
        StoreReadOnly,
        StoreUnavailable,
        TidemillError,
        ValidatorMissing,
    )
    from tidemill.formats.load import load
    from tidemill.metrics.estimate import Estimate
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
    from tidemill.orchestrator.kubernetes import KubernetesOrchestrator
    from tidemill.orchestrator.memory import MemoryOrchestrator
    from tidemill.orchestrator.outcome import Outcome, Progress
    from tidemill.orchestrator.redis import RedisOrchestrator
    from tidemill.orchestrator.run import run
    from tidemill.orchestrator.whole import run_dataflow_in_memory
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
    "CorruptState",
    "CorruptValue",
    "DataFlow",
    "Definition",
    "DefinitionMissing",
    "DefinitionNotInContext",
    "DuplicateContext",
    "EntrypointNotFound",
    "Estimate",
    "FailedToLoadOperation",
    "FailedToLoadOperationImplementation",
    "Forward",
    "FunctionLibraryMissing",
    "GetMulti",
    "GetSingle",
    "GroupBy",
    "ImmutableConfigPropertyError",
    "Input",
    "InputFlow",
    "InputValidationError",
    "InvalidCustomRunDataFlowContext",
    "InvalidCustomRunDataFlowOutputs",
    "InvalidDocument",
    "InvalidFlow",
    "InvalidInput",
    "KubernetesOrchestrator",
    "Limits",
    "LoadError",
    "MemoryInputSet",
    "MemoryInputSetConfig",
    "MemoryOrchestrator",
    "MetricError",
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
    "RedisOrchestrator",
    "RemapConfig",
    "RemapFailure",
    "RunDataFlowConfig",
    "Stage",
    "StoreError",
    "StoreFull",
    "StoreMisconfigured",
    "StoreReadOnly",
    "StoreUnavailable",
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
    "run_dataflow_in_memory",
]

_DFFML = """
AcceptUserInput AcceptUserInputContext Arg AsyncContextManagerList AsyncContextManagerListContext AsyncTestCase
BaseConfigLoader BaseConfigLoaderContext BaseConfigurable BaseContextHandle BaseDataFlowFacilitatorObject
BaseDataFlowFacilitatorObjectContext BaseDataFlowObject BaseDataFlowObjectContext BaseDatabase BaseDatabaseContext
BaseDefinitionSetContext BaseInputNetwork BaseInputNetworkContext BaseInputSet BaseInputSetConfig BaseKeyValueStore
BaseKeyValueStoreContext BaseLockNetwork BaseLockNetworkContext BaseMemoryDataFlowObject
BaseOperationImplementationNetwork BaseOperationImplementationNetworkContext BaseOperationNetwork
BaseOperationNetworkContext BaseOrchestrator BaseOrchestratorContext BaseRedundancyChecker
BaseRedundancyCheckerContext CMD CMDConfig CMDOutputOverride Condition Conditions ConfigLoaders ContextNotPresent
DataToPrint DatabaseQueryConfig DefinitionNotFoundInDataFlow DisplayHelp Entrypoint EvaluatedStr GENERIC
GetMultiConfig GetSingleConfig InputStr JSONConfigLoader JSONConfigLoaderContext LoggingLogger MAPPING MAPPING_KEY
MAPPING_TRAVERSE MAPPING_VALUE MODE_BITS_SECURE MemoryDataFlowObjectContextConfig MemoryKeyValueStore
MemoryKeyValueStoreConfig MemoryKeyValueStoreContext MemoryOperationImplementationNetwork
MemoryOperationImplementationNetworkConfig MemoryOperationImplementationNetworkContext MemoryOrchestratorConfig
MemoryOrchestratorContext MemoryRedundancyChecker MemoryRedundancyCheckerConfig MemoryRedundancyCheckerContext
MissingLabel NoInputsWithDefinitionInContext OperationAlreadyPresent PrimitiveDoesNotMatchValue SqliteDatabase
SqliteDatabaseConfig SqliteDatabaseContext StringContextHandle Subprocess UserInput aenter_stack associate_output
associate_spec base_entry_point bz2_compress bz2_decompress chdir concurrently create_archive_dataflow
create_definition create_mapping db_query_create_table db_query_insert db_query_insert_or_update db_query_lookup
db_query_remove db_query_update entrypoint exec_subprocess explore_directories export export_dict export_list
extract_tar_archive extract_zip_archive get_multi_output get_multi_spec get_single_output get_single_spec
group_by_output group_by_spec gz_compress gz_decompress ignore_args isoperation isopimp isopwraped literal_eval
make_config make_tar_archive make_zip_archive mapping_extract_value merge multiplicand_def multiplier_def multiply
nested_apply new_type_to_defininition non_existant_tempfile opimp_name opwraped_in parse_unknown parser_helper
pip_install prepend_to_path print_output product_def relative_chdir relative_path run_command run_command_events
split_dot_seperated subprocess_line_by_line traverse_config_get traverse_config_set traverse_get traverse_set which
xz_compress xz_decompress
""".split()
"""What only DFFML's API has; `tidemill.dffml` has all of it."""

__all__ += _DFFML
if not all(importlib.util.find_spec(name) for name in ("msgpack", "redis")):  # an extra: `import *` does without it
    del __all__[__all__.index("RedisOrchestrator")]

_HOMES = {
    "tidemill.errors": (
        "ContextClosed",
        "ContextError",
        "ContextLimitExceeded",
        "CorruptState",
        "CorruptValue",
        "DefinitionMissing",
        "DefinitionNotInContext",
        "DuplicateContext",
        "EntrypointNotFound",
        "FailedToLoadOperation",
        "FailedToLoadOperationImplementation",
        "FunctionLibraryMissing",
        "ImmutableConfigPropertyError",
        "InputValidationError",
        "InvalidCustomRunDataFlowContext",
        "InvalidCustomRunDataFlowOutputs",
        "InvalidDocument",
        "InvalidFlow",
        "InvalidInput",
        "LoadError",
        "MetricError",
        "MultipleAncestorsFoundError",
        "NotOpImp",
        "OperationException",
        "OperationFailure",
        "OperationImplementationNotInstantiable",
        "OperationImplementationNotInstantiated",
        "Problem",
        "RemapFailure",
        "StoreError",
        "StoreFull",
        "StoreMisconfigured",
        "StoreReadOnly",
        "StoreUnavailable",
        "TidemillError",
        "ValidatorMissing",
    ),
    "tidemill.formats.load": ("load",),
    "tidemill.metrics.estimate": ("Estimate",),
    "tidemill.model.context": (
        "BaseInputSetContext",
        "MemoryInputSet",
        "MemoryInputSetConfig",
        "StringInputSetContext",
    ),
    "tidemill.model.dataflow": ("DataFlow",),
    "tidemill.model.definition": (
        "NO_DEFAULT",
        "Definition",
    ),
    "tidemill.model.flow": (
        "Forward",
        "InputFlow",
    ),
    "tidemill.model.input": ("Input",),
    "tidemill.model.limits": ("Limits",),
    "tidemill.model.operation": ("Stage",),
    "tidemill.model.parameters": ("Parameter",),
    "tidemill.operation.dataflow": (
        "RunDataFlowConfig",
        "run_dataflow",
    ),
    "tidemill.operation.output": (
        "Associate",
        "AssociateDefinition",
        "GetMulti",
        "GetSingle",
        "GroupBy",
    ),
    "tidemill.operation.remap": (
        "RemapConfig",
        "remap",
    ),
    "tidemill.orchestrator.kubernetes": ("KubernetesOrchestrator",),
    "tidemill.orchestrator.memory": ("MemoryOrchestrator",),
    "tidemill.orchestrator.outcome": (
        "Outcome",
        "Progress",
    ),
    "tidemill.orchestrator.redis": ("RedisOrchestrator",),
    "tidemill.orchestrator.run": ("run",),
    "tidemill.orchestrator.whole": ("run_dataflow_in_memory",),
    "tidemill.plan.compile": ("compile_plan",),
    "tidemill.runtime.config": (
        "BaseConfig",
        "config",
        "field",
    ),
    "tidemill.runtime.decorator": ("op",),
    "tidemill.runtime.find": (  # they live below it, and find what is announced once it is there
        "Operation",
        "OperationImplementation",
    ),
    "tidemill.runtime.implementation": (
        "OperationImplementationContext",
        "operation_in",
        "opimp_in",
    ),
}
"""Where each public name lives."""

_HOME_OF = dict.fromkeys(_DFFML, "tidemill.dffml")
_HOME_OF.update({name: module for module, names in _HOMES.items() for name in names})
_MODULES = ("base", "configloader", "db", "df", "high_level", "metrics", "noasync", "operation", "util")
"""What a program may reach without importing it: ``tidemill.noasync.run``."""


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name in _MODULES:
        return importlib.import_module(f"tidemill.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names, imported yet or not."""
    return sorted({*globals(), *__all__})
