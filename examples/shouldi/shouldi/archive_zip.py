"""Read zip files (wheels, old sdists) under the rules of `archive_rules`."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from shouldi.archive_rules import CHUNK, ArchiveRefused, Target

_END = b"PK\x05\x06"
_END_SIZE = 22
_ZIP64_LOCATOR = b"PK\x06\x07"
_MAX_COMMENT = 0xFFFF
# An entry of the directory takes 46 bytes and its name; this allows generous extra fields.
_ENTRY_BYTES = 1024
# No wheel uses LZMA, whose headers can ask for gigabytes of memory.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_ENCRYPTED = 0x1


def unpack_zip(stream: IO[bytes], target: Target) -> None:
    """Check and write every member of the zip file in `stream`; raise `ArchiveRefused` if unsafe."""
    _check_directory(stream, target)
    try:
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                _member(archive, info, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise ArchiveRefused(f"it is a broken zip file: {error}") from error
    except (RuntimeError, ValueError, UnicodeError) as error:
        raise ArchiveRefused(f"it is a zip file that cannot be read: {error}") from error


def _check_directory(stream: IO[bytes], target: Target) -> None:
    """Bound the directory before `zipfile` reads all of it into memory."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_SIZE - _MAX_COMMENT))
    tail = stream.read()
    stream.seek(0)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_SIZE:
        raise ArchiveRefused("it is a broken zip file: its directory is missing or cut off")
    if _ZIP64_LOCATOR in tail:
        # Only needed past 4 GiB or 65,535 members, both far above the limits.
        raise ArchiveRefused("it is a zip64 file, which nothing of this size needs to be")
    members = int.from_bytes(tail[place + 10 : place + 12], "little")
    directory = int.from_bytes(tail[place + 12 : place + 16], "little")
    limit = target.limits.members
    if members > limit or directory > limit * _ENTRY_BYTES:
        raise ArchiveRefused(f"it has more than {limit} members")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Target) -> None:
    path = target.admit(info.orig_filename if "\0" in info.orig_filename else info.filename)
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveRefused(f"the member {info.filename!r} is encrypted")
    if info.compress_type not in _METHODS:
        raise ArchiveRefused(f"the member {info.filename!r} is packed in an unknown way")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        goal = b"".join(_chunks(archive, info, target, 4096))
        target.link(path, goal.decode("utf-8", "surrogateescape"), hard=False)
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveRefused(f"the member {info.filename!r} is a device, pipe or socket")
    elif not info.is_dir():
        target.write(path, _chunks(archive, info, target, None))


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Target, most: int | None) -> Iterator[bytes]:
    """The member's bytes as they really come out, counted before they are handed on."""
    given = 0
    with archive.open(info) as member:
        while chunk := member.read(CHUNK):
            given += len(chunk)
            if most is not None and given > most:
                raise ArchiveRefused(f"the link {info.filename!r} has a target of {given} bytes")
            target.count(len(chunk))
            yield chunk
