"""What a package says about itself is read in all its forms, and a package that contradicts itself is caught."""

from pathlib import Path
from typing import Any

import pytest
from shouldi import licences, metadata

from tests.examples.shouldi.support import metadata_text


def read(
    tmp_path: Path, text: str, place: str = "a-1.0.dist-info/METADATA", archive: str | None = None
) -> dict[str, Any]:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return metadata.read(tmp_path, [place], archive)


def test_all_that_is_said_is_read(tmp_path: Path) -> None:
    text = metadata_text(
        "A.Thing",
        "1.0",
        "Summary: Does\tthings",
        "License-Expression: mit or apache-2.0",
        "Requires-Python: >=3.8",
        "Classifier: Typing :: Typed",
        "Classifier: Development Status :: 7 - Inactive",
        "Requires-Dist: idna",
        "Requires-Dist: rich; extra == 'x'",
    )
    said = read(tmp_path, text)
    assert said == {
        "name": "a-thing",
        "version": "1.0",
        "licence": "MIT OR Apache-2.0",
        "licence_from": "expression",
        "licence_kind": "permissive",
        "requires_python": ">=3.8",
        "fits_python": True,
        "summary": "Does things",
        "inactive": True,
        "typed": True,
        "dependencies": 1,
        "mismatch": None,
    }


def test_what_is_not_said_is_unknown(tmp_path: Path) -> None:
    said = read(tmp_path, metadata_text("a", "1.0"))
    assert (said["licence"], said["licence_kind"], said["summary"]) == ("unknown", "unknown", "")
    assert (said["requires_python"], said["fits_python"], said["inactive"]) == (None, None, False)


@pytest.mark.parametrize(("wanted", "fits"), [("<3", False), ("!=2.*", True), ("about 3", None)])
def test_the_wanted_python_is_compared(tmp_path: Path, wanted: str, fits: bool | None) -> None:
    assert read(tmp_path, metadata_text("a", "1", f"Requires-Python: {wanted}"))["fits_python"] is fits


@pytest.mark.parametrize(
    ("archive", "place"),
    [
        (None, "a-1.0.dist-info/METADATA"),
        (None, "a.egg-info/PKG-INFO"),
        ("a-1.0-py3-none-any.whl", "a-1.0.dist-info/METADATA"),
        ("a-1.0.tar.gz", "a-1.0/PKG-INFO"),
        ("a-1.0.tar.gz", "PKG-INFO"),
    ],
)
def test_the_metadata_is_found_in_each_form(tmp_path: Path, archive: str | None, place: str) -> None:
    assert read(tmp_path, metadata_text("a", "1.0"), place, archive)["name"] == "a"


@pytest.mark.parametrize(
    "files", [[], ["a/b/METADATA"], ["a-1.dist-info/METADATA", "b-1.dist-info/METADATA"], ["x/a-1.dist-info/METADATA"]]
)
def test_a_wheel_has_its_metadata_in_one_place(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(metadata.NoMetadata, match="where one is expected"):
        metadata.read(tmp_path, files, "a-1-py3-none-any.whl")


@pytest.mark.parametrize(
    ("archive", "text"),
    [
        ("b-1.0-py3-none-any.whl", "named after b 1.0, but says it is a 1.0"),
        ("a-1.1-py3-none-any.whl", "named after a 1.1, but says it is a 1.0"),
        ("nonsense.whl", "not one of a wheel"),
        ("nonsense.tar.gz", "not one of a wheel or an sdist"),
    ],
)
def test_a_file_name_that_says_something_else_is_caught(tmp_path: Path, archive: str, text: str) -> None:
    place = "a-1.0.dist-info/METADATA" if archive.endswith(".whl") else "PKG-INFO"
    assert text in read(tmp_path, metadata_text("a", "1.0"), place, archive)["mismatch"]


@pytest.mark.parametrize(
    "text", ["", "\0", "Name: a\n", metadata_text("a", "one"), metadata_text("--pre", "1"), "<html>"]
)
def test_metadata_without_name_or_version_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(metadata.NoMetadata, match="valid"):
        read(tmp_path, text)


def test_metadata_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(metadata.NoMetadata, match="larger than"):
        read(tmp_path, "Summary: " + "x" * 1024 * 1024)


def test_metadata_with_endless_fields_are_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(metadata.NoMetadata, match="more than 200 different fields"):
        read(tmp_path, metadata_text("a", "1", *(f"X{n}: y" for n in range(200))))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_description_is_not_parsed(tmp_path: Path, newline: str) -> None:
    part = "Content-Type: multipart/mixed; boundary={0}\n\n--{0}\n"
    text = "Name: a\nVersion: 1\n" + "".join(part.format(f"b{n}") for n in range(30_000))
    assert read(tmp_path, text.replace("\n", newline))["version"] == "1"


def test_a_summary_can_not_reach_the_terminal(tmp_path: Path) -> None:
    said = read(tmp_path, metadata_text("a", "1", "Summary: red \x1b[31m alert\u202e" + "x" * 500))
    assert said["summary"].startswith("red [31m alert x")
    assert len(said["summary"]) == 200


OSI = "License :: OSI Approved :: "


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "licence"),
    [
        ("MIT", "GPL", [], ("MIT", "expression")),
        (None, "MIT License", [], ("MIT", "text")),
        (None, "The MIT License", [], ("MIT", "text")),
        (None, "BSD-3-Clause", [], ("BSD-3-Clause", "text")),
        (None, "BSD", [], ("LicenseRef-BSD", "text")),
        (None, "Apache License, Version 2.0", [], ("Apache-2.0", "text")),
        ("nonsense here", None, [f"{OSI}MIT License"], ("MIT", "classifier")),
        (None, "Copyright (c) me. " * 40, [f"{OSI}ISC License (ISCL)"], ("ISC", "classifier")),
        (None, None, [f"{OSI}MIT License", f"{OSI}Apache Software License"], ("Apache-2.0 AND MIT", "classifier")),
        (None, None, [f"{OSI}MIT License", f"{OSI}Some New License"], ("unknown", "unknown")),
        (None, "see LICENSE", ["License :: OSI Approved"], ("unknown", "unknown")),
        (None, None, [], ("unknown", "unknown")),
    ],
)
def test_licences(expression: str | None, text: str | None, classifiers: list[str], licence: tuple[str, str]) -> None:
    assert licences.identify(expression, text, classifiers) == licence


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", licences.PERMISSIVE),
        ("MPL-2.0", licences.WEAK),
        ("GPL-3.0-only", licences.STRONG),
        ("LGPL-3.0-or-later", licences.WEAK),
        ("AGPL-3.0-only", licences.STRONG),
        ("MIT OR GPL-2.0-only", licences.PERMISSIVE),
        ("MIT AND GPL-2.0-only", licences.STRONG),
        ("MIT AND (GPL-2.0-only OR LGPL-3.0-only)", licences.WEAK),
        ("GPL-2.0-only WITH Classpath-exception-2.0", licences.STRONG),
        ("unknown", licences.UNKNOWN),
    ],
)
def test_kinds_of_licences(licence: str, kind: str) -> None:
    assert licences.kind(licence) == kind
