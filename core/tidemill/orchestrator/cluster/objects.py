"""DataFlow objects of a cluster, as far as a program writes them: applied, looked at, deleted.

In a pod the service account says who we are; elsewhere kubectl speaks to the API server for us. Neighbours: `kubectl`,
`orchestrator.kubernetes`.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tidemill.orchestrator.cluster import kubectl
from tidemill.orchestrator.cluster.client import ApiError, extra

if TYPE_CHECKING:
    import aiohttp

__all__ = ["ACCOUNT", "Objects", "objects"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has the token of its service account, its namespace, and the authority of the API server."""
MANAGER = "tidemill-orchestrator"
SECONDS = 30.0


class Objects:
    """DataFlow objects of one namespace. Every method raises `ApiError` with the API server's own word as reason."""

    def __init__(self, session: aiohttp.ClientSession, url: str, namespace: str) -> None:
        self._session = session
        self._base = f"{url.rstrip('/')}/apis/tidemill.alt/v1alpha1/namespaces/{quote(namespace, safe='')}/dataflows"

    async def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Have an object be as ``body`` says, made or changed, and return it."""
        headers = {"Content-Type": "application/apply-patch+yaml"}
        query = {"fieldManager": MANAGER, "force": "true"}
        data = json.dumps(body).encode()
        return await self._asked("PATCH", body["metadata"]["name"], data=data, headers=headers, params=query)

    async def get(self, name: str) -> dict[str, Any]:
        """Return an object."""
        return await self._asked("GET", name)

    async def delete(self, name: str) -> None:
        """Delete an object; the operator cleans up after it."""
        with contextlib.suppress(_Gone):
            await self._asked("DELETE", name)

    async def _asked(self, method: str, name: str, **request: Any) -> dict[str, Any]:
        import aiohttp

        try:
            async with self._session.request(method, f"{self._base}/{quote(name, safe='')}", **request) as answer:
                said = await answer.json(content_type=None)
                if answer.status < 400:
                    return dict(said)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            what = str(error) or type(error).__name__
            raise ApiError(f"the API server does not answer: {what}", reason="Unreachable") from error
        kind = _Gone if answer.status == 404 else ApiError
        raise kind(str(said.get("message", said)), reason=str(said.get("reason") or f"Status{answer.status}"))


class _Gone(ApiError):
    """There is no such object."""


@contextlib.asynccontextmanager
async def objects(namespace: str, server: str | None = None) -> AsyncIterator[Objects]:
    """Give the objects of a namespace while they are needed. ``server`` is the URL of an API server, or of a proxy
    before it, that asks nobody who he is.

    Raises `ApiError`: ExtraMissing, KubectlFailed, KubectlMissing.
    """
    aiohttp = extra()
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    with contextlib.ExitStack() as stack:
        headers: dict[str, str] = {}
        connector = None
        url = server or ""
        if not url and (ACCOUNT / "token").exists():
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
            url = f"https://{f'[{host}]' if ':' in host else host}:{port}"
            headers["Authorization"] = f"Bearer {(ACCOUNT / 'token').read_text().strip()}"
            trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
            connector = aiohttp.TCPConnector(ssl=trusted)
        elif not url:
            connector = aiohttp.UnixConnector(stack.enter_context(kubectl.proxied()))
            url = "http://localhost"
        async with aiohttp.ClientSession(timeout=timeout, headers=headers, connector=connector) as session:
            yield Objects(session, url, namespace)
