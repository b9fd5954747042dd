"""What a server or a connection refuses, as errors of this project.

Neighbours: `client` (which calls), `checks` (which looks before anything is called).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

from tidemill.backends.redis.library import LAYOUT
from tidemill.errors import (
    CorruptState,
    FunctionLibraryMissing,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreReadOnly,
    StoreUnavailable,
)

__all__ = ["answered", "named", "store_error"]

_BROKEN = ("WRONGTYPE", "wrong kind of value", "MessagePack", "cmsgpack", "is not an integer", "not a valid float")
_AWAY = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "NOREPLICAS", "TRYAGAIN", "UNBLOCKED", "MISCONF")


def store_error(error: RedisError | OSError, where: str) -> StoreError:
    """Return what an error of the client library means for the store at ``where``, a URL without its password."""
    said = f"the store at {where}"
    text = str(error)
    if isinstance(error, ReadOnlyError) or "READONLY" in text:
        return StoreReadOnly(f"{said} takes no writes, as replicas do; give the URL of the primary")
    if isinstance(error, OutOfMemoryError) or text.startswith("OOM ") or "'maxmemory'" in text:
        return StoreFull(f"{said} has no memory left; raise maxmemory, or wait until contexts have ended")
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        missing = f"{said} refuses its user: {text}; see `tidemill doctor --backend URL` for what is needed"
        return StoreMisconfigured(missing, reason="NotAllowed")
    away = (ConnectionError, TimeoutError, BusyLoadingError, ClusterDownError, MasterDownError)
    if isinstance(error, (*away, OSError)) or text.startswith(_AWAY):
        return StoreUnavailable(f"{said} cannot be asked: {type(error).__name__}: {text}")
    if "Function not found" in text:
        wanted = f"{said} has no functions of layout {LAYOUT}"
        return FunctionLibraryMissing(
            f"{wanted}; a worker or orchestrator of this version loads them as it starts, on a cluster the operator"
        )
    if any(word in text for word in _BROKEN):
        return CorruptState(f"{said} holds something that was never written there: {text}")
    return StoreError(f"{said} refused: {text}")


@contextlib.contextmanager
def named(where: str) -> Iterator[None]:
    """Have whatever the client library raises meanwhile be an error of this project. Raises `StoreError`."""
    try:
        yield
    except RedisError as error:
        raise store_error(error, where) from error


@contextlib.asynccontextmanager
async def answered(where: str, limit: float, hint: str) -> AsyncIterator[None]:
    """Have what is asked meanwhile be answered within ``limit`` seconds; ``hint`` says what to do where it is not.

    Raises `StoreError`.
    """
    try:
        with named(where):
            async with asyncio.timeout(limit):
                yield
    except TimeoutError:
        raise StoreUnavailable(f"the store at {where} has not answered within {limit:g} s; {hint}") from None
