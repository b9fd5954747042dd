"""The API server, as far as the operator has to do with it: the only module that talks to it, but for kopf's watches.

Objects are read as bytes, with a limit, and through the parser that reads files, so nothing that somebody has written
into one can hurt the reader. Whatever is written is written by whoever holds the Lease: `Cluster.guard` is asked
first. Neighbours: `lean`, `leader`, `observe` (reads), `apply` (writes), `handlers` (whose session is made here).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from tidemill.errors import TidemillError
from tidemill.formats.bounds import MIB, ReadLimits, decode
from tidemill.formats.json_text import parse_json
from tidemill_operator.lean import LeanResponse, lean

__all__ = ["LISTED", "METADATA", "Cluster", "ClusterError", "path_of"]

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"
"""What asks for the metadata of an object, or of each object of a watch, and no more."""
LISTED = METADATA.replace("Metadata", "MetadataList", 1)
"""The same for lists, which have a name of their own."""

MANAGER = "tidemill-operator"
"""Who has written a field, in server-side apply."""

LIMITS = ReadLimits(size=4 * MIB, depth=80)
"""What an object may be: etcd takes 1.5 MiB, which grow on the way; a value of 64 levels stands a few levels deep."""
PAGE = 250
"""Objects that one request lists."""

_APPLY, _MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
_PLACES = {
    "dataflows": "/apis/tidemill.alt/v1alpha1",
    "dataflowruns": "/apis/tidemill.alt/v1alpha1",
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "pods": "/api/v1",
    "secrets": "/api/v1",
}

_from_file: Any = load_kube_config  # they have no types
_from_pod: Any = load_incluster_config

logger = logging.getLogger("tidemill.operator")


class ClusterError(TidemillError):
    """A request that the API server has refused, or not answered. ``status`` is that of HTTP, 0 without an answer.

    ``reason`` is the API server's own word (NotFound, Conflict, Forbidden, Invalid…), or Unreachable.
    """

    def __init__(self, message: str, *, reason: str, status: int = 0, path: str = "") -> None:
        super().__init__(message, reason=reason, path=path)
        self.status = status


def path_of(plural: str, namespace: str, name: str = "", sub: str = "") -> str:
    """Return the path of an object, of one of its subresources, or without a name of all in a namespace."""
    parts = [_PLACES[plural], *(["namespaces", quote(namespace, safe="")] if namespace else []), plural]
    return "/".join([*parts, *([quote(name, safe="")] if name else []), *([sub] if sub else [])])


class Cluster:
    """An API server and who we are to it. ``request``: seconds after which a request counts as lost.

    ``guard`` is called before each write, and raises where somebody else may be acting by now; not before those of the
    Lease itself. ``done`` is told of each
    request: its verb and the status of the answer.
    """

    def __init__(self, configuration: Configuration, *, request: float = 30.0) -> None:
        self.server = str(configuration.host).rstrip("/")
        self.guard: Callable[[], None] = lambda: None
        self.done: Callable[[str, int], None] = lambda verb, status: None
        self.answered = time.monotonic()
        self._configuration = configuration
        self._tls = RESTClientObject(configuration).ssl_context
        self._timeout = aiohttp.ClientTimeout(total=request, sock_connect=min(5.0, request))
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    async def connect(cls, kubeconfig: str = "", *, request: float = 30.0) -> Cluster:
        """Return the cluster that a kubeconfig names, or the one that this process is a pod of.

        Raises `ClusterError` (NotConfigured). Nothing is asked yet.
        """
        configuration = Configuration()
        try:
            if kubeconfig:
                await _from_file(kubeconfig, client_configuration=configuration, persist_config=False)
            else:
                _from_pod(client_configuration=configuration)
        except (ConfigException, OSError) as error:
            what = f"the kubeconfig {kubeconfig!r}" if kubeconfig else "the service account of this pod"
            said = f"{what} does not say how to reach the API server: {error}; set TIDEMILL_KUBECONFIG"
            raise ClusterError(said, reason="NotConfigured") from None
        return cls(configuration, request=request)

    def session(self, *, metadata: bool = False) -> aiohttp.ClientSession:
        """Return a new session, for whoever closes it. Its responses are lean; ``metadata``: lists and watches have the
        metadata of objects and no more."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
            headers={"Accept": "application/json"},
            middlewares=(self._authorised, _bare) if metadata else (self._authorised,),
            response_class=LeanResponse,
            trust_env=False,
        )

    async def _authorised(self, request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        """Say who we are, with a token that is read again as it is replaced."""
        said = (await self._configuration.auth_settings()).get("BearerToken")
        if said is not None:
            request.headers["Authorization"] = str(said["value"])
        answer: aiohttp.ClientResponse = await handler(request)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    # -- reading ------------------------------------------------------------------------------------------------------

    async def read(self, path: str) -> bytes:
        """Return an object as it came, without its ``managedFields``, for whoever parses it. Raises `ClusterError`."""
        return lean(await self._ask("GET", path))

    async def get(self, path: str) -> dict[str, Any]:
        """Return an object. Raises `ClusterError`, and `InvalidDocument` for one that is too large or nests too
        deep."""
        return parse(await self._ask("GET", path), path)

    async def metadata(self, path: str) -> dict[str, Any]:
        """Return the metadata of an object, which can always be read. Raises `ClusterError`."""
        return dict(parse(await self._ask("GET", path, accept=METADATA), path)["metadata"])

    async def exists(self, path: str) -> bool:
        """Say whether something is there. Raises `ClusterError` for other answers than yes and no."""
        try:
            await self._ask("GET", path, accept=METADATA)
        except ClusterError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def each(self, path: str, *, labels: str = "") -> AsyncIterator[dict[str, Any]]:
        """Yield the objects below a path. Raises what `get` does."""
        query = {"limit": str(PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            raw = await self._ask("GET", f"{path}?{urlencode(query)}")
            page = parse(raw, path, ReadLimits(size=PAGE * LIMITS.size, depth=LIMITS.depth))
            for one in page.get("items") or []:
                yield one
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    # -- writing ------------------------------------------------------------------------------------------------------

    async def create(self, path: str, body: Mapping[str, Any], *, guarded: bool = True) -> dict[str, Any]:
        """Create an object. Raises `ClusterError` (AlreadyExists, …)."""
        return parse(await self._ask("POST", path, body, guarded=guarded), path)

    async def replace(self, path: str, body: Mapping[str, Any], *, guarded: bool = True) -> dict[str, Any]:
        """Replace an object if it is still the version that ``body`` names. Raises `ClusterError` (Conflict, …)."""
        return parse(await self._ask("PUT", path, body, guarded=guarded), path)

    async def apply(self, path: str, body: Mapping[str, Any]) -> None:
        """Have an object be as ``body`` says, where it says anything, whoever has said otherwise."""
        await self._ask("PATCH", f"{path}?fieldManager={MANAGER}&force=true", body, kind=_APPLY, accept=METADATA)

    async def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change what ``body`` says of an object, and return its metadata. With a resourceVersion in its metadata: only
        if it is still that version (Conflict)."""
        raw = await self._ask("PATCH", f"{path}?fieldManager={MANAGER}", body, kind=_MERGE, accept=METADATA)
        return dict(parse(raw, path).get("metadata") or {})

    async def delete(self, path: str, *, uid: str = "") -> None:
        """Delete an object, and what it owns after it; if it has this ``uid``. One that is gone already is no error."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            await self._ask("DELETE", path, {**body, **({"preconditions": {"uid": uid}} if uid else {})})
        except ClusterError as error:
            if error.status not in (404, 409):
                raise

    # -- requests -----------------------------------------------------------------------------------------------------

    async def _ask(
        self, verb: str, path: str, body: Any = None, *, kind: str = "", accept: str = "", guarded: bool = True
    ) -> bytes:
        if verb != "GET" and guarded:
            self.guard()
        if self._session is None:
            self._session = self.session()
        headers = {"Accept": accept} if accept else {}
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            headers["Content-Type"] = kind or "application/json"
        try:
            async with self._session.request(
                verb, self.server + path, data=data, headers=headers, timeout=self._timeout
            ) as answer:
                raw = await _bounded(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.done(verb, 0)
            said = f"the API server at {self.server} does not answer: {type(error).__name__}: {error}"
            raise ClusterError(said, reason="Unreachable", path=path) from error
        self.done(verb, answer.status)
        if answer.status < 500:
            self.answered = time.monotonic()
        if answer.status >= 400:
            _refused(verb, path, answer.status, raw)
        return raw


async def _bare(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    """Ask for metadata and no more. What has none, as what says which kinds there are, comes whole."""
    request.headers["Accept"] = METADATA if request.url.query.get("watch") == "true" else LISTED
    answer: aiohttp.ClientResponse = await handler(request)
    return answer


def parse(raw: bytes, path: str, limits: ReadLimits = LIMITS) -> dict[str, Any]:
    """Return the object that the API server has sent, without its ``managedFields``. Raises `InvalidDocument`."""
    found = parse_json(decode(lean(raw), path), source=path, limits=limits)
    return found if isinstance(found, dict) else {}


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body, up to what a page of objects may have: no answer can take all memory."""
    parts, left = [], PAGE * LIMITS.size
    async for part in answer.content.iter_chunked(64 * 1024):
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise aiohttp.ClientPayloadError(f"the answer has more than {PAGE * LIMITS.size} bytes")
    return b"".join(parts)


def _refused(verb: str, path: str, status: int, raw: bytes) -> NoReturn:
    reason, message = "", raw[:500].decode("utf-8", "replace")
    try:
        said = parse(raw, path)
        reason, message = str(said.get("reason") or ""), str(said.get("message") or message)[:2000]
    except TidemillError:
        pass
    where = path.partition("?")[0]
    raise ClusterError(f"{verb} {where}: {message}", reason=reason or f"Status{status}", status=status, path=where)
