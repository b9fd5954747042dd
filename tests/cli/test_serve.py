"""``tidemill serve``: a process that serves until it is told to end, and then ends in good order."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import DEADLINE, FLOWS


def port_of(file: Path, process: subprocess.Popen[str]) -> int:
    """Wait until the port is written down."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return int(text)
        assert process.poll() is None, process.stderr.read() if process.stderr is not None else ""
        time.sleep(0.01)
    raise AssertionError("it does not listen")


def posted(url: str, data: Any, **headers: str) -> tuple[int, Any]:
    body = json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


ADA = {"a": [{"value": "Ada", "definition": "name"}]}
GREETED = {"a": {"greeting": ["Hello, Ada!"]}}


@pytest.mark.parametrize("backend", ["memory", "embedded"])
def test_a_data_flow_is_served_until_sigterm(backend: str, background: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "port"
    arguments = ("--port", "0", "--portfile", str(file), "--path", "/greet", "--backend", backend)
    process = background("serve", "flow.yaml", *arguments)
    port = port_of(file, process)
    assert posted(f"http://127.0.0.1:{port}/greet", ADA) == (200, GREETED)
    status, said = posted(f"http://127.0.0.1:{port}/greet", ADA, Prefer="respond-async")
    assert status == 202
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/contexts/{said['contexts']['a']}?wait=60") as response:
        assert json.loads(response.read())["result"] == GREETED["a"]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, err
    assert f"serving flow.yaml at http://127.0.0.1:{port}/greet" in err
    assert "Traceback" not in err


def test_a_folder_of_dffml_is_served_with_its_words(background: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("mc/http", "df"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "mc" / "http" / "greet.yaml").write_text("path: /greet\noutput_mode: json\n")
    shutil.copy(FLOWS / "flow.yaml", tmp_path / "df" / "greet.yaml")
    shutil.copytree(FLOWS / "package", tmp_path / "package")
    file = tmp_path / "port"
    arguments = (
        "-insecure",
        "-mc-atomic",
        "-mc-config",
        ".",
        "-port",
        "0",
        "-portfile",
        str(file),
        "-addr",
        "127.0.0.1",
    )
    process = background("serve", *arguments, cwd=tmp_path)
    assert posted(f"http://127.0.0.1:{port_of(file, process)}/greet", ADA) == (200, GREETED)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Serve either FLOW, or --mc-config FOLDER"),
        (["flow.yaml", "--mc-config", "."], 2, "Serve either FLOW"),
        (["--mc-config", ".", "--path", "/x"], 2, "the files in mc/http"),
        (["--mc-config", "."], 3, "NoChannels"),
        (["flow.yaml", "--cert", "flow.yaml"], 2, "--cert and --key go together"),
        (["flow.yaml", "--workers", "0"], 2, "there is none"),
        (["flow.yaml", "--path", "x"], 3, "InvalidPath at flow.yaml"),
        (["flow.yaml", "--input-mode", "text:nme"], 3, 'did you mean "name"'),
        (["absent.yaml"], 3, "FileNotFound"),
        (["flow.yaml", "--backend", "redis://127.0.0.1:1"], 1, "StoreUnavailable"),
        (["flow.yaml", "--host", "203.0.113.1"], 1, "OperatingSystem"),
    ],
)
def test_what_cannot_be_served_is_said(arguments: list[str], code: int, said: str, cli: Callable[..., Any]) -> None:
    result = cli("serve", "--port", "0", *arguments, cwd=FLOWS)
    assert result.code == code, result.err
    assert said in " ".join(result.err.split())
