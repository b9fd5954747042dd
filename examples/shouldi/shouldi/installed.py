"""Find a distribution that is installed here, and copy what the checks read.

This is what can be judged without a network. The copy goes through the rules of `archive_rules`, so that a strange
`RECORD` file leads nowhere, and the checks find the same kind of tree as after unpacking an archive.
"""

import os
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from shouldi.archive_rules import CHUNK, ArchiveRefused, Limits, Target, Unpacked, safe_path


class NotInstalled(Exception):
    """No distribution of that name (or not that version) is installed for this Python."""


def installed_version(name: str) -> str:
    """The version of the installed distribution `name`; raises `NotInstalled`."""
    return _find(name, None).version


def copy_installed(name: str, version: str | None, into: Path, limits: Limits | None = None) -> Unpacked:
    """Copy sources and metadata of an installed distribution below the empty directory `into`.

    Files that lie outside of its site directory (scripts, data) are counted as other. Raises `NotInstalled`, and
    `ArchiveRefused` past the limits.
    """
    found = _find(name, version)
    # An installed tree is not compressed: a ratio has no meaning here.
    limits = limits or Limits()
    target = Target(into, limits, limits.total_bytes)
    root = Path(str(found.locate_file(""))).resolve()
    for file in found.files or ():
        if file.suffix == ".pyc":
            continue  # made by the installer or the interpreter, next to its source
        if _is_inside(root, str(file)):
            target.write(target.admit(str(file)), _chunks(root / file, target))
        elif os.path.lexists(root / file):
            target.result.unseen["other"] += 1
    target.result.files.sort()
    return target.result


def _find(name: str, version: str | None) -> Distribution:
    try:
        found = distribution(name)
    except (PackageNotFoundError, ValueError) as error:
        raise NotInstalled(f"{name} is not installed here") from error
    if version is not None and found.version != version:
        raise NotInstalled(f"{name} is installed here as {found.version}, not as {version}")
    return found


def _is_inside(root: Path, name: str) -> bool:
    """Whether the file exists, and is in `root` by its name and also after following links."""
    try:
        safe_path(name)
        return (root / name).is_file() and (root / name).resolve().is_relative_to(root)
    except (ArchiveRefused, OSError):
        return False


def _chunks(place: Path, target: Target) -> Iterator[bytes]:
    with place.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            target.count(len(chunk))
            yield chunk
