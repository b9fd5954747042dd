"""DFFML's import path ``dffml.configloader.configloader``."""

from tidemill.compat.configloaders import BaseConfigLoader, BaseConfigLoaderContext, ConfigLoaders

__all__ = ["BaseConfigLoader", "BaseConfigLoaderContext", "ConfigLoaders"]
