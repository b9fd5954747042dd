"""Unpack a wheel or an sdist that may want to do harm.

Nothing is ever extracted by name: every member is checked, and only Python sources, metadata and
licence texts are written, as plain files that this module itself creates inside the target. So no
link, device, mode or owner out of an archive can reach the disk. (`tarfile`'s own `data` filter is
of no use here: it guards extraction, and differs between Python versions.) `archive_zip` and
`archive_tar` read the two formats by these rules; `archives` picks the one that fits.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

CHUNK = 64 * 1024
MAX_PATH = 1024
MAX_PART = 255
MAX_DEPTH = 64
# Below this size a high ratio means nothing: a file of zeros is a legal test datum.
RATIO_MATTERS_FROM = 8 * 1024 * 1024

_METADATA = {"METADATA", "PKG-INFO", "WHEEL", "RECORD", "entry_points.txt", "pyproject.toml"}
_SOURCES = (".py", ".pyw")
_NATIVE = (".so", ".pyd", ".dll", ".dylib", ".a", ".exe", ".jar", ".wasm", ".node")
_DRIVE = re.compile(r"[A-Za-z]:")


class ArchiveRefused(Exception):
    """The archive breaks a rule, or is broken itself; nothing in it can be trusted."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: bytes of the file itself, of its contents, members, ratio."""

    archive_bytes: int = 100 * 1024 * 1024
    total_bytes: int = 300 * 1024 * 1024
    members: int = 20_000
    ratio: int = 200


@dataclass
class Unpacked:
    """What an archive held: `files` are the written paths, relative to the target, sorted.

    `unseen` counts by kind what was there and was not written, so that a verdict can say what
    nobody has looked into: native (compiled code), pyc (bytecode without reading its source),
    pth (runs at each start of Python once installed), links, and other.
    """

    files: list[str] = field(default_factory=list)
    members: int = 0
    bytes: int = 0
    unseen: Counter[str] = field(default_factory=Counter)


class Target:
    """Where members go, with the limits of one archive; formats call `admit` then `write`."""

    def __init__(self, root: Path, limits: Limits, archive_bytes: int) -> None:
        self.root = root.resolve()
        self.limits = limits
        self.result = Unpacked()
        self._archive_bytes = max(archive_bytes, 1)
        self._seen: set[str] = set()

    def admit(self, name: str) -> PurePosixPath:
        """Check the name of one more member, and give its safe relative path."""
        self.result.members += 1
        if self.result.members > self.limits.members:
            raise ArchiveRefused(f"it has more than {self.limits.members} members")
        path = safe_path(name)
        key = unicodedata.normalize("NFC", str(path))
        if key in self._seen and not name.endswith("/"):
            raise ArchiveRefused(f"two members are called {name!r}")
        self._seen.add(key)
        return path

    def count(self, size: int) -> None:
        """Add `size` bytes that came out of the archive, whatever its directory claims."""
        result, limits = self.result, self.limits
        result.bytes += size
        if result.bytes > limits.total_bytes:
            raise ArchiveRefused(f"its contents are larger than {limits.total_bytes} bytes")
        if result.bytes > max(RATIO_MATTERS_FROM, self._archive_bytes * limits.ratio):
            raise ArchiveRefused(f"it unpacks to more than {limits.ratio} times its own {self._archive_bytes} bytes")

    def write(self, path: PurePosixPath, chunks: Iterable[bytes]) -> None:
        """Write a member that is worth reading, or only count it; `chunks` is read to its end.

        The caller counts the bytes. Reading all of a member also checks its checksum.
        """
        kind = kind_of(path)
        if kind != "text":
            self.result.unseen[kind] += 1
            for _ in chunks:
                pass
            return
        place = self.root / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            # A file where another member has a folder, or names that differ only in case.
            raise ArchiveRefused(f"{str(path)!r} collides with another member") from error
        with os.fdopen(descriptor, "wb") as out:
            for chunk in chunks:
                out.write(chunk)
        self.result.files.append(str(path))

    def link(self, path: PurePosixPath, goal: str, *, hard: bool) -> None:
        """Check a link, and leave it out: one that stays inside is counted, never followed."""
        base = PurePosixPath() if hard else path.parent
        if goal.startswith(("/", "\\")) or _DRIVE.match(goal) or "\0" in goal:
            raise ArchiveRefused(f"{str(path)!r} is a link to the absolute path {goal!r}")
        depth = len(base.parts)
        for part in goal.replace("\\", "/").split("/"):
            depth += -1 if part == ".." else part not in ("", ".")
            if depth < 0:
                raise ArchiveRefused(f"{str(path)!r} is a link out of the archive, to {goal!r}")
        self.result.unseen["links"] += 1


def safe_path(name: str) -> PurePosixPath:
    """The relative path that a member's name stands for; `ArchiveRefused` when it is not safe.

    The same rules hold on every system, so a name that is only dangerous on another one, or only
    after Unicode normalisation, is refused as well.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArchiveRefused(f"the member name {name!r} is not valid Unicode") from error
    if not name or len(name) > MAX_PATH or any(unicodedata.category(c) == "Cc" for c in name):
        raise ArchiveRefused(f"the member name {name[:80]!r} is empty, too long or has controls")
    for form in (name, unicodedata.normalize("NFKC", name)):
        if form.startswith("/") or "\\" in form or _DRIVE.match(form):
            raise ArchiveRefused(f"the member {name[:80]!r} has an absolute path or a backslash")
        if ".." in form.split("/"):
            raise ArchiveRefused(f"the member {name[:80]!r} leads out of the archive")
        if form.count("/") != name.count("/"):
            raise ArchiveRefused(f"the member {name[:80]!r} has look-alikes of a path separator")
    path = PurePosixPath(name)
    if len(path.parts) > MAX_DEPTH or any(len(p.encode()) > MAX_PART for p in path.parts):
        raise ArchiveRefused(f"the member {name[:80]!r} is nested too deep or too long")
    return path


def kind_of(path: PurePosixPath) -> str:
    """`text` for what the checks read, else the kind under which the member is counted."""
    name, suffix = path.name, path.suffix.lower()
    if suffix in _SOURCES or name in _METADATA or _is_licence(name):
        return "text"
    if suffix in _NATIVE or ".so." in name:
        return "native"
    return {".pyc": "pyc", ".pyo": "pyc", ".pth": "pth"}.get(suffix, "other")


def _is_licence(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE"))
