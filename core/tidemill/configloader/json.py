"""DFFML's import path ``dffml.configloader.json``."""

from tidemill.compat.configloaders import JSONConfigLoader, JSONConfigLoaderContext

__all__ = ["JSONConfigLoader", "JSONConfigLoaderContext"]
