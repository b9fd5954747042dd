"""radon really measures: average, the worst blocks with their ranks, and what it could not read."""

from pathlib import Path

import pytest
from shouldi import complexity

from tests.examples.shouldi.support import PLAIN_SOURCE


def branches(name: str, number: int) -> str:
    """A function of complexity `number`."""
    return f"def {name}(x):\n" + "".join(f"    if x == {n}:\n        return {n}\n" for n in range(number - 1))


def test_average_and_worst_blocks(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(branches("hard", 45) + branches("easy", 1).replace("\n", "\n    pass\n"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.py").write_text("class C:\n    def m(self, x):\n        return 1 if x else 2\n")
    found = complexity.measure(tmp_path)
    assert found["blocks"] == 4
    assert found["worst"][0] == {"name": "hard", "where": "a.py:1", "complexity": 45, "rank": "F"}
    assert [block["name"] for block in found["worst"][1:]] == ["C", "C.m"]
    assert found["average"] == round((45 + 1 + 2 + found["worst"][1]["complexity"]) / 4, 2)
    assert found["rank"] == "C"


def test_a_tree_without_blocks_has_no_average(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    found = complexity.measure(tmp_path)
    assert found == {"blocks": 0, "average": None, "rank": None, "worst": [], "unread": []}


@pytest.mark.parametrize(
    "body",
    [b"print 'x'\n", b"\xff\xfe", b"a\0b", b"# coding: nonsense\n", b"x = " + b"(" * 5000, b"-" * 100_000 + b"1"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "bad.py").write_bytes(body)
    (tmp_path / "good.py").write_text(PLAIN_SOURCE)
    found = complexity.measure(tmp_path)
    assert found["unread"] == ["bad.py"]
    assert found["blocks"] == 1


def test_a_file_that_is_too_large_is_named(tmp_path: Path) -> None:
    (tmp_path / "big.pyw").write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    assert complexity.measure(tmp_path)["unread"] == ["big.pyw"]


def test_what_the_compiler_would_warn_about_is_measured_quietly(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    return '\\S'\n")
    assert complexity.measure(tmp_path)["blocks"] == 1


def test_sources_in_other_encodings_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("# coding: latin-1\ndef ä():\n    pass\n".encode("latin-1"))
    assert complexity.measure(tmp_path)["worst"][0]["name"] == "ä"
