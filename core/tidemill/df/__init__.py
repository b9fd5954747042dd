"""DFFML's import path ``dffml.df``: modules that name what lives elsewhere in Tidemill, and nothing of their own."""

import importlib
from typing import Any

_MODULES = ("archive", "base", "exceptions", "memory", "types")


def __getattr__(name: str) -> Any:
    """Import a module of the package when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
