"""What a package says about itself: name, version, licence, Python versions, summary, classifiers.

Read from `METADATA` (wheels and installed distributions) or `PKG-INFO` (sdists), as text: nothing is imported or built.
`licences` makes sense of the licence.
"""

import platform
import re
from pathlib import Path
from typing import Any

from packaging.metadata import RawMetadata, parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from shouldi import licences, names

MAX_BYTES = 1024 * 1024
# The standard has about thirty; the parser's time grows with their number times that of the lines.
MAX_FIELDS = 200
MAX_SUMMARY = 200
_INACTIVE = "Development Status :: 7 - Inactive"
_WHEEL_METADATA = re.compile(r"[^/]+\.(dist|egg)-info/(METADATA|PKG-INFO)")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_SDIST_METADATA = re.compile(r"([^/]+/)?PKG-INFO")


class NoMetadata(Exception):
    """There is no readable metadata, or several: not a package that an installer would take."""


def read(tree: Path, files: list[str], archive: str | None) -> dict[str, Any]:
    """Read the metadata among `files` of `tree`; `archive` is the file name of the package, or None if installed.

    The result has name, version, licence, licence_from, licence_kind, requires_python, fits_python, summary, inactive,
    typed, dependencies (their number), and `mismatch`: how the file name contradicts it, or None. Raises `NoMetadata`.
    """
    with (tree / _place(files, archive)).open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    # Only the headers: below them is the description, which nobody needs and which could take for ever to parse.
    headers = _BLANK_LINE.split(data, maxsplit=1)[0]
    if len(headers) > MAX_BYTES:
        raise NoMetadata(f"its metadata is larger than {MAX_BYTES} bytes")
    fields = {line.partition(b":")[0].lower() for line in headers.splitlines() if not line[:1].isspace()}
    if len(fields) > MAX_FIELDS:
        raise NoMetadata(f"its metadata has more than {MAX_FIELDS} different fields")
    raw, _unparsed = parse_email(headers + b"\n")
    return describe(raw, archive)


def describe(raw: RawMetadata, archive: str | None) -> dict[str, Any]:
    """Turn parsed metadata into the result that `read` gives."""
    name, version = raw.get("name", ""), raw.get("version", "")
    try:
        shown = str(Version(version))
    except InvalidVersion as error:
        raise NoMetadata(f"its metadata has no valid version but {version[:40]!r}") from error
    if not names.is_name(name):
        raise NoMetadata(f"its metadata has no valid name but {name[:40]!r}")
    classifiers = raw.get("classifiers", [])
    licence, source = licences.identify(raw.get("license_expression"), raw.get("license"), classifiers)
    requires = raw.get("requires_python")
    return {
        "name": canonicalize_name(name),
        "version": shown,
        "licence": licence,
        "licence_from": source,
        "licence_kind": licences.kind(licence),
        "requires_python": requires,
        "fits_python": _fits(requires),
        "summary": _one_line(raw.get("summary", "")),
        "inactive": _INACTIVE in classifiers,
        "typed": "Typing :: Typed" in classifiers,
        "dependencies": sum(1 for need in raw.get("requires_dist", []) if "extra ==" not in need),
        "mismatch": _mismatch(name, Version(version), archive),
    }


def _place(files: list[str], archive: str | None) -> str:
    sdist = archive is not None and not archive.endswith(".whl")
    pattern = _SDIST_METADATA if sdist else _WHEEL_METADATA
    found = [file for file in files if pattern.fullmatch(file)]
    if sdist and len(found) > 1:
        found = [file for file in found if "/" not in file] or found
    if len(found) != 1:
        raise NoMetadata(f"it has {len(found)} metadata files where one is expected")
    return found[0]


def _fits(requires: str | None) -> bool | None:
    """Whether this Python is among the wanted ones; None when the package does not say it readably."""
    if not requires:
        return None
    try:
        return SpecifierSet(requires).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        return None


def _mismatch(name: str, version: Version, archive: str | None) -> str | None:
    if archive is None:
        return None
    try:
        if archive.endswith(".whl"):
            told_name, told_version = parse_wheel_filename(archive)[:2]
        else:
            told_name, told_version = parse_sdist_filename(archive)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return f"the file name {archive[:80]!r} is not one of a wheel or an sdist"
    if (told_name, told_version) == (canonicalize_name(name), version):
        return None
    return f"the file is named after {told_name} {told_version}, but says it is {canonicalize_name(name)} {version}"


def _one_line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:MAX_SUMMARY]
