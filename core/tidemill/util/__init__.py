"""DFFML's import path ``dffml.util``: modules that name helpers of `tidemill.compat`."""

import importlib
from typing import Any

_MODULES = ("asynchelper", "asynctestcase", "cli", "data", "entrypoint", "os", "subprocess")


def __getattr__(name: str) -> Any:
    """Import a module of the package when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
