"""Lint, types and warnings are strict, each seen to refuse one small mistake in a file that would live in the core."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAD = '"""A module."""\n\n'
BRANCHES = "".join(f"    if x == {number}:\n        return {number}\n" for number in range(10))

REFUSED_BY_RUFF = {
    "F401": "import json\n",
    "I001": "import sys\nimport json\n\nprint_to = (sys, json)\n",
    "TID252": "from . import errors\n\nname = errors\n",
    "UP006": "from typing import List\n\nnames: List[str] = []\n",
    "B006": 'def add(x: int, to: list[int] = []) -> None:\n    """Add."""\n    to.append(x)\n',
    "ASYNC251": 'import time\n\n\nasync def wait() -> None:\n    """Wait."""\n    time.sleep(1)\n',
    "C901": f'def choose(x: int) -> int:\n    """Choose."""\n{BRANCHES}    return x\n',
    "PLR0915": 'def clear(x: list[int]) -> None:\n    """Clear."""\n' + "    x.clear()\n" * 51,
    "D103": "def undocumented() -> None:\n    pass\n",
    "D101": "class Undocumented:\n    pass\n",
    "E501": f'text = "{"x" * 120}"\n',
    "RUF100": "x = 1  # noqa: E501\n",
    "PGH004": "import json  # noqa\n",
    "T201": "print(1)\n",
    "RUF022": '__all__ = ["b", "a"]\na = b = 1\n',
}

REFUSED_BY_MYPY = {
    "no-untyped-def": "def untyped(x):\n    return x\n",
    "type-arg": "names: list = []\n",
    "no-any-return": "import json\n\n\ndef read(text: str) -> int:\n    return json.loads(text)\n",
    "unused-ignore": "x = 1  # type: ignore[assignment]\n",
    "unreachable": "def name(x: str) -> str:\n    if isinstance(x, int):\n        return str(x)\n    return x\n",
}


def ruff(text: str, name: str) -> str:
    """What ruff says about a file of that name and content."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename", name, "-"]
    result = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == (0 if result.stdout.startswith("All checks passed") else 1), result.stderr
    return result.stdout


@pytest.mark.parametrize("rule", REFUSED_BY_RUFF)
def test_lint_refuses(rule: str) -> None:
    said = ruff(HEAD + REFUSED_BY_RUFF[rule], "core/tidemill/example.py")
    assert f" {rule} " in said
    assert {line.split()[1] for line in said.splitlines() if line.startswith("core/")} - {rule} <= {"UP035"}


def test_complexity_is_allowed_up_to_ten() -> None:
    text = HEAD + REFUSED_BY_RUFF["C901"]
    assert "`choose` is too complex (11 > 10)" in ruff(text, "core/tidemill/example.py")
    nine = text.replace("    if x == 9:\n        return 9\n", "")
    assert ruff(nine, "core/tidemill/example.py").startswith("All checks passed")


def test_a_module_named_like_one_of_the_standard_library_is_refused() -> None:
    assert " A005 " in ruff(HEAD, "worker/signal.py")


@pytest.mark.parametrize("folder", ["core/tidemill", "worker/tidemill_worker", "tests", "tools"])
def test_a_module_without_docstring_is_refused_everywhere(folder: str) -> None:
    assert " D100 " in ruff("x = 1\n", f"{folder}/example.py")


def test_mypy_is_strict(tmp_path: Path) -> None:
    for code, text in REFUSED_BY_MYPY.items():
        (tmp_path / f"{code.replace('-', '_')}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", f"--config-file={ROOT / 'pyproject.toml'}", "--no-incremental", "."]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 1, result.stderr
    said = {
        line.split(":")[0]: line.rsplit("[", 1)[-1].rstrip("]") for line in result.stdout.splitlines() if "[" in line
    }
    assert said == {f"{code.replace('-', '_')}.py": code for code in REFUSED_BY_MYPY}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import warnings\n\ndef test_x():\n    warnings.warn('old', DeprecationWarning)\n", "DeprecationWarning: old"),
        ("import pytest\n\n@pytest.mark.sloww\ndef test_x():\n    pass\n", "'sloww' not found in `markers`"),
        ("import asyncio\n\nasync def test_x():\n    asyncio.sleep(0)\n", "was never awaited"),
    ],
)
def test_pytest_turns_warnings_and_unknown_marks_into_failures(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "test_it.py").write_text(text, encoding="utf-8")
    config = [f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={tmp_path}", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *config, str(tmp_path)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode != 0
    assert said in result.stdout + result.stderr
