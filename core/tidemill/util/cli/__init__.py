"""DFFML's import path ``dffml.util.cli``."""
