"""What the documentation shows in Python is run, and what a page says that it prints is compared.

The Python blocks of a page are one program, in their order. What a block prints stands in the block of text after it; a
block without one prints nothing.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    path for path in sorted([ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]) if "```python" in path.read_text()
]
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$(?:\n\n^```text\n(?P<printed>.*?)^```$)?", re.M | re.S)
END = "\x1e"
"""What is printed after each block."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_the_examples_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == len(re.findall(r"^```python", text, re.M)), (
        "a block that does not end, or says more than python"
    )
    assert text.count("```text") == sum(block["printed"] is not None for block in blocks), "a text that nobody prints"
    program = tmp_path / "page.py"
    program.write_text(f'print("{END}", end="")\n'.join([*(block["code"] for block in blocks), ""]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    printed = done.stdout.split(END)[:-1]
    for block, said in zip(blocks, printed, strict=False):
        line = text.count("\n", 0, block.start()) + 1
        assert said == (block["printed"] or ""), f"{page.name}, line {line}"
    assert (done.returncode, len(printed)) == (0, len(blocks)), done.stderr


def test_the_page_of_the_rules_shows_every_rule() -> None:
    rules = re.split(r"^### \d+\. ", (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(rules) == 17
    assert [rule.splitlines()[0] for rule in rules if not BLOCK.search(rule) or "\n> " not in rule] == []
