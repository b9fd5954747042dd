"""Files are read within bounds, and a file that cannot be read says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.errors import InvalidDocument
from tidemill.formats.bounds import ReadLimits
from tidemill.formats.read import format_of, lines_of, parse_document, read_document


def refused(path: Path | str, limits: ReadLimits | None = None) -> tuple[str, str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read_document(path, limits=limits or ReadLimits())
    return caught.value.reason, caught.value.path, caught.value.message


@pytest.mark.parametrize("name", ["f.json", "f.yaml", "f.yml", "f.YAML"])
def test_the_suffix_says_the_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text('{"a": [1]}')
    document = read_document(path)
    assert document.value == {"a": [1]}
    assert document.source == str(path)
    assert document.format == format_of(name)


@pytest.mark.parametrize(
    ("name", "said"), [("f.txt", 'the suffix ".txt" is none that is read'), ("f", "it has no suffix")]
)
def test_another_suffix_is_refused_before_the_file_is_opened(name: str, said: str, tmp_path: Path) -> None:
    reason, path, message = refused(tmp_path / name)
    assert (reason, path) == ("UnknownFormat", str(tmp_path / name))
    assert message.startswith(said)
    assert message.endswith("name the file .json, .yaml or .yml")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "f.yaml")
    assert refused(path) == ("FileNotFound", path, "there is no such file")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.mkdir()
    assert refused(path) == ("NotAFile", str(path), "this is a directory; name a file in it")


def test_a_path_that_no_file_can_have_says_so() -> None:
    reason, path, message = refused("a\0b.yaml")
    assert (reason, path) == ("FileUnreadable", "a\0b.yaml")
    assert message.startswith("it cannot be read: ")


def test_a_loop_of_links_says_so(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.symlink_to(path)
    assert refused(path)[0] == "FileUnreadable"


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text('"' + "x" * 100 + '"')
    assert refused(path, ReadLimits(size=101)) == (
        "TooLarge",
        str(path),
        "it is larger than 101 bytes; give large inputs as a file of JSON lines or CSV",
    )
    assert read_document(path, limits=ReadLimits(size=102)).value == "x" * 100


def test_the_usual_limit_is_16_mib(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    with path.open("wb") as file:
        file.truncate(16 * 1024 * 1024 + 1)
    assert refused(path)[2].startswith("it is larger than 16 MiB")


def test_a_device_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.symlink_to("/dev/zero")
    assert refused(path, ReadLimits(size=4096))[0] == "TooLarge"


def test_bytes_that_are_not_utf_8_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    assert refused(path) == (
        "InvalidUnicode",
        f"{path}:2",
        "byte 0xe9 at offset 11 is not UTF-8; save the file as UTF-8",
    )


def test_utf_16_is_refused_and_a_byte_order_mark_of_utf_8_is_not(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_bytes('{"a": 1}'.encode("utf-16"))
    assert refused(path)[:2] == ("InvalidUnicode", f"{path}:1")
    path.write_bytes('{"a": 1}'.encode("utf-8-sig"))
    assert read_document(path).value == {"a": 1}


def test_text_without_a_format_is_json_if_it_begins_with_a_brace() -> None:
    assert parse_document(b' {"a": 1}').format == "json"
    assert parse_document("a: 1").format == "yaml"


def test_a_missing_value_has_the_line_of_its_container() -> None:
    document = parse_document("a:\n  b:\n    c: 1\n", source="f.yaml")
    assert lines_of(document, ["/a/b/c", "/a/b/x/y", "/z"]) == {"/a/b/c": 3, "/a/b/x/y": 3, "/z": 1}
    document = parse_document('{"a":\n{"b": 1}}', source="f.json")
    assert lines_of(document, ["/a/b", "/a/x"]) == {"/a/b": 2, "/a/x": 2}
