"""What the user writes is a name, a name with a version, a file or an installed distribution, and nothing else."""

from pathlib import Path

import pytest
from shouldi.names import BadRequest, Wanted, requirement, sort_out


@pytest.mark.parametrize(
    ("request_", "name", "version"),
    [
        ("colorama", "colorama", None),
        (" Typing_Extensions ", "typing-extensions", None),
        ("zope.interface==6.0", "zope-interface", "6.0"),
        ("a==1.0RC1", "a", "1.0rc1"),
    ],
)
def test_names_become_canonical(request_: str, name: str, version: str | None) -> None:
    assert sort_out(request_) == Wanted(name=name, version=version)


def test_an_installed_distribution_is_asked_for_with_a_prefix() -> None:
    assert sort_out("installed:Rich") == Wanted(name="rich", installed_only=True)


def test_a_path_is_a_file_that_exists(tmp_path: Path) -> None:
    file = tmp_path / "a-1-py3-none-any.whl"
    file.write_bytes(b"PK")
    assert sort_out(str(file)) == Wanted(archive=str(file.resolve()))


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "   ",
        "--index-url=x",
        "-r",
        "installed:--user",
        "colorama; python_version > '3'",
        "colorama[extra]",
        "colorama @ file:///etc/passwd",
        "git+https://host/x",
        "https://host/a-1-py3-none-any.whl",
        "colorama>=1",
        "colorama==1==2",
        "colorama==--pre",
        "colorama==*",
        "colorama ==",
        "col orama",
        "colorama\n--pre",
        "ｃolorama",
        "cоlorama",
        "colorama\u200b",
        "colorama.",
        "a" * 201,
        "a" * 5000,
        "./nothing",
        "nothing.whl",
        "a/\0b",
        "/",
        "/" + "a" * 3000,
    ],
)
def test_anything_else_is_refused_with_what_would_do(request_: str) -> None:
    with pytest.raises(BadRequest, match="Give a project's name"):
        sort_out(request_)


def test_a_requirement_is_a_name_or_a_name_with_its_version() -> None:
    assert requirement("a", None) == "a"
    assert requirement("a", "1.0") == "a==1.0"
