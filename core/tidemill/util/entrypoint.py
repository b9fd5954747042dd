"""DFFML's import path ``dffml.util.entrypoint``."""

from tidemill.compat.entrypoints import Entrypoint, base_entry_point, entrypoint, load
from tidemill.errors import EntrypointNotFound, InvalidInput

__all__ = ["Entrypoint", "EntrypointNotFound", "MissingLabel", "base_entry_point", "entrypoint", "load"]

MissingLabel = InvalidInput
