"""DFFML's import path ``dffml.configloader.yaml`` (there the plugin dffml_config_yaml)."""

from tidemill.compat.configloaders import YAMLConfigLoader, YAMLConfigLoaderContext

__all__ = ["YAMLConfigLoader", "YAMLConfigLoaderContext"]
