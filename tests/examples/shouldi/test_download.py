"""Files come from the index with pip (wheels) or straight with their hash checked (sdists), and nothing is built."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from shouldi import download
from shouldi.index import IndexUnavailable, find_index

from tests.examples.shouldi.support import PLAIN_SOURCE, SIMPLE, LocalIndex, make_sdist, make_wheel


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


async def test_pip_fetches_the_newest_wheel(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(*(make_wheel(tmp_path, "thing", at, {"thing.py": PLAIN_SOURCE}) for at in ("1.0", "1.10")))
    assert await download.download_wheel("thing", None, into) == into / "thing-1.10-py3-none-any.whl"


async def test_pip_fetches_the_wanted_version(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(*(make_wheel(tmp_path, "thing", at, {"thing.py": PLAIN_SOURCE}) for at in ("1.0", "1.10")))
    assert await download.download_wheel("thing", "1.0", into) == into / "thing-1.0-py3-none-any.whl"


async def test_a_wheel_for_another_system_is_no_wheel(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {}, tag="cp27-cp27m-win32"))
    with pytest.raises(download.NoWheel, match="no wheel of thing"):
        await download.download_wheel("thing", None, into)


async def test_an_sdist_is_not_built_to_learn_its_name(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(make_sdist(tmp_path, "thing", "1.0", {"thing.py": PLAIN_SOURCE}))
    with pytest.raises(download.NoWheel):
        await download.download_wheel("thing", None, into)
    assert "/files/thing-1.0.tar.gz" not in local_index.asked


async def test_a_failing_index_is_worth_another_try(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {}))
    local_index.pages["/files/thing-1.0-py3-none-any.whl"] = (500, "text/plain", b"")
    with pytest.raises(download.DownloadFailed, match="could not fetch thing"):
        await download.download_wheel("thing", None, into)


async def test_a_file_with_another_hash_is_not_taken(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {}))
    local_index.pages["/files/thing-1.0-py3-none-any.whl"] = (200, "application/octet-stream", b"PK other")
    with pytest.raises(download.DownloadFailed):
        await download.download_wheel("thing", None, into)
    assert os.listdir(into) == []


def test_no_name_can_become_an_option_of_pip(tmp_path: Path) -> None:
    command = download.pip_command("--index-url=x", None, tmp_path)
    assert command[-2:] == ["--", "--index-url=x"]
    assert command[command.index("--only-binary") + 1] == ":all:"


def test_the_newest_sdist_is_taken_with_its_hash_checked(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(*(make_sdist(tmp_path, "thing", version, {}) for version in ("1.0", "1.10", "2.0rc1")))
    assert download.download_sdist(find_index(), "thing", None, into) == into / "thing-1.10.tar.gz"
    assert download.download_sdist(find_index(), "thing", "2.0rc1", into).name == "thing-2.0rc1.tar.gz"


def test_an_sdist_with_another_hash_is_not_taken(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(make_sdist(tmp_path, "thing", "1.0", {}))
    local_index.pages["/files/thing-1.0.tar.gz"] = (200, "application/gzip", b"other")
    with pytest.raises(IndexUnavailable, match="does not have the sha256"):
        download.download_sdist(find_index(), "thing", None, into)
    assert list(into.iterdir()) == []


def test_no_sdist_is_said(local_index: LocalIndex, tmp_path: Path, into: Path) -> None:
    local_index.add(make_wheel(tmp_path, "thing", "1.0", {}, tag="cp27-cp27m-win32"))
    with pytest.raises(download.NoSdist, match="neither a wheel for this Python nor an sdist of thing==1.0"):
        download.download_sdist(find_index(), "thing", "1.0", into)


def test_an_index_without_json_pages_gives_no_sdist(local_index: LocalIndex, into: Path) -> None:
    local_index.pages["/simple/thing/"] = (200, "text/html", b"<html></html>")
    with pytest.raises(download.NoSdist, match="HTML"):
        download.download_sdist(find_index(), "thing", None, into)


def entry(filename: str, **more: Any) -> dict[str, Any]:
    return {"filename": filename, "url": filename, "hashes": {"sha256": "0"}, **more}


@pytest.mark.parametrize(
    ("files", "version", "chosen"),
    [
        ([entry("a-1.tar.gz"), entry("a-2.tar.gz", yanked="broken")], None, "a-1.tar.gz"),
        ([entry("a-1.tar.gz"), entry("a-2.tar.gz", yanked="broken")], "2.0", "a-2.tar.gz"),
        ([entry("a-1rc1.tar.gz")], None, "a-1rc1.tar.gz"),
        ([entry("b-1.tar.gz"), entry("../a-1.tar.gz"), entry("x/a-1.tar.gz")], None, None),
        ([entry("a-1.tar.gz", hashes={}), entry("a-1.tar.gz", hashes=None), entry("a-1.tar.gz", url=1)], None, None),
        (
            [None, {}, {"filename": 3}, entry("a-x-y.tar.gz"), entry("a-1.rpm"), entry("a-1-py3-none-any.whl")],
            None,
            None,
        ),
        ([], None, None),
    ],
)
def test_the_page_is_read_with_distrust(files: list[Any], version: str | None, chosen: str | None) -> None:
    found = download.choose_sdist({"files": files}, "a", version)
    assert (found["filename"] if found else None) == chosen


def test_a_page_without_files_has_no_sdist(local_index: LocalIndex, into: Path) -> None:
    local_index.pages["/simple/thing/"] = (200, SIMPLE, json.dumps({"files": 3}).encode())
    with pytest.raises(download.NoSdist):
        download.download_sdist(find_index(), "thing", None, into)
