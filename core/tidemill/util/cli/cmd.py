"""DFFML's import path ``dffml.util.cli.cmd``."""

from tidemill.compat.commands import CMD, CMDConfig, CMDOutputOverride, DisplayHelp, parse_unknown

__all__ = ["CMD", "CMDConfig", "CMDOutputOverride", "DisplayHelp", "parse_unknown"]
