"""Operations that make an archive of a directory and take it apart again: zip, tar.

Taking apart writes files and directories below the given directory and nothing else: an archive with a name that leads
out of it, a link or a device is refused before anything of it is written. The work is done in a thread.
"""

from __future__ import annotations

import asyncio
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from tidemill.errors import InvalidInput, shown
from tidemill.model.definition import Definition
from tidemill.runtime.decorator import op

__all__ = [
    "DIRECTORY",
    "OUTPUT_DIRECTORY_PATH",
    "OUTPUT_TARFILE_PATH",
    "OUTPUT_ZIPFILE_PATH",
    "TAR_FILE",
    "ZIP_FILE",
    "extract_tar_archive",
    "extract_zip_archive",
    "make_tar_archive",
    "make_zip_archive",
]

DIRECTORY = Definition(name="directory", primitive="str")
ZIP_FILE = Definition(name="zip_file", primitive="str")
TAR_FILE = Definition(name="tar_file", primitive="str")
OUTPUT_ZIPFILE_PATH = Definition(name="output_zipfile_path", primitive="str")
OUTPUT_TARFILE_PATH = Definition(name="output_tarfile_path", primitive="str")
OUTPUT_DIRECTORY_PATH = Definition(name="output_directory_path", primitive="str")


def _below(directory: str, archive: str) -> Iterator[tuple[Path, str]]:
    """Yield (path, name in the archive) of all that is below a directory, sorted; never the archive itself."""
    root, made = Path(directory), Path(archive).resolve()
    for path in sorted(root.rglob("*")):
        if path.resolve() != made:
            yield path, path.relative_to(root).as_posix()


def _refuse_escapes(archive: str, names: Iterable[str]) -> None:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or PureWindowsPath(name).drive:
            said = f"{archive} has a member {shown(name)}, which leads out of the directory that it is taken apart in"
            raise InvalidInput(f"{said}; nothing of it was written", reason="UnsafeArchive")


def _make_zip(directory: str, archive: str) -> None:
    with zipfile.ZipFile(archive, "w") as made:
        for path, name in _below(directory, archive):
            made.write(path, name)


def _extract_zip(archive: str, directory: str) -> None:
    with zipfile.ZipFile(archive, "r") as read:
        _refuse_escapes(archive, read.namelist())
        read.extractall(directory)


def _make_tar(directory: str, archive: str) -> None:
    with tarfile.open(archive, mode="x") as made:
        for path, name in _below(directory, archive):
            made.add(path, name, recursive=False)


def _extract_tar(archive: str, directory: str) -> None:
    with tarfile.open(archive, "r") as read:
        members = read.getmembers()
        _refuse_escapes(archive, (member.name for member in members))
        for member in members:
            if not (member.isfile() or member.isdir()):
                said = f"{archive} has a member {shown(member.name)} that is neither a file nor a directory"
                raise InvalidInput(f"{said}; nothing of it was written", reason="UnsafeArchive")
        # Python before 3.11.4 knows no filters; what matters of this one was looked at above
        filtered: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        read.extractall(directory, members=members, **filtered)


@op(
    name="make_zip_archive",
    inputs={"input_directory_path": DIRECTORY, "output_file_path": ZIP_FILE},
    outputs={"output_path": OUTPUT_ZIPFILE_PATH},
)
async def make_zip_archive(input_directory_path: str, output_file_path: str) -> dict[str, str]:
    """Make a zip file of all that is below a directory, and return its path."""
    await asyncio.to_thread(_make_zip, input_directory_path, output_file_path)
    return {"output_path": output_file_path}


@op(
    name="extract_zip_archive",
    inputs={"input_file_path": ZIP_FILE, "output_directory_path": DIRECTORY},
    outputs={"output_path": OUTPUT_DIRECTORY_PATH},
)
async def extract_zip_archive(input_file_path: str, output_directory_path: str) -> dict[str, str]:
    """Take a zip file apart in a directory, and return its path. Raises `InvalidInput` (UnsafeArchive)."""
    await asyncio.to_thread(_extract_zip, input_file_path, output_directory_path)
    return {"output_path": output_directory_path}


@op(
    name="make_tar_archive",
    inputs={"input_directory_path": DIRECTORY, "output_file_path": TAR_FILE},
    outputs={"output_path": OUTPUT_TARFILE_PATH},
)
async def make_tar_archive(input_directory_path: str, output_file_path: str) -> dict[str, str]:
    """Make a tar file of all that is below a directory, and return its path. Raises FileExistsError."""
    await asyncio.to_thread(_make_tar, input_directory_path, output_file_path)
    return {"output_path": output_file_path}


@op(
    name="extract_tar_archive",
    inputs={"input_file_path": TAR_FILE, "output_directory_path": DIRECTORY},
    outputs={"output_path": OUTPUT_DIRECTORY_PATH},
)
async def extract_tar_archive(input_file_path: str, output_directory_path: str) -> dict[str, str]:
    """Take a tar file apart in a directory, and return its path. Raises `InvalidInput` (UnsafeArchive)."""
    await asyncio.to_thread(_extract_tar, input_file_path, output_directory_path)
    return {"output_path": output_directory_path}
