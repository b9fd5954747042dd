"""Files of inputs that an object names by their URL: fetched into a temporary file, within bounds.

Who writes an object decides what the operator is asked to fetch, so it goes nowhere that an administrator has not
opened: schemes are those of the settings, hosts are public addresses or named in the settings, nothing is redirected,
and no credentials are used but those of the Secret that the object names, never those of the operator itself.
Neighbours: `observe` (asks), `kinds.accept.file_sets` (reads what was fetched), `settings`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import aiohttp

from tidemill.errors import InvalidInput, did_you_mean
from tidemill_operator.cluster import Cluster, ClusterError, path_of
from tidemill_operator.kinds.sources import InputsSource
from tidemill_operator.settings import Settings

__all__ = ["Files"]

PIECE = 1 << 20
"""Bytes that are read at once."""
SERVICES: dict[str, tuple[str, dict[str, str]]] = {
    "s3": ("s3", {"disable_config_load": "true", "disable_ec2_metadata": "true"}),
    "gs": ("gcs", {"disable_config_load": "true", "disable_vm_metadata": "true"}),
    "azblob": ("azblob", {}),
}
"""The scheme of a URL, what OpenDAL calls it, and what keeps it from credentials that are the operator's own."""
KEYS = {
    "s3": {"access_key_id", "secret_access_key", "session_token", "region", "endpoint"},
    "gs": {"credential", "endpoint"},
    "azblob": {"account_name", "account_key", "sas_token", "endpoint"},
    "https": {"token", "username", "password"},
    "http": {"token", "username", "password"},
    "file": set[str](),
}
"""What a Secret may say, by scheme."""


