"""Get the file of a project from the index, without ever running code out of it.

A wheel is fetched with `pip download --no-deps --only-binary :all:`, which runs no build. pip would build the metadata
of an sdist to know its name, and so run the package's own code; therefore an sdist is taken straight from the index's
page, with its hash checked. `names` has made sure that name and version are only that; `archives` unpacks what comes.
"""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from shouldi import names
from shouldi.index import Index, IndexUnavailable, fetch, project_page
from shouldi.tools import Ran, run_tool

PIP_SECONDS = 120.0
SDIST_SECONDS = 120.0
MAX_BYTES = 100 * 1024 * 1024

_NO_WHEEL = ("No matching distribution found", "Could not find a version that satisfies")
_NETWORK = re.compile(r"Retrying \(|Read ?[Tt]imed? ?out|[Cc]onnection|\b5\d\d (?:Server )?Error|resolve")


class DownloadFailed(Exception):
    """The index or the network failed on the way: worth another try."""


class NoSdist(Exception):
    """The index lists no sdist of that version that could be taken and checked."""


class NoWheel(Exception):
    """pip found no wheel of that version that this Python could install."""


async def download_wheel(name: str, version: str | None, into: Path, seconds: float = PIP_SECONDS) -> Path:
    """Let pip fetch the best wheel into the empty directory `into`; give its path.

    Raises `NoWheel` when there is none, `DownloadFailed` when the network failed, and `ToolFailed` at the deadline.
    """
    ran = await run_tool(pip_command(name, version, into), seconds=seconds, cwd=into)
    found = _wheels(into)
    if ran.code == 0 and len(found) == 1:
        return found[0]
    _raise_why(ran, names.requirement(name, version))
    raise DownloadFailed(f"pip ended with exit code {ran.code} and left {len(found)} wheels")


def _wheels(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.whl"))


def pip_command(name: str, version: str | None, into: Path) -> list[str]:
    """The command line that fetches a wheel and can do nothing else, whatever the name."""
    return [
        *(sys.executable, "-m", "pip", "--no-input", "download"),
        *("--no-deps", "--only-binary", ":all:", "--dest", str(into)),
        *("--disable-pip-version-check", "--no-color", "--progress-bar", "off"),
        *("--retries", "1", "--timeout", "15"),
        *("--", names.requirement(name, version)),
    ]


def _raise_why(ran: Ran, requirement: str) -> None:
    lines = [line for line in ran.err.splitlines() if line.startswith("ERROR:")]
    why = lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with exit code {ran.code}"
    if ran.code and _NETWORK.search(ran.err):
        raise DownloadFailed(f"pip could not fetch {requirement}: {why}")
    if any(text in ran.err for text in _NO_WHEEL):
        raise NoWheel(f"the index has no wheel of {requirement} for this Python")
    if ran.code:
        raise DownloadFailed(f"pip could not fetch {requirement}: {why}")


def download_sdist(index: Index, name: str, version: str | None, into: Path) -> Path:
    """Fetch the newest sdist (or the one of `version`) from the project's page on the index; give its path.

    Only a file whose name and sha256 the page states is taken. Raises `NoSdist`, and `IndexUnavailable` when the
    network failed or the file is not the stated one.
    """
    page = project_page(index, name)
    if page is None:
        raise NoSdist("the index lists its files as HTML only, so no sdist is taken from it")
    chosen = choose_sdist(page, name, version)
    if chosen is None:
        wanted = names.requirement(name, version)
        raise NoSdist(f"the index has neither a wheel for this Python nor an sdist of {wanted}")
    place = into / Path(chosen["filename"]).name
    url = urljoin(f"{index.simple_url.rstrip('/')}/{name}/", chosen["url"])
    with place.open("wb") as out:
        fetch(url, index=index, accept="*/*", timeout=SDIST_SECONDS, limit=MAX_BYTES, into=out)
    if sha256_of(place) != chosen["hashes"]["sha256"].lower():
        place.unlink()
        raise IndexUnavailable(f"{chosen['filename']} does not have the sha256 that the index states")
    return place


def choose_sdist(page: dict[str, Any], name: str, version: str | None) -> dict[str, Any] | None:
    """The file entry of the sdist to take: not yanked, no pre-release unless asked for or all there is."""
    found: list[tuple[bool, Version, dict[str, Any]]] = []
    files = page.get("files")
    for entry in files if isinstance(files, list) else ():
        at = _sdist_version(entry, name)
        if at is None or (version is not None and at != Version(version)):
            continue
        if not entry.get("yanked") or version is not None:
            found.append((not at.is_prerelease, at, entry))
    return max(found, key=lambda item: item[:2])[2] if found else None


def _sdist_version(entry: Any, name: str) -> Version | None:
    """The version of a complete entry for an sdist of `name`, else None: the page is not trusted."""
    if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str):
        return None
    hashes = entry.get("hashes")
    if (
        not isinstance(entry.get("url"), str)
        or not isinstance(hashes, dict)
        or not isinstance(hashes.get("sha256"), str)
    ):
        return None
    try:
        project, at = parse_sdist_filename(entry["filename"])
    except (InvalidSdistFilename, InvalidVersion):
        return None
    return at if project == canonicalize_name(name) and "/" not in entry["filename"] else None


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
