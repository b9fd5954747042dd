"""What the README shows is run: its files are written down, its commands typed, and what they print is compared."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(*languages: str) -> list[str]:
    """The fenced blocks of these languages, without their fences."""
    return [text for language in languages for text in re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)]


def typed() -> list[tuple[str, str]]:
    """Each command after a ``$``, with what the README says that it prints."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


def test_the_examples_print_what_the_readme_says(tmp_path: Path) -> None:
    for text in blocks("python", "yaml"):
        [name] = re.findall(r"\A# (\S+)\n", text)
        (tmp_path / name).write_text(text, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    commands = typed()
    assert len(commands) >= 2
    for command, printed in commands:
        result = subprocess.run(
            command.split(),
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (result.returncode, result.stdout) == (0, printed), f"$ {command}\n{result.stderr}"


def test_the_examples_are_short() -> None:
    for text in blocks("python", "yaml"):
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) <= 12, f"{len(lines)} lines:\n{text}"
