"""DFFML's import path ``dffml.base``: configurations, and what is configured and entered."""

from tidemill.compat.objects import (
    BaseConfigurable,
    BaseDataFlowFacilitatorObject,
    BaseDataFlowFacilitatorObjectContext,
    LoggingLogger,
)
from tidemill.errors import ImmutableConfigPropertyError
from tidemill.runtime.config import BaseConfig, config, field, make_config

__all__ = [
    "BaseConfig",
    "BaseConfigurable",
    "BaseDataFlowFacilitatorObject",
    "BaseDataFlowFacilitatorObjectContext",
    "ImmutableConfigPropertyError",
    "LoggingLogger",
    "config",
    "field",
    "make_config",
]
