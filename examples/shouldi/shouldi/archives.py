"""Unpack a wheel or an sdist safely: the door to `archive_rules`, `archive_zip` and `archive_tar`.

`operations` calls `unpack` for files that were given and for files that were downloaded alike.
"""

from pathlib import Path

from shouldi.archive_rules import ArchiveRefused, Limits, Target, Unpacked
from shouldi.archive_tar import unpack_tar
from shouldi.archive_zip import unpack_zip

__all__ = ["ArchiveRefused", "Limits", "Unpacked", "unpack"]


def unpack(archive: Path, into: Path, limits: Limits | None = None) -> Unpacked:
    """Unpack a zip or tar file below the empty directory `into`; raise `ArchiveRefused` if unsafe.

    The format is told by the first bytes, not by the name. After a refusal `into` may hold a part
    of the files: they are plain files inside it, and nobody should read them.
    """
    limits = limits or Limits()
    size = archive.stat().st_size
    if size > limits.archive_bytes:
        raise ArchiveRefused(f"the file has {size} bytes, more than {limits.archive_bytes}")
    target = Target(into, limits, size)
    with archive.open("rb") as stream:
        head = stream.read(512)
        stream.seek(0)
        if head.startswith(b"PK"):
            unpack_zip(stream, target)
        else:
            unpack_tar(stream, head, target)
    target.result.files.sort()
    return target.result
