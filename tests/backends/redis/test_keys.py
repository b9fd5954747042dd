"""The page about the store is what the code has: its keys, its functions, its commands."""

import re
from importlib import resources
from pathlib import Path

import pytest

from tests.backends.redis.leaks import LASTING
from tidemill.backends.redis.keys import FIELDS, KEYS
from tidemill.backends.redis.library import LAYOUT, assembled
from tools import redis_doc

FOLDER = Path(str(resources.files("tidemill.backends.redis")))
NAMES = {key.name for key in KEYS}


def made() -> set[str]:
    """Every kind of key that the library or the client makes."""
    lua = assembled()
    [listed] = re.findall(r"for _, name in ipairs\(\{ ([^}]*) \}\) do K\[name\]", lua)
    used = {name for name in re.findall(r"'(\w+)'", listed) if f"K.{name}" in lua}
    python = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    asked = re.findall(r"""(?:\.key|popped, |filled, |popped\(|filled\()\(?"(\w+)\"""", python)
    return used | set(re.findall(r"\bkey\('(\w+)'", lua)) | set(asked)


def test_every_kind_of_key_is_listed_and_every_listed_one_is_made() -> None:
    assert made() == NAMES
    assert len(KEYS) == len(NAMES)


def test_what_lasts_is_listed() -> None:
    assert set(LASTING) <= NAMES


def test_every_field_of_a_context_is_listed() -> None:
    written = set(re.findall(r"\bput\(c, '(\w)'", assembled())) | {"s"}
    listed = {letter for names, _ in FIELDS for letter in re.findall(r"(?:^|, )(\w)", names)}
    assert written <= listed


def test_every_function_says_what_it_takes() -> None:
    registered = re.findall(rf"'tidemill_{LAYOUT}_(\w+)'", assembled())
    assert list(redis_doc.verbs()) == registered


def test_the_page_is_up_to_date() -> None:
    assert redis_doc.PAGE.read_text("utf-8") == redis_doc.page(), "run `make docs`"


def test_the_tool_says_when_the_page_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redis_doc, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr("sys.argv", ["redis_doc"])
    assert redis_doc.main() == 0
    monkeypatch.setattr("sys.argv", ["redis_doc", "--check"])
    assert redis_doc.main() == 0
    (tmp_path / "page.md").write_text("old")
    assert redis_doc.main() == 1
    assert "make docs" in capsys.readouterr().err


async def test_what_is_measured_is_more_than_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_doc, "MANY", 20)
    figures = await redis_doc.measured()
    assert isinstance(figures["bytes"], dict)
    assert all(size > 0 for size in figures["bytes"].values())
