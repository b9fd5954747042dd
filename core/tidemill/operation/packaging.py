"""DFFML's import path ``dffml.operation.packaging``."""

from tidemill.operation.subprocess import pip_install

__all__ = ["pip_install"]
