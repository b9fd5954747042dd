"""A data flow that makes an archive or takes one apart, whichever of the two paths ask for.

``create_archive_dataflow([Input("src", …, origin="input_path"), Input("src.tar.gz", …, origin="output_path")])``.
"""

from __future__ import annotations

import mimetypes
import tarfile
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tidemill.errors import InvalidInput
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input
from tidemill.operation.archive import extract_tar_archive, extract_zip_archive, make_tar_archive, make_zip_archive
from tidemill.operation.compression import (
    bz2_compress,
    bz2_decompress,
    gz_compress,
    gz_decompress,
    xz_compress,
    xz_decompress,
)

__all__ = ["create_archive_dataflow"]

_ARCHIVES: dict[str, Any] = {
    "zip": (make_zip_archive, extract_zip_archive),
    "tar": (make_tar_archive, extract_tar_archive),
}
_COMPRESSIONS: dict[str, Any] = {
    "gzip": (gz_compress, gz_decompress),
    "bzip2": (bz2_compress, bz2_decompress),
    "xz": (xz_compress, xz_decompress),
}
_FINAL = "seed.final_output"
"""The origin of the path of what the second of two operations makes."""


def create_archive_dataflow(seed: Iterable[Input]) -> DataFlow:
    """Return the data flow for two inputs of the origins ``input_path`` and ``output_path``.

    A directory becomes the archive that the other path names (zip, tar, tar.gz, tar.bz2, tar.xz); an archive is taken
    apart in the directory. Raises `InvalidInput` (UnknownArchive) for anything else.
    """
    paths = {item.origin: Path(str(item.value)) for item in seed}
    given, made = paths["input_path"], paths["output_path"]
    extracts = given.is_file() and made.is_dir()
    kind, compression = _found(given) if extracts else _named(made)
    if kind is None or not (extracts or given.is_dir()):
        said = f"{given} and {made} are no directory and zip or tar file (.gz, .bz2, .xz too)"
        raise InvalidInput(said, reason="UnknownArchive")
    archive = _ARCHIVES[kind][extracts]
    if compression is None:
        return DataFlow(archive, seed=[_path(archive, "input", given), _path(archive, "output", made)])
    other = _COMPRESSIONS[compression][extracts]
    first, second = (other, archive) if extracts else (archive, other)
    return _chained(first, second, given, made)


def _chained(first: Any, second: Any, given: Path, made: Path) -> DataFlow:
    between = given.parent / f"{uuid.uuid4()}.tar"
    dataflow = DataFlow(
        first,
        second,
        seed=[
            _path(first, "input", given),
            _path(first, "output", between),
            _path(second, "output", made, origin=_FINAL),
        ],
    )
    output = _parameter(second, "output")
    dataflow.flow[second.op.name] = InputFlow({"input_file_path": [{first.op.name: "output_path"}], output: [_FINAL]})
    dataflow.update()
    return dataflow


def _parameter(operation: Any, word: str) -> str:
    inputs: dict[str, Definition] = operation.op.inputs
    return next(name for name in inputs if word in name)


def _path(operation: Any, word: str, path: Path, origin: str = "seed") -> Input:
    return Input(str(path), operation.op.inputs[_parameter(operation, word)], origin=origin)


def _named(path: Path) -> tuple[str | None, str | None]:
    kind, compression = mimetypes.guess_type(path.name)
    return {"application/zip": "zip", "application/x-tar": "tar"}.get(str(kind)), compression


def _found(path: Path) -> tuple[str | None, str | None]:
    if zipfile.is_zipfile(path):
        return "zip", None
    return ("tar", mimetypes.guess_type(path.name)[1]) if tarfile.is_tarfile(path) else (None, None)
