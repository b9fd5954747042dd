"""Read tar files (sdists), plain or compressed, under the rules of `archive_rules`.

The tar file is read as a stream through a reader that counts what comes out of the decompressor,
so a bomb is stopped wherever it is: in a member, in a header, or between members.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

from shouldi.archive_rules import CHUNK, ArchiveRefused, Target

_USTAR = slice(257, 262)
# What the highest level of xz needs is half of it.
_XZ_MEMORY = 128 * 1024 * 1024


class _Counted:
    """A file object for `tarfile` that counts, and refuses, in the name of `target`."""

    def __init__(self, stream: IO[bytes], target: Target) -> None:
        self._stream = stream
        self._target = target

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (one chunk when negative), counted."""
        data = self._stream.read(min(size, 16 * CHUNK) if size >= 0 else CHUNK)
        self._target.count(len(data))
        return data


class _Xz:
    """Reads xz with bounded memory: the header of a file may ask for gigabytes, and `lzma.LZMAFile` would obey."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end; `EOFError` when the file is cut off."""
        while not self._decoder.eof:
            packed = self._stream.read(CHUNK) if self._decoder.needs_input else b""
            if not packed and self._decoder.needs_input:
                raise EOFError("the compressed file is cut off")
            if data := self._decoder.decompress(packed, max_length=size):
                return data
        return b""


def unpack_tar(stream: IO[bytes], head: bytes, target: Target) -> None:
    """Check and write every member of the tar file in `stream`; raise `ArchiveRefused` if unsafe.

    `head` is the beginning of the file, which tells how it is compressed.
    """
    counted = cast("IO[bytes]", _Counted(_decompressed(stream, head), target))
    try:
        with tarfile.open(fileobj=counted, mode="r|", errors="strict") as archive:
            for member in archive:
                _member(archive, member, target)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise ArchiveRefused(f"it is a broken tar file: {error}") from error
    except (ValueError, UnicodeError, OverflowError, RecursionError) as error:
        raise ArchiveRefused(f"it is a tar file that cannot be read: {error}") from error


def _decompressed(stream: IO[bytes], head: bytes) -> IO[bytes]:
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if head.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast("IO[bytes]", _Xz(stream))
    if head[_USTAR] == b"ustar":
        return stream
    raise ArchiveRefused("it is neither a zip nor a tar file")


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Target) -> None:
    path = target.admit(member.name + "/" if member.isdir() else member.name)
    if member.issym() or member.islnk():
        target.link(path, member.linkname, hard=member.islnk())
    elif member.issparse():
        raise ArchiveRefused(f"the member {member.name!r} is a sparse file")
    elif member.isreg():
        target.write(path, _chunks(archive, member))
    elif not member.isdir():
        raise ArchiveRefused(f"the member {member.name!r} is a device or a pipe")


def _chunks(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    body = archive.extractfile(member)
    if body is None:
        return
    with body:
        while chunk := body.read(CHUNK):
            yield chunk
