"""Operations that come with Tidemill: those that make results, and those that run data flows.

They are written with what every user has, `op` and `OperationImplementationContext`; the engine knows none of them.
"""

import importlib
from typing import Any

_MODULES = (
    "archive",
    "compression",
    "dataflow",
    "db",
    "io",
    "mapping",
    "math",
    "output",
    "packaging",
    "preprocess",
    "subprocess",
)


def __getattr__(name: str) -> Any:
    """Import a module of the package when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
