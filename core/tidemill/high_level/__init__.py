"""DFFML's import path ``dffml.high_level``: running a data flow in one call."""

from tidemill.orchestrator.run import run

__all__ = ["run"]
