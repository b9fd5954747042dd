"""Operations that compress a file and decompress it again: gzip, bzip2, xz.

A file is never in memory as a whole, and the event loop never waits for one: the work is done in a thread. How large a
decompressed file may become is for the file system to bound: decompress what you trust, or into a place with a quota.
"""

from __future__ import annotations

import asyncio
import bz2
import gzip
import lzma
import shutil
from types import ModuleType
from typing import Any

from tidemill.model.definition import Definition
from tidemill.runtime.decorator import op

__all__ = ["bz2_compress", "bz2_decompress", "gz_compress", "gz_decompress", "xz_compress", "xz_decompress"]


def _pack(source: str, target: str, module: ModuleType) -> None:
    with open(source, "rb") as read, module.open(target, "wb") as written:
        shutil.copyfileobj(read, written)


def _unpack(source: str, target: str, module: ModuleType) -> None:
    with module.open(source, "rb") as read, open(target, "wb") as written:
        shutil.copyfileobj(read, written)


def _file(kind: str, extension: str) -> Definition:
    return Definition(name=f"{kind}_{extension}_file_path", primitive="str")


def _compressing(extension: str, module: ModuleType) -> Any:
    @op(
        name=f"{extension}_compress",
        inputs={
            "input_file_path": _file("decompressed", extension),
            "output_file_path": _file("compressed", extension),
        },
        outputs={"output_path": _file("compressed_output", extension)},
    )
    async def compress(input_file_path: str, output_file_path: str) -> dict[str, Any]:
        """Compress a file into another, whose path is returned."""
        await asyncio.to_thread(_pack, input_file_path, output_file_path, module)
        return {"output_path": output_file_path}

    return compress


def _decompressing(extension: str, module: ModuleType) -> Any:
    @op(
        name=f"{extension}_decompress",
        inputs={
            "input_file_path": _file("compressed", extension),
            "output_file_path": _file("decompressed", extension),
        },
        outputs={"output_path": _file("decompressed_output", extension)},
    )
    async def decompress(input_file_path: str, output_file_path: str) -> dict[str, Any]:
        """Decompress a file into another, whose path is returned."""
        await asyncio.to_thread(_unpack, input_file_path, output_file_path, module)
        return {"output_path": output_file_path}

    return decompress


gz_compress, gz_decompress = _compressing("gz", gzip), _decompressing("gz", gzip)
bz2_compress, bz2_decompress = _compressing("bz2", bz2), _decompressing("bz2", bz2)
xz_compress, xz_decompress = _compressing("xz", lzma), _decompressing("xz", lzma)
