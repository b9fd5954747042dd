"""Passwords that change while a process runs: each new connection takes the one that the file has then.

A store keeps the connections that it has when a password is changed, and refuses new ones with the old one. Whoever was
told the URL in a file (`TIDEMILL_STORE_FILE`) need not be started anew for that. Neighbours: `urls`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from redis.credentials import CredentialProvider

from tidemill.errors import StoreMisconfigured

__all__ = ["FromFile"]

LONG = 64 * 1024
"""Bytes that are read of the file."""

logger = logging.getLogger("tidemill.store")


class FromFile(CredentialProvider):
    """User and password of the URL in a file; those of ``url`` while that holds none, as when it is being replaced."""

    def __init__(self, url: Any, path: str) -> None:
        self._url = url
        self._path = Path(path)

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return what a connection is to say of itself."""
        from tidemill.backends.redis.urls import store_url

        try:
            with self._path.open("rb") as file:
                said = store_url(file.read(LONG).decode().strip())
            if said.password is not None:
                self._url = said
        except (OSError, ValueError, StoreMisconfigured) as error:
            logger.warning("the file with the URL of the store is not to be used now: %s", type(error).__name__)
        user, password = self._url.user, self._url.password or ""
        return (user, password) if user else (password,)
