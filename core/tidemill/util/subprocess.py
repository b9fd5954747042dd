"""DFFML's import path ``dffml.util.subprocess``."""

from tidemill.compat.programs import Subprocess, exec_subprocess, run_command, run_command_events

__all__ = ["Subprocess", "exec_subprocess", "run_command", "run_command_events"]
