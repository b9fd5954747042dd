"""What is installed is found and copied by the rules of an archive, wherever its RECORD points."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shouldi.archives import ArchiveRefused, Limits
from shouldi.installed import NotInstalled, copy_installed, installed_version

from tests.examples.shouldi.support import PLAIN_SOURCE, metadata_text

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with these files into a site directory of its own; `record` adds lines to RECORD."""
    site = tmp_path / "site"

    def make(name: str, version: str, files: dict[str, str], *record: str) -> Path:
        info = f"{name}-{version}.dist-info"
        every = {**files, f"{info}/METADATA": metadata_text(name, version)}
        for path, body in every.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(body)
        lines = [*every, f"{info}/RECORD", *record]
        (site / info / "RECORD").write_text("".join(f"{line},,\n" for line in lines))
        return site

    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    return make


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_sources_and_metadata_are_copied(install: Install, into: Path) -> None:
    install("shouldi_thing", "1.0", {"thing/__init__.py": PLAIN_SOURCE, "thing/data.bin": "x", "thing.pth": "import x"})
    found = copy_installed("shouldi-thing", None, into)
    info = "shouldi_thing-1.0.dist-info"
    assert found.files == [f"{info}/METADATA", f"{info}/RECORD", "thing/__init__.py"]
    assert dict(found.unseen) == {"other": 1, "pth": 1}
    assert (into / "thing/__init__.py").read_text() == PLAIN_SOURCE
    assert installed_version("shouldi-thing") == "1.0"


def test_files_outside_of_the_site_are_only_counted(install: Install, into: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("secret = 1")
    site = install("shouldi_thing", "1.0", {"a.py": PLAIN_SOURCE}, "../outside.py", f"{tmp_path}/outside.py", "gone.py")
    (site / "link.py").symlink_to(tmp_path / "outside.py")
    record = site / "shouldi_thing-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "link.py,,\n__pycache__/a.cpython-311.pyc,,\n")
    found = copy_installed("shouldi-thing", None, into)
    assert found.unseen["other"] == 3
    assert [path.name for path in into.rglob("*.py")] == ["a.py"]


def test_what_is_not_installed_is_said(install: Install, into: Path) -> None:
    install("shouldi_thing", "1.0", {})
    with pytest.raises(NotInstalled, match="shouldi-nothing is not installed here"):
        copy_installed("shouldi-nothing", None, into)
    with pytest.raises(NotInstalled, match=r"installed here as 1\.0, not as 2\.0"):
        copy_installed("shouldi-thing", "2.0", into)


def test_the_limits_hold_for_installed_files_too(install: Install, into: Path) -> None:
    install("shouldi_thing", "1.0", {"a.py": "#" * 2000})
    with pytest.raises(ArchiveRefused, match="larger than 1000"):
        copy_installed("shouldi-thing", None, into, Limits(total_bytes=1000))


def test_a_real_distribution_is_copied(into: Path) -> None:
    found = copy_installed("packaging", None, into)
    assert "packaging/version.py" in found.files
