"""The package index: where it is, whether it answers, and what it says about a project.

No host is written here. pip is asked, in a child process, for the index that it would use, with the
user's configuration files and environment taken into account; that also gives certificates and
proxy. `download` fetches files from it and `vulnerabilities` reads its JSON pages.
"""

import base64
import json
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from http.client import HTTPResponse
from subprocess import DEVNULL, TimeoutExpired, run
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
ANSWER_LIMIT = 32 * 1024 * 1024
_PIP_SECONDS = 60.0
_CHUNK = 64 * 1024
_ASKING = threading.Lock()

# Runs in a child process: pip's internals may change, and may only break this one question.
_ASK_PIP = """
import json
from pip._internal.commands import create_command
options = create_command("download").parse_args([])[0]
print(json.dumps({"url": options.index_url, "off": bool(options.no_index),
                  "cert": options.cert, "proxy": options.proxy}))
"""


class IndexUnavailable(Exception):
    """The index could not be asked, or gave no usable answer; the text says why."""


class NotOnIndex(IndexUnavailable):
    """The index answered that it has no such page (404)."""


@dataclass(frozen=True)
class Index:
    """An index as pip is configured: the URL of its simple pages, certificates and proxy."""

    simple_url: str
    cert: str | None = None
    proxy: str | None = None

    @property
    def json_url(self) -> str:
        """Where the JSON pages of its projects are, by the usual layout of an index."""
        base = self.simple_url.rstrip("/").removesuffix("/simple")
        return f"{base}/pypi"


def find_index() -> Index:
    """The index that pip uses here; `IndexUnavailable` when there is no pip or it may not ask."""
    settings = tuple(sorted(i for i in os.environ.items() if i[0].upper().startswith("PIP_")))
    with _ASKING:  # packages are judged in many threads, and pip needs to be asked once
        return _find_index(sys.executable, settings)


@lru_cache(maxsize=8)
def _find_index(python: str, _settings: tuple[tuple[str, str], ...]) -> Index:
    command = [python, "-I", "-c", _ASK_PIP]
    try:
        done = run(command, capture_output=True, stdin=DEVNULL, timeout=_PIP_SECONDS, check=False)
    except (OSError, TimeoutExpired) as error:
        raise IndexUnavailable(f"pip cannot be asked for its index: {error}") from error
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        why = "pip is not installed here" if b"No module named 'pip" in done.stderr else "it failed"
        raise IndexUnavailable(f"pip cannot be asked for its index: {why}") from error
    if said["off"]:
        raise IndexUnavailable("pip is configured to use no index")
    return Index(said["url"], said["cert"] or None, said["proxy"] or None)


def fetch(
    url: str,
    *,
    index: Index | None = None,
    accept: str = "application/json",
    timeout: float = 15.0,
    limit: int = ANSWER_LIMIT,
    into: IO[bytes] | None = None,
) -> bytes:
    """Get `url` within `timeout` seconds and `limit` bytes; into the file `into`, or returned.

    Raises `NotOnIndex` for 404 and `IndexUnavailable` for everything else that is not an answer.
    """
    deadline = time.monotonic() + timeout
    plain, headers = _without_password(url)
    try:
        request = urllib.request.Request(plain, headers={"Accept": accept, "User-Agent": "shouldi"})
        for name, value in headers.items():
            request.add_unredirected_header(name, value)
        with _opener(index).open(request, timeout=timeout) as answer:
            return _read(answer, deadline, limit, into)
    except urllib.error.HTTPError as error:
        error.close()
        kind = NotOnIndex if error.code == 404 else IndexUnavailable
        raise kind(f"{_where(plain)} answered {error.code}") from error
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "reason", None) or error
        why = "no answer in time" if isinstance(reason, TimeoutError) else str(reason)
        raise IndexUnavailable(f"{_where(plain)} cannot be reached: {why}") from error
    except Exception as error:  # http.client's own family, which is not derived from OSError
        raise IndexUnavailable(f"{_where(plain)} gave a broken answer: {error!r}") from error


def project_page(index: Index, name: str, timeout: float = 15.0) -> dict[str, Any] | None:
    """The simple page of the project `name`, as JSON; None if the index only has the HTML form.

    `name` is canonical. Raises `NotOnIndex` or `IndexUnavailable`.
    """
    page = fetch(
        f"{index.simple_url.rstrip('/')}/{name}/",
        index=index,
        accept=f"{SIMPLE_JSON}, text/html;q=0.5",
        timeout=timeout,
    )
    try:
        data = json.loads(page)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


class _HttpOnlyRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https only, and never from https down to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            raise urllib.error.URLError(f"redirected to {urlsplit(newurl).scheme!r}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener(index: Index | None) -> urllib.request.OpenerDirector:
    """An opener that speaks http and https and nothing else: no files, no ftp."""
    proxies = None
    if index is not None and index.proxy:
        proxies = {"http": index.proxy, "https": index.proxy}
    context = ssl.create_default_context(cafile=index.cert if index else None)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _HttpOnlyRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _read(answer: HTTPResponse, deadline: float, limit: int, into: IO[bytes] | None) -> bytes:
    """Read in pieces: a server that drips one byte a second keeps no deadline of a socket."""
    parts: list[bytes] = []
    size = 0
    while chunk := answer.read1(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise ValueError(f"the answer is larger than {limit} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took too long")
        if into is None:
            parts.append(chunk)
        else:
            into.write(chunk)
    if answer.length:  # what http.client still waits for
        raise EOFError(f"the answer ended after {size} of {size + answer.length} bytes")
    return b"".join(parts)


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """Move a user and password out of the URL into a header, so that no message shows them."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    token = base64.b64encode(unquote(user).encode()).decode()
    plain = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return plain, {"Authorization": f"Basic {token}"}


def _where(url: str) -> str:
    return f"the index at {urlsplit(url).netloc}"
