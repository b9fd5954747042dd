"""Archives are unpacked as far as they are worth reading, and refused as soon as they break a rule."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from shouldi.archives import ArchiveRefused, Limits, Unpacked, unpack

from tests.examples.shouldi.support import PLAIN_SOURCE, make_sdist, make_tar, make_wheel, make_zip, member

SMALL = Limits(archive_bytes=1_000_000, total_bytes=100_000, members=50, ratio=20)


def unpacked(archive: Path, limits: Limits | None = None) -> tuple[Unpacked, Path]:
    into = archive.parent / "tree"
    into.mkdir()
    return unpack(archive, into, limits), into


def refused(archive: Path, why: str, limits: Limits | None = None) -> None:
    """Assert that the archive is refused for this reason, and that nothing exists outside of the target."""
    before = {path for path in archive.parent.rglob("*") if path.is_file()}
    with pytest.raises(ArchiveRefused, match=why):
        unpacked(archive, limits)
    into = archive.parent / "tree"
    after = {path for path in archive.parent.rglob("*") if not path.is_relative_to(into)}
    assert {path for path in after if path.is_file()} == before
    assert not any(path.is_symlink() for path in into.rglob("*"))


def test_a_wheel_gives_its_sources_and_metadata_and_counts_the_rest(tmp_path: Path) -> None:
    sources: dict[str, str | bytes] = {
        "a/__init__.py": PLAIN_SOURCE,
        "a/x.so": b"\x7fELF",
        "a/y.pyc": b"0",
        "a.pth": "import a",
        "a/z.png": b"0",
    }
    found, into = unpacked(make_wheel(tmp_path, "a", "1.0", sources))
    assert found.files == [
        "a-1.0.dist-info/METADATA",
        "a-1.0.dist-info/RECORD",
        "a-1.0.dist-info/WHEEL",
        "a/__init__.py",
    ]
    assert (into / "a/__init__.py").read_text() == PLAIN_SOURCE
    assert dict(found.unseen) == {"native": 1, "pyc": 1, "pth": 1, "other": 1}
    assert stat.S_IMODE((into / "a/__init__.py").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_files_of_each_compression_are_read(tmp_path: Path, mode: str) -> None:
    body = PLAIN_SOURCE.encode()
    archive = make_tar(tmp_path / "a.tar", [(member("a", tarfile.DIRTYPE), b""), (member("a/b.py"), body)], mode)
    found, into = unpacked(archive)
    assert found.files == ["a/b.py"]
    assert (into / "a/b.py").read_bytes() == body


def test_an_sdist_is_read_without_running_it(tmp_path: Path) -> None:
    found, _ = unpacked(make_sdist(tmp_path, "a", "1.0", {"a.py": PLAIN_SOURCE, "LICENSE.txt": "free"}))
    assert found.files == ["a-1.0/LICENSE.txt", "a-1.0/PKG-INFO", "a-1.0/a.py", "a-1.0/setup.py"]


def test_what_could_talk_to_the_tools_is_not_written(tmp_path: Path) -> None:
    found, _ = unpacked(make_zip(tmp_path / "a.zip", {".bandit": "[bandit]\nskips: B324\n", "setup.cfg": "[radon]\n"}))
    assert found.files == []
    assert found.unseen["other"] == 2


EVIL_NAMES = [
    "../evil.py",
    "a/../../evil.py",
    "a/..",
    "/evil.py",
    "//evil.py",
    "C:/evil.py",
    "C:evil.py",
    "..\\evil.py",
    "\\\\host\\evil.py",
    "a\nb.py",
    "\u2025/evil.py",
    "．．/evil.py",
    "a／evil.py",
    "＼evil.py",
    "a/" * 70 + "evil.py",
    "a" * 300 + ".py",
    "a/" + "b" * 1100,
]


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_that_lead_elsewhere_are_refused_in_zip_files(tmp_path: Path, name: str) -> None:
    refused(make_zip(tmp_path / "a.zip", {name: "x = 1"}), "member")


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_that_lead_elsewhere_are_refused_in_tar_files(tmp_path: Path, name: str) -> None:
    refused(make_tar(tmp_path / "a.tar.gz", [(member(name), b"x = 1")]), "member")


def test_a_zip_name_with_a_hidden_tail_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"aXb.py": "x = 1"})
    archive.write_bytes(archive.read_bytes().replace(b"aXb.py", b"a\0b.py"))
    refused(archive, "controls")


def zip_member(path: Path, name: str, mode: int, body: str) -> Path:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, body)
    return path


@pytest.mark.parametrize("goal", ["/etc/passwd", "../../outside", "C:\\x", "a/../../../x", "..\\..\\x"])
def test_links_that_leave_are_refused(tmp_path: Path, goal: str) -> None:
    refused(zip_member(tmp_path / "a.zip", "d/link.py", stat.S_IFLNK | 0o777, goal), "link")
    (tmp_path / "tree").rmdir()
    refused(make_tar(tmp_path / "s.tar.gz", [(member("d/link.py", tarfile.SYMTYPE, goal), b"")]), "link")
    (tmp_path / "tree").rmdir()
    refused(make_tar(tmp_path / "h.tar.gz", [(member("link.py", tarfile.LNKTYPE, f"{goal}"), b"")]), "link")


def test_a_link_with_an_endless_target_is_refused(tmp_path: Path) -> None:
    refused(zip_member(tmp_path / "a.zip", "link", stat.S_IFLNK | 0o777, "a" * 5000), "target of")


def test_a_file_behind_a_link_is_not_written_through_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    members = [(member("d", tarfile.SYMTYPE, "e"), b""), (member("d/x.py"), b"x = 1")]
    found, into = unpacked(make_tar(tmp_path / "a.tar.gz", members))
    assert not (into / "d").is_symlink()
    assert found.unseen["links"] == 1
    assert list(outside.iterdir()) == []


def test_links_that_stay_inside_are_counted_and_not_made(tmp_path: Path) -> None:
    members = [
        (member("a/x.py"), b"x = 1"),
        (member("a/y.py", tarfile.SYMTYPE, "../a/./x.py"), b""),
        (member("a/z.py", tarfile.LNKTYPE, "a/x.py"), b""),
    ]
    found, into = unpacked(make_tar(tmp_path / "a.tar.gz", members))
    assert found.files == ["a/x.py"]
    assert found.unseen["links"] == 2
    assert sorted(path.name for path in into.rglob("*")) == ["a", "x.py"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_in_tar_files_are_refused(tmp_path: Path, kind: bytes) -> None:
    refused(make_tar(tmp_path / "a.tar.gz", [(member("null", kind), b"")]), "device")


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_and_pipes_in_zip_files_are_refused(tmp_path: Path, kind: int) -> None:
    refused(zip_member(tmp_path / "a.zip", "null", kind | 0o666, ""), "device")


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    info = member("big.py")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999"}
    refused(make_tar(tmp_path / "a.tar.gz", [(info, b"0\n" + b"\0" * 510)]), "sparse")


def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    refused(make_zip(tmp_path / "a.zip", {"zero.bin": bytes(20_000_000)}), "times its own")
    (tmp_path / "tree").rmdir()
    refused(make_tar(tmp_path / "a.tar.gz", [(member("zero.bin"), bytes(20_000_000))]), "times its own")


def test_a_bomb_is_stopped_by_its_size(tmp_path: Path) -> None:
    refused(make_zip(tmp_path / "a.zip", {"a.py": b"#" * 100_001}), "larger than 100000", SMALL)


def test_a_bomb_in_a_tar_header_is_stopped(tmp_path: Path) -> None:
    info = member("a.py")
    info.pax_headers = {"comment": "x" * 200_000}
    refused(make_tar(tmp_path / "a.tar.gz", [(info, b"")]), "larger than 100000", SMALL)


def test_bytes_are_counted_as_they_come_not_as_they_are_claimed(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.py": b"#" * 200_000})
    data = bytearray(archive.read_bytes())
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 10)
    archive.write_bytes(bytes(data))
    refused(archive, "broken zip|larger than")


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    refused(make_zip(tmp_path / "a.zip", {f"{n}.py": "" for n in range(51)}), "more than 50 members", SMALL)
    (tmp_path / "tree").rmdir()
    members = [(member(f"{n}.py"), b"") for n in range(51)]
    refused(make_tar(tmp_path / "a.tar.gz", members), "more than 50 members", SMALL)


def test_a_directory_that_lies_about_its_members_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.py": ""})
    data = bytearray(archive.read_bytes())
    data[-10:-6] = struct.pack("<I", 60_000)
    archive.write_bytes(bytes(data))
    refused(archive, "more than 50 members", SMALL)


def test_a_zip64_file_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.py": ""})
    data = archive.read_bytes()
    archive.write_bytes(data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:])
    refused(archive, "zip64")


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "a.whl"
    file.write_bytes(b"PK" + bytes(1_000_000))
    refused(file, "the file has 1000002 bytes", SMALL)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.py", "good = 1")
        archive.writestr("a.py", "evil = 1")
    refused(tmp_path / "a.zip", "two members")


@pytest.mark.parametrize("names", [("ä.py", "a\u0308.py"), ("a.py", "./a.py"), ("a.py", "a//../a.py")])
def test_two_spellings_of_one_name_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    refused(make_zip(tmp_path / "a.zip", dict.fromkeys(names, "x = 1")), "two members|leads out")


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    refused(make_zip(tmp_path / "a.zip", {"a.py": "x = 1", "a.py/b.py": "x = 1"}), "collides")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.py": "x = 1"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 8] |= 1
    archive.write_bytes(bytes(data))
    refused(archive, "encrypted")


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.py": "x = 1"})
    data = bytearray(archive.read_bytes())
    entry = data.rfind(b"PK\x01\x02")
    data[8] = data[entry + 10] = 97
    archive.write_bytes(bytes(data))
    refused(archive, "unknown way")


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.py", "good = 1")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"good = 1", b"evil = 1"))
    refused(tmp_path / "a.zip", "CRC")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_truncated_archives_are_refused(tmp_path: Path, keep: float) -> None:
    wheel = make_wheel(tmp_path, "a", "1.0", {"a.py": PLAIN_SOURCE * 100})
    sdist = make_sdist(tmp_path, "a", "1.0", {"a.py": "".join(f"x{n} = {n * n}\n" for n in range(3000))})
    for archive in (wheel, sdist):
        data = archive.read_bytes()
        archive.write_bytes(data[: int(len(data) * keep)])
        refused(archive, "broken|cannot be read")
        for path in sorted((tmp_path / "tree").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (tmp_path / "tree").rmdir()


@pytest.mark.parametrize("body", [b"", b"hello", b"PK", b"PK\x03\x04rubbish", bytes(1024), b"\x1f\x8bgarbage", b"BZhx"])
def test_what_is_not_an_archive_is_refused(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "a.whl").write_bytes(body)
    refused(tmp_path / "a.whl", "zip|tar")


def test_an_xz_file_that_wants_much_memory_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar.xz", [(member("a.py"), b"x = 1")], "w:xz")
    data = bytearray(path.read_bytes())
    # The block header says the size of the dictionary in one byte: 35 asks for 512 MiB, 40 for 4 GiB.
    assert data[14:16] == b"\x21\x01"
    data[16] = 35
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path, "[Mm]emory")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_rubbish_is_refused(tmp_path: Path, pack: "type[object]") -> None:
    (tmp_path / "a.tar.gz").write_bytes(pack(b"no tar file " * 1000))  # type: ignore[call-arg,arg-type]
    refused(tmp_path / "a.tar.gz", "broken tar")


def test_a_tar_name_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(member("aXb.py"), io.BytesIO())
    data = stream.getvalue().replace(b"aXb.py", b"a\xffb.py")
    header = bytearray(data[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + data[512:])
    refused(tmp_path / "a.tar", "cannot be read|Unicode")
