"""DFFML's import path ``dffml.util.asynchelper``."""

from tidemill.compat.concurrent import (
    AsyncContextManagerList,
    AsyncContextManagerListContext,
    aenter_stack,
    concurrently,
)

__all__ = ["AsyncContextManagerList", "AsyncContextManagerListContext", "aenter_stack", "concurrently"]
