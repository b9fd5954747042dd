"""Where large values are kept outside the store: a folder that workers share, S3 and what speaks like it.

One client (OpenDAL) for all of them. Credentials come from where the services' own tools look for them (environment,
instance); they are part of no URL. Neighbour: `blobs`, which decides what goes there and when it is deleted.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tidemill.errors import StoreMisconfigured, StoreUnavailable, did_you_mean, shown

__all__ = ["Elsewhere"]

SERVICES = {"file": "fs", "s3": "s3", "gs": "gcs", "azblob": "azblob"}
"""The scheme of a URL, and what OpenDAL calls it."""

_SECRET = ("key", "secret", "token", "password", "credential")


class Elsewhere:
    """A place for large values: ``file:///folder``, ``s3://bucket/prefix?region=…&endpoint=…``.

    Raises `StoreMisconfigured` (InvalidBlobURL), `StoreUnavailable` (BlobsMissing: OpenDAL is not installed).
    """

    def __init__(self, url: str) -> None:
        try:
            import opendal
        except ImportError as error:
            said = "large values outside the store need the package opendal, which is not installed"
            raise StoreUnavailable(f"{said}: pip install 'tidemill[blobs]'", reason="BlobsMissing") from error
        service, options = _options(url)
        self.shown = url
        self._errors: tuple[type[Exception], ...] = tuple(
            kind for kind in vars(opendal.exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception)
        )
        self._missing: type[Exception] = opendal.exceptions.NotFound
        try:
            self._operator: Any = opendal.AsyncOperator(service, **options)
        except Exception as error:  # of OpenDAL, or of how it is called: an option that there is not
            raise _invalid(url, f"OpenDAL says: {_first(error)}") from error

    async def write(self, name: str, body: bytes) -> None:
        """Store a body under a new name. Raises `StoreUnavailable`."""
        await self._call(self._operator.write(name, body))

    async def read(self, name: str) -> bytes | None:
        """Return what is stored under a name, None for nothing. Raises `StoreUnavailable`."""
        try:
            return bytes(await self._call(self._operator.read(name)))
        except FileNotFoundError:
            return None

    async def delete(self, name: str) -> None:
        """Delete what is stored under a name, if anything is. Raises `StoreUnavailable`."""
        await self._call(self._operator.delete(name))

    async def _call(self, call: Any) -> Any:
        try:
            return await asyncio.ensure_future(call)
        except self._missing as error:
            raise FileNotFoundError(str(error)) from error
        except self._errors as error:
            said = f"{self.shown} cannot be used for large values: {_first(error)}"
            raise StoreUnavailable(said, reason="BlobsUnavailable") from error


def _first(error: Exception) -> str:
    """Return what an error says, without the trace of OpenDAL's own code behind it."""
    lines = [line.strip() for line in str(error).split("Backtrace:")[0].splitlines() if line.strip()]
    return "; ".join(lines[:1] + lines[-1:]) if len(lines) > 1 else "".join(lines)


def _invalid(url: str, why: str) -> StoreMisconfigured:
    return StoreMisconfigured(f"{shown(url)} is no place for large values: {why}", reason="InvalidBlobURL")


def _options(url: str) -> tuple[str, dict[str, str]]:
    """Return the service of a URL, and its options as OpenDAL names them."""
    parts = urlsplit(url)
    if parts.scheme not in SERVICES:
        raise _invalid(url, f"unknown scheme {did_you_mean(parts.scheme, SERVICES)}")
    if "@" in parts.netloc or parts.fragment:
        raise _invalid("…", "credentials belong into the environment, not into a URL")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if secret := [name for name in options if any(word in name.lower() for word in _SECRET)]:
        raise _invalid("…", f"the option {secret[0]} belongs into the environment, not into a URL")
    path = unquote(parts.path)
    if parts.scheme == "file":
        if parts.netloc or len(path) < 2:
            raise _invalid(url, "a folder is given by its absolute path: file:///var/lib/blobs")
        return "fs", {**options, "root": path}
    if not parts.netloc:
        raise _invalid(url, f"it names no bucket: {parts.scheme}://bucket/prefix")
    named = "container" if parts.scheme == "azblob" else "bucket"
    return SERVICES[parts.scheme], {**options, named: parts.netloc, "root": path or "/"}
