"""`version` says which tidemill and which Python this is."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any


def test_the_versions_are_printed(cli: Callable[..., Any]) -> None:
    result = cli("version")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"tidemill {version('tidemill')} (")
    assert platform.python_version() in result.out


def test_the_versions_are_printed_as_json(cli: Callable[..., Any]) -> None:
    found = json.loads(cli("version", "-o", "json").out)
    assert found["tidemill"] == version("tidemill")
    assert found["python"] == platform.python_version()
