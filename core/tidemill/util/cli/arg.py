"""DFFML's import path ``dffml.util.cli.arg``."""

from tidemill.compat.commands import Arg, parse_unknown

__all__ = ["Arg", "parse_unknown"]