class Files:
    """Fetches files of inputs."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self._cluster = cluster
        self._settings = settings

    async def fetch(self, namespace: str, source: InputsSource) -> IO[bytes]:
        """Return an open file with what is at a URL now. Raises `InvalidInput`, whose reason is one of `PASSING` where
        another try may do."""
        url = source.url or ""
        scheme = urlsplit(url).scheme
        if scheme not in self._settings.url_schemes:
            said = f"{url}: this operator fetches {', '.join(self._settings.url_schemes) or 'no'} URLs only"
            raise InvalidInput(f"{said}; its setting TIDEMILL_URL_SCHEMES says which", reason="UrlNotAllowed")
        secret = await self._secret(namespace, source.secretRef.name, scheme) if source.secretRef else {}
        pieces = self._web(url, secret) if scheme in ("http", "https") else self._stored(url, secret)
        try:
            async with asyncio.timeout(self._settings.url_seconds):
                return await self._kept(url, pieces)
        except TimeoutError:
            said = f"{url} was not fetched within {self._settings.url_seconds:g} s"
            raise InvalidInput(said, reason="FileUnreachable") from None

    async def _kept(self, url: str, pieces: AsyncIterator[bytes]) -> IO[bytes]:
        file, size = tempfile.TemporaryFile(), 0
        try:
            async for piece in pieces:
                size += len(piece)
                if size > self._settings.url_bytes:
                    said = f"{url} has more than {self._settings.url_bytes} bytes"
                    raise InvalidInput(f"{said}; divide it, or submit its lines by the HTTP API", reason="TooLarge")
                await asyncio.to_thread(file.write, piece)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    async def _secret(self, namespace: str, name: str, scheme: str) -> dict[str, str]:
        try:
            said = (await self._cluster.get(path_of("secrets", namespace, name))).get("data") or {}
        except ClusterError as error:
            if error.status == 404:
                what = f'there is no Secret "{name}" in this namespace; create it, or correct the name'
                raise InvalidInput(what, reason="SecretNotFound") from None
            if error.status == 403:
                what = (
                    f'the operator may not read the Secret "{name}"; the value watch.inputSecrets of its chart lets it'
                )
                raise InvalidInput(what, reason="SecretForbidden") from None
            raise
        for key in said:
            if key not in KEYS[scheme]:
                what = f'the Secret "{name}" has a key that a URL of {scheme} has no use for: {key}'
                raise InvalidInput(f"{what} {did_you_mean(key, KEYS[scheme])}", reason="InvalidSecret")
        try:
            return {key: base64.b64decode(value, validate=True).decode().strip() for key, value in said.items()}
        except (binascii.Error, ValueError, TypeError):
            raise InvalidInput(f'the Secret "{name}" has a value that is no text', reason="InvalidSecret") from None

    # -- the web ------------------------------------------------------------------------------------------------------

    async def _web(self, url: str, secret: Mapping[str, str]) -> AsyncIterator[bytes]:
        guard = _Guard()
        anywhere = urlsplit(url).hostname in self._settings.url_hosts
        connector = aiohttp.TCPConnector(socket_factory=None if anywhere else guard)
        headers = {"Authorization": _authorization(secret)} if secret else {}
        try:
            async with (
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.get(url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    reason = "FileNotFound" if answer.status in (404, 410) else "FileUnreachable"
                    to = (
                        f" to {answer.headers['Location']}, and is not followed" if "Location" in answer.headers else ""
                    )
                    raise InvalidInput(f"{url} answers {answer.status} {answer.reason}{to}", reason=reason)
                async for piece in answer.content.iter_chunked(PIECE):
                    yield piece
        except (aiohttp.ClientError, OSError) as error:
            if guard.refused:
                said = f"{url} is at {guard.refused}, which is no public address"
                hint = "its host is not one of this operator's setting TIDEMILL_URL_HOSTS"
                raise InvalidInput(f"{said}, and {hint}", reason="UrlNotAllowed") from None
            raise InvalidInput(f"{url} cannot be fetched: {error}", reason="FileUnreachable") from None

    # -- object stores ------------------------------------------------------------------------------------------------

    async def _stored(self, url: str, secret: Mapping[str, str]) -> AsyncIterator[bytes]:
        import opendal  # it takes memory that an operator without such files has other uses for

        service, options, name = self._service(url, secret)
        try:
            there = opendal.AsyncOperator(service, **options)
            await there.stat(name)  # it says NotFound, which reading does not
            file = await there.open(name, "rb")
            while piece := bytes(await file.read(PIECE)):
                yield piece
            await file.close()
        except (FileNotFoundError, opendal.exceptions.NotFound):
            raise InvalidInput(f"{url}: there is no such file", reason="FileNotFound") from None
        except _errors_of(opendal) as error:
            said = str(error).split("Backtrace:", maxsplit=1)[0].strip()[:500]
            raise InvalidInput(f"{url} cannot be fetched: {said}", reason="FileUnreachable") from None

    def _service(self, url: str, secret: Mapping[str, str]) -> tuple[str, dict[str, str], str]:
        """Return the service of a URL, its options as OpenDAL names them, and the name of the file in it."""
        parts = urlsplit(url)
        name = unquote(parts.path).lstrip("/")
        if parts.scheme == "file":
            return "fs", {"root": "/"}, name
        if not parts.netloc or not name or "@" in parts.netloc or parts.query or parts.fragment:
            said = (
                f"{url} is no file in an object store: write {parts.scheme}://bucket/path, and the rest into the Secret"
            )
            raise InvalidInput(said, reason="InvalidUrl")
        endpoint = secret.get("endpoint", "")
        if endpoint and urlsplit(endpoint).hostname not in self._settings.url_hosts:
            said = f"the endpoint {endpoint} of the Secret is not one of this operator's setting TIDEMILL_URL_HOSTS"
            raise InvalidInput(said, reason="UrlNotAllowed")
        service, options = SERVICES[parts.scheme]
        made = {**options, "container" if parts.scheme == "azblob" else "bucket": parts.netloc, "root": "/", **secret}
        if parts.scheme == "s3":
            made.setdefault("region", "us-east-1")
        if parts.scheme != "azblob" and not secret.keys() & {"access_key_id", "credential"}:
            made["allow_anonymous"] = "true"
        return service, made, name


class _Guard:
    """Makes sockets for addresses that anybody may reach; ``refused`` is one that is not. What a name stands for is
    looked up once, so nobody can say one address to whoever asks and another to whoever connects."""

    refused = ""

    def __call__(self, info: Any) -> socket.socket:
        address = ipaddress.ip_address(str(info[4][0]).partition("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        if not plain.is_global or plain.is_multicast:
            self.refused = str(address)
            raise OSError(f"{address} is no public address")
        return socket.socket(info[0], info[1], info[2])


def _authorization(secret: Mapping[str, str]) -> str:
    if "token" in secret:
        return f"Bearer {secret['token']}"
    pair = f"{secret.get('username', '')}:{secret.get('password', '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _errors_of(opendal: Any) -> tuple[type[Exception], ...]:
    kinds = vars(opendal.exceptions).values()
    return (OSError, *(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)))
