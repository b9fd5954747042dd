"""Operations that make archives, take them apart, compress and decompress files."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tidemill import DataFlow, Input, InvalidInput, noasync
from tidemill.df.archive import create_archive_dataflow
from tidemill.df.types import Definition
from tidemill.operation import archive, compression

PATH = Definition("path", "str")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with files in it."""
    folder = tmp_path / "tree"
    (folder / "below").mkdir(parents=True)
    (folder / "one.txt").write_text("one")
    (folder / "below" / "two.txt").write_text("two" * 1000)
    return folder


def files(folder: Path) -> dict[str, str]:
    """Return the files below a directory."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_an_archive_has_all_that_is_below_a_directory(kind: str, tree: Path, tmp_path: Path) -> None:
    made = str(tmp_path / f"made.{kind}")
    make, extract = getattr(archive, f"make_{kind}_archive"), getattr(archive, f"extract_{kind}_archive")
    assert await make(input_directory_path=str(tree), output_file_path=made) == {"output_path": made}
    there = tmp_path / "there"
    there.mkdir()
    assert await extract(input_file_path=made, output_directory_path=str(there)) == {"output_path": str(there)}
    assert files(there) == files(tree)


@pytest.mark.parametrize("kind", ["zip", "tar"])
async def test_an_archive_within_its_directory_is_not_put_into_itself(kind: str, tree: Path) -> None:
    made = tree / f"made.{kind}"
    await getattr(archive, f"make_{kind}_archive")(str(tree), str(made))
    opened: Any = zipfile.ZipFile(made) if kind == "zip" else tarfile.open(made)
    with opened:
        names = opened.namelist() if kind == "zip" else opened.getnames()
    assert sorted(name.rstrip("/") for name in names) == ["below", "below/two.txt", "one.txt"]


def member(name: str, **said: Any) -> tarfile.TarInfo:
    """Return a member of a tar file."""
    found = tarfile.TarInfo(name)
    for key, value in said.items():
        setattr(found, key, value)
    return found


ESCAPES = [
    member("../out.txt", size=1),
    member("/tmp/out.txt", size=1),
    member("a/../../out.txt", size=1),
    member("C:\\out.txt", size=1),
    member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    member("hard", type=tarfile.LNKTYPE, linkname="good.txt"),
    member("pipe", type=tarfile.FIFOTYPE),
]


@pytest.mark.parametrize("bad", ESCAPES, ids=lambda bad: bad.name)
async def test_a_tar_file_that_leads_out_of_the_directory_is_refused_as_a_whole(
    bad: tarfile.TarInfo, tmp_path: Path
) -> None:
    made, there = tmp_path / "bad.tar", tmp_path / "there"
    there.mkdir()
    with tarfile.open(made, "w") as tar:
        tar.addfile(member("good.txt", size=4), io.BytesIO(b"good"))
        tar.addfile(bad, io.BytesIO(b"x" * bad.size))
    with pytest.raises(InvalidInput, match="nothing of it was written") as caught:
        await archive.extract_tar_archive(str(made), str(there))
    assert caught.value.reason == "UnsafeArchive"
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "C:out.txt"])
async def test_a_zip_file_that_leads_out_of_the_directory_is_refused_as_a_whole(name: str, tmp_path: Path) -> None:
    made, there = tmp_path / "bad.zip", tmp_path / "there"
    there.mkdir()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("good.txt", "good")
        packed.writestr(name, "bad")
    with pytest.raises(InvalidInput, match="leads out of the directory"):
        await archive.extract_zip_archive(str(made), str(there))
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("extension", ["gz", "bz2", "xz"])
async def test_what_was_compressed_is_there_again(extension: str, tmp_path: Path) -> None:
    plain, packed, again = tmp_path / "plain", tmp_path / "packed", tmp_path / "again"
    plain.write_bytes(b"tide" * 10_000)
    compress = getattr(compression, f"{extension}_compress")
    decompress = getattr(compression, f"{extension}_decompress")
    assert await compress(str(plain), str(packed)) == {"output_path": str(packed)}
    assert packed.stat().st_size < 2000
    assert await decompress(input_file_path=str(packed), output_file_path=str(again)) == {"output_path": str(again)}
    assert again.read_bytes() == plain.read_bytes()
    assert compress.op.outputs["output_path"].name == f"compressed_output_{extension}_file_path"
    assert decompress.op.inputs["input_file_path"] == compress.op.inputs["output_file_path"]


def made_by(given: Path, made: Path) -> DataFlow:
    """Return the data flow from one path to the other."""
    return create_archive_dataflow(
        [Input(str(given), PATH, origin="input_path"), Input(str(made), PATH, origin="output_path")]
    )


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_two_paths_say_what_is_to_be_done(suffix: str, tree: Path, tmp_path: Path) -> None:
    made, there = tmp_path / f"made.{suffix}", tmp_path / "there"
    there.mkdir()
    assert [result for _, result in noasync.run(made_by(tree, made))] == [{}]
    assert [result for _, result in noasync.run(made_by(made, there))] == [{}]
    assert files(there) == files(tree)


def test_other_paths_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no directory and zip or tar file") as caught:
        made_by(tree, tmp_path / "made.rar")
    assert caught.value.reason == "UnknownArchive"
    with pytest.raises(InvalidInput):
        made_by(tree / "one.txt", tmp_path / "made.zip")
    with pytest.raises(InvalidInput):
        made_by(tree / "one.txt", tree)
