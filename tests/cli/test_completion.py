"""`completion` prints what the shells need, and the program answers what they then ask."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str, cli: Callable[..., Any]) -> None:
    result = cli("completion", shell)
    assert (result.code, result.err) == (0, "")
    assert f"_TIDEMILL_COMPLETE={shell}_complete" in result.out


def test_bash_understands_its_script_and_completes_with_it(
    process: Callable[..., Any], cli: Callable[..., Any]
) -> None:
    script = cli("completion", "bash").out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    asked = {"_TIDEMILL_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert process(COMP_WORDS="tidemill va", **asked).out == "plain,validate\n"
    options = process(COMP_WORDS="tidemill run --max", **{**asked, "COMP_CWORD": "2"}).out
    assert options == "plain,--max-contexts\n"
