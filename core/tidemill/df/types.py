"""DFFML's import path ``dffml.df.types``: definitions, inputs, operations, data flows."""

from tidemill.errors import DefinitionMissing, FailedToLoadOperation, InvalidInput
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import NO_DEFAULT, Definition
from tidemill.model.flow import Forward, InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Operation, Stage
from tidemill.model.parameters import Parameter
from tidemill.runtime.annotations import create_definition, new_type_to_defininition

__all__ = [
    "GENERIC",
    "NO_DEFAULT",
    "DataFlow",
    "Definition",
    "DefinitionMissing",
    "FailedToLoadOperation",
    "Forward",
    "Input",
    "InputFlow",
    "Operation",
    "Parameter",
    "PrimitiveDoesNotMatchValue",
    "Stage",
    "create_definition",
    "new_type_to_defininition",
]

GENERIC = Definition(name="generic", primitive="generic")
PrimitiveDoesNotMatchValue = InvalidInput
