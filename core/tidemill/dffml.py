"""The names that only DFFML's API has, beside those of `tidemill` itself: what ``import tidemill as dffml`` finds.

`tidemill` imports this module when one of them is first asked for. What DFFML has besides, and what to use in its
place, is in docs/dffml.md.
"""

from tidemill.compat.archives import (
    create_archive_dataflow,
)
from tidemill.compat.configloaders import (
    BaseConfigLoader,
    BaseConfigLoaderContext,
    ConfigLoaders,
    JSONConfigLoader,
    JSONConfigLoaderContext,
)
from tidemill.compat.data import (
    export,
    export_dict,
    export_list,
    ignore_args,
    merge,
    split_dot_seperated,
    traverse_config_get,
    traverse_config_set,
    traverse_set,
)
from tidemill.compat.entrypoints import (
    Entrypoint,
    base_entry_point,
    entrypoint,
)
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
from tidemill.compat.objects import (
    BaseConfigurable,
    BaseDataFlowFacilitatorObject,
    BaseDataFlowFacilitatorObjectContext,
    LoggingLogger,
)
from tidemill.compat.system import (
    MODE_BITS_SECURE,
    chdir,
    prepend_to_path,
    which,
)
from tidemill.compat.testing import (
    AsyncTestCase,
    non_existant_tempfile,
    relative_chdir,
    relative_path,
)
from tidemill.db.base import (
    BaseDatabase,
    BaseDatabaseContext,
    Condition,
    Conditions,
)
from tidemill.db.sqlite import (
    SqliteDatabase,
    SqliteDatabaseConfig,
    SqliteDatabaseContext,
)
from tidemill.df.base import (
    BaseOrchestrator,
    BaseOrchestratorContext,
)
from tidemill.df.exceptions import (
    ContextNotPresent,
    DefinitionNotFoundInDataFlow,
    NoInputsWithDefinitionInContext,
    OperationAlreadyPresent,
)
from tidemill.df.types import (
    GENERIC,
    PrimitiveDoesNotMatchValue,
)
from tidemill.model.context import (
    BaseContextHandle,
    BaseInputSet,
    StringContextHandle,
)
from tidemill.operation.archive import (
    extract_tar_archive,
    extract_zip_archive,
    make_tar_archive,
    make_zip_archive,
)
from tidemill.operation.compression import (
    bz2_compress,
    bz2_decompress,
    gz_compress,
    gz_decompress,
    xz_compress,
    xz_decompress,
)
from tidemill.operation.db import (
    DatabaseQueryConfig,
    db_query_create_table,
    db_query_insert,
    db_query_insert_or_update,
    db_query_lookup,
    db_query_remove,
    db_query_update,
)
from tidemill.operation.io import (
    AcceptUserInput,
    AcceptUserInputContext,
    DataToPrint,
    UserInput,
    print_output,
)
from tidemill.operation.mapping import (
    MAPPING,
    MAPPING_KEY,
    MAPPING_TRAVERSE,
    MAPPING_VALUE,
    create_mapping,
    mapping_extract_value,
    traverse_get,
)
from tidemill.operation.math import (
    multiplicand_def,
    multiplier_def,
    multiply,
    product_def,
)
from tidemill.operation.output import (
    GetMultiConfig,
    GetSingleConfig,
)
from tidemill.operation.preprocess import (
    EvaluatedStr,
    InputStr,
    literal_eval,
)
from tidemill.operation.subprocess import (
    pip_install,
    subprocess_line_by_line,
)
from tidemill.orchestrator.memory import (
    MemoryOrchestratorConfig,
    MemoryOrchestratorContext,
)
from tidemill.runtime.annotations import (
    create_definition,
    new_type_to_defininition,
)
from tidemill.runtime.config import (
    make_config,
)
from tidemill.runtime.implementation import (
    isoperation,
    isopimp,
    isopwraped,
    opimp_name,
    opwraped_in,
)
from tidemill.util.entrypoint import (
    MissingLabel,
)

