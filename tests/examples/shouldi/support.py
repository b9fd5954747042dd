"""Packages made on the spot, and an index on the loopback that serves what a test gives it."""

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SIMPLE = "application/vnd.pypi.simple.v1+json"
PLAIN_SOURCE = 'def add(a, b):\n    """Add."""\n    return a + b\n'
WEAK_HASH = "import hashlib\n\n\ndef digest(data):\n    return hashlib.md5(data).hexdigest()\n"


def metadata_text(name: str, version: str, *lines: str) -> str:
    """The text of a METADATA or PKG-INFO file."""
    given = "".join(f"{line}\n" for line in lines)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{given}\n"


def make_zip(path: Path, members: Mapping[str, str | bytes]) -> Path:
    """Write a zip file with these members, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def make_wheel(
    folder: Path, name: str, version: str, sources: Mapping[str, str | bytes], *lines: str, tag: str = "py3-none-any"
) -> Path:
    """Write a wheel as an installer would take it; `lines` are further lines of its metadata."""
    info = f"{name}-{version}.dist-info"
    wheel = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    members = {**sources, f"{info}/METADATA": metadata_text(name, version, *lines), f"{info}/WHEEL": wheel}
    record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    return make_zip(folder / f"{name}-{version}-{tag}.whl", {**members, f"{info}/RECORD": record})


def make_tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    """Write a tar file with exactly these headers and bodies."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, body in members:
            info.size = len(body) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(body) if info.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, goal: str = "") -> tarfile.TarInfo:
    """The header of a tar member of any kind."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, goal
    return info


def make_sdist(folder: Path, name: str, version: str, sources: Mapping[str, str], *lines: str) -> Path:
    """Write an sdist as `name-version.tar.gz`; its setup.py ends whoever runs it."""
    root = f"{name}-{version}"
    files = {
        **sources,
        "PKG-INFO": metadata_text(name, version, *lines),
        "setup.py": "raise SystemExit('it was run')\n",
    }
    members = [(member(f"{root}/{path}"), body.encode()) for path, body in files.items()]
    return make_tar(folder / f"{root}.tar.gz", members)


class LocalIndex:
    """A package index on a loopback port: simple pages (PEP 691), files, and JSON pages.

    `pages` maps paths to (code, content type, body) and can be added to while it serves; `asked` lists requested paths,
    and `answered` wakes whoever waits for one more. A path in `stuck` gets no answer before the index is closed.
    """

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.stuck: set[str] = set()
        self.answered = threading.Event()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, *files: Path) -> None:
        """Offer these wheels and sdists, all of one project; its name is the part before the first dash."""
        name = files[0].name.split("-")[0].lower().replace("_", "-")
        entries = []
        for file in files:
            body = file.read_bytes()
            self.pages[f"/files/{file.name}"] = (200, "application/octet-stream", body)
            digest = hashlib.sha256(body).hexdigest()
            entries.append({"filename": file.name, "url": f"/files/{file.name}", "hashes": {"sha256": digest}})
        page = {"meta": {"api-version": "1.0"}, "name": name, "files": entries}
        self.pages[f"/simple/{name}/"] = (200, SIMPLE, json.dumps(page).encode())

    def say(self, name: str, version: str, vulnerabilities: list[dict[str, Any]], **info: Any) -> None:
        """Offer the JSON page of a release."""
        page = {"info": {"name": name, "version": version, **info}, "vulnerabilities": vulnerabilities}
        self.pages[f"/pypi/{name}/{version}/json"] = (200, "application/json", json.dumps(page).encode())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            """Answers out of the pages of its index."""

            def do_GET(self) -> None:  # the name that http.server calls
                """Answer one request."""
                index.asked.append(self.path)
                index.answered.set()
                index.answered.clear()
                index.headers.append(dict(self.headers.items()))
                if self.path in index.stuck:
                    index._closing.wait()
                    return
                code, kind, body = index.pages.get(self.path, (404, "text/plain", b"not here"))
                self.send_response(code)
                self.send_header("Content-Type" if code // 100 != 3 else "Location", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing on standard error."""

        return Handler
