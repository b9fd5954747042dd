"""DFFML's import path ``dffml.df.archive``."""

from tidemill.compat.archives import create_archive_dataflow

__all__ = ["create_archive_dataflow"]
