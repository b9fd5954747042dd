"""DFFML's import path ``dffml.util.os``."""

from tidemill.compat.system import MODE_BITS_SECURE, chdir, prepend_to_path, which

__all__ = ["MODE_BITS_SECURE", "chdir", "prepend_to_path", "which"]
