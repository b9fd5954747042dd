"""DFFML's import path ``dffml.configloader``: modules that name loaders of `tidemill.compat.configloaders`."""
