"""DFFML's import path ``dffml.high_level.dataflow``."""

from tidemill.orchestrator.run import run

__all__ = ["run"]
