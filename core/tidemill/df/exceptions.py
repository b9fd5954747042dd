"""DFFML's import path ``dffml.df.exceptions``; errors of Tidemill stand for those that it tells apart otherwise."""

from tidemill.errors import (
    ContextClosed,
    DefinitionNotInContext,
    InputValidationError,
    InvalidFlow,
    InvalidInput,
    MultipleAncestorsFoundError,
    NotOpImp,
    ValidatorMissing,
)

__all__ = [
    "ContextNotPresent",
    "DefinitionNotFoundInDataFlow",
    "DefinitionNotInContext",
    "InputValidationError",
    "MultipleAncestorsFoundError",
    "NoInputsWithDefinitionInContext",
    "NotOpImp",
    "OperationAlreadyPresent",
    "ValidatorMissing",
]

ContextNotPresent = ContextClosed
DefinitionNotFoundInDataFlow = InvalidInput
NoInputsWithDefinitionInContext = DefinitionNotInContext
OperationAlreadyPresent = InvalidFlow