__all__ = [
    "GENERIC",
    "MAPPING",
    "MAPPING_KEY",
    "MAPPING_TRAVERSE",
    "MAPPING_VALUE",
    "MODE_BITS_SECURE",
    "AcceptUserInput",
    "AcceptUserInputContext",
    "AsyncTestCase",
    "BaseConfigLoader",
    "BaseConfigLoaderContext",
    "BaseConfigurable",
    "BaseContextHandle",
    "BaseDataFlowFacilitatorObject",
    "BaseDataFlowFacilitatorObjectContext",
    "BaseDataFlowObject",
    "BaseDataFlowObjectContext",
    "BaseDatabase",
    "BaseDatabaseContext",
    "BaseInputNetwork",
    "BaseInputNetworkContext",
    "BaseInputSet",
    "BaseKeyValueStore",
    "BaseKeyValueStoreContext",
    "BaseLockNetwork",
    "BaseLockNetworkContext",
    "BaseMemoryDataFlowObject",
    "BaseOperationImplementationNetwork",
    "BaseOperationImplementationNetworkContext",
    "BaseOperationNetwork",
    "BaseOperationNetworkContext",
    "BaseOrchestrator",
    "BaseOrchestratorContext",
    "BaseRedundancyChecker",
    "BaseRedundancyCheckerContext",
    "Condition",
    "Conditions",
    "ConfigLoaders",
    "ContextNotPresent",
    "DataToPrint",
    "DatabaseQueryConfig",
    "DefinitionNotFoundInDataFlow",
    "Entrypoint",
    "EvaluatedStr",
    "GetMultiConfig",
    "GetSingleConfig",
    "InputStr",
    "JSONConfigLoader",
    "JSONConfigLoaderContext",
    "LoggingLogger",
    "MemoryDataFlowObjectContextConfig",
    "MemoryKeyValueStore",
    "MemoryKeyValueStoreConfig",
    "MemoryKeyValueStoreContext",
    "MemoryOperationImplementationNetwork",
    "MemoryOperationImplementationNetworkConfig",
    "MemoryOperationImplementationNetworkContext",
    "MemoryOrchestratorConfig",
    "MemoryOrchestratorContext",
    "MemoryRedundancyChecker",
    "MemoryRedundancyCheckerConfig",
    "MemoryRedundancyCheckerContext",
    "MissingLabel",
    "NoInputsWithDefinitionInContext",
    "OperationAlreadyPresent",
    "PrimitiveDoesNotMatchValue",
    "SqliteDatabase",
    "SqliteDatabaseConfig",
    "SqliteDatabaseContext",
    "StringContextHandle",
    "UserInput",
    "base_entry_point",
    "bz2_compress",
    "bz2_decompress",
    "chdir",
    "create_archive_dataflow",
    "create_definition",
    "create_mapping",
    "db_query_create_table",
    "db_query_insert",
    "db_query_insert_or_update",
    "db_query_lookup",
    "db_query_remove",
    "db_query_update",
    "entrypoint",
    "export",
    "export_dict",
    "export_list",
    "extract_tar_archive",
    "extract_zip_archive",
    "gz_compress",
    "gz_decompress",
    "ignore_args",
    "isoperation",
    "isopimp",
    "isopwraped",
    "literal_eval",
    "make_config",
    "make_tar_archive",
    "make_zip_archive",
    "mapping_extract_value",
    "merge",
    "multiplicand_def",
    "multiplier_def",
    "multiply",
    "new_type_to_defininition",
    "non_existant_tempfile",
    "opimp_name",
    "opwraped_in",
    "pip_install",
    "prepend_to_path",
    "print_output",
    "product_def",
    "relative_chdir",
    "relative_path",
    "split_dot_seperated",
    "subprocess_line_by_line",
    "traverse_config_get",
    "traverse_config_set",
    "traverse_get",
    "traverse_set",
    "which",
    "xz_compress",
    "xz_decompress",
]
