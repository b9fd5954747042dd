"""What the user wrote, sorted into what it can be: a file, or the name of a project.

Everything that later becomes a command line argument or a part of a URL passes through here, and
only letters, digits and `.-_` with an exact version come out. `operations` hands the result on to
`index` and `download`, or to `archives`, or to `installed`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ARCHIVE_SUFFIXES = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
INSTALLED_PREFIX = "installed:"
MAX_NAME = 200
MAX_REQUEST = 4096

# The rule of the packaging standards for project names, ASCII only: nothing that is an option, a
# path, a URL or a look-alike letter can match it.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


class BadRequest(ValueError):
    """The text names no package, file or installed distribution."""


@dataclass(frozen=True)
class Wanted:
    """What is to be judged: a project by name, or an archive by path.

    Exactly one of `name` (canonical, lower case) and `archive` (an absolute path) is set. `version`
    is an exact version or None, and `installed_only` says that no index is to be asked.
    """

    name: str | None = None
    version: str | None = None
    archive: str | None = None
    installed_only: bool = False


def sort_out(request: str) -> Wanted:
    """Say what `request` asks for, and raise `BadRequest` when it is nothing that can be judged.

    Known forms: `name`, `name==version`, `installed:name`, and the path of a wheel or an sdist.
    A text with a path separator or an archive's suffix is a path.
    """
    text = request.strip()
    if not text or len(text) > MAX_REQUEST:
        raise BadRequest(_explain(request, "it is empty" if not text else "it is too long"))
    if text.startswith(INSTALLED_PREFIX):
        name, version = _split(text.removeprefix(INSTALLED_PREFIX), request)
        return Wanted(name=name, version=version, installed_only=True)
    if _looks_like_path(text):
        return Wanted(archive=_existing_file(text, request))
    name, version = _split(text, request)
    return Wanted(name=name, version=version)


def is_name(text: str) -> bool:
    """Whether `text` is a valid name of a project."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def requirement(name: str, version: str | None) -> str:
    """The requirement to hand to pip: `name`, or `name==version`."""
    return f"{name}=={version}" if version else name


def _looks_like_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.lower().endswith(ARCHIVE_SUFFIXES)


def _existing_file(text: str, request: str) -> str:
    if "\0" in text or "://" in text:
        raise BadRequest(_explain(request, "a URL or a NUL byte is not a path"))
    path = Path(text).expanduser()
    try:
        found = path.is_file()
    except OSError as error:
        raise BadRequest(_explain(request, f"it cannot be opened: {error.strerror}")) from error
    if not found:
        raise BadRequest(_explain(request, "there is no such file"))
    return str(path.resolve())


def _split(text: str, request: str) -> tuple[str, str | None]:
    name, equals, version = text.partition("==")
    name, version = name.strip(), version.strip()
    if not is_name(name):
        raise BadRequest(_explain(request, f"{name[:60]!r} is not a project's name"))
    if not equals:
        return canonicalize_name(name), None
    try:
        return canonicalize_name(name), str(Version(version))
    except InvalidVersion as error:
        raise BadRequest(_explain(request, f"{version[:60]!r} is not a version")) from error


def _explain(request: str, why: str) -> str:
    return (
        f"cannot judge {request[:80]!r}: {why}. Give a project's name (colorama), one with a version "
        "(colorama==0.4.6), installed:NAME, or the path of a wheel or an sdist"
    )
