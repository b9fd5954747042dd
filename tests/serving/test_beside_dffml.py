"""The server beside DFFML's own service, over the same folder; skipped where that is not installed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from benchmarks.peer import works
from tests.cli.dataflow.conftest import GOLDEN, HERE
from tests.dffml_peer import VARIABLE, peer_python
from tests.serving.support import DEADLINE, served
from tidemill.serving.directory import channels_in

MAIN = "import sys; from dffml.cli.cli import CLI; CLI.main(argv=['dffml', *sys.argv[1:]])"
CHANNELS = {
    "whole": {"path": "/whole"},
    "text": {"path": "/text", "input_mode": "text:URL"},
    "value": {"path": "/value", "input_mode": "json:URL"},
    "at_once": {"path": "/at_once", "immediate_response": {"status": 202, "content_type": "application/json",
        "data": {"text": "ok"}, "headers": {"X-Mine": "1"}}},
}  # fmt: skip
BODY = {"http://a": [{"value": "http://a", "definition": "URL"}], "two": [{"value": "http://b", "definition": "URL"},
    {"value": 3, "definition": "limit"}]}  # fmt: skip
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/whole", {"json": BODY}),
    ("/text", {"data": "http://a"}),
    ("/value", {"json": "http://a"}),
    ("/at_once", {"json": BODY}),
]


@contextlib.asynccontextmanager
async def peer(folder: Path) -> AsyncIterator[str]:
    """The service of DFFML over a folder."""
    python = peer_python()
    if not works(python, "import dffml_service_http"):
        pytest.skip(f"dffml-service-http is not installed where DFFML is; {VARIABLE} names a Python that has it")
    arguments = ("service", "http", "server", "-insecure", "-mc-atomic", "-mc-config", ".", "-port", "0",
        "-portfile", "port")  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": "."}
    process = await asyncio.create_subprocess_exec(
        python, "-c", MAIN, *arguments, cwd=folder, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                if (folder / "port").exists() and (folder / "port").read_text():
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{(folder / 'port').read_text()}"
    finally:
        process.kill()
        await process.wait()


def prepared(folder: Path) -> None:
    """Have a folder be one that both can serve, with operations for DFFML."""
    dataflow = json.loads((GOLDEN / "plain.json").read_text())
    dataflow["seed"] = [{"definition": dataflow["operations"]["get_multi"]["inputs"]["spec"], "value": ["size"]}]
    for name, said in CHANNELS.items():
        for part, data in (("mc/http", said), ("df", dataflow)):
            (folder / part).mkdir(parents=True, exist_ok=True)
            (folder / part / f"{name}.json").write_text(json.dumps(data))
    (folder / "override").mkdir()
    code = (HERE / "flows" / "myops.py").read_text()
    (folder / "myops.py").write_text(code.replace("from tidemill import", "from dffml import"))


async def test_both_answer_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path)
    monkeypatch.syspath_prepend(str(HERE / "flows"))
    async with peer(tmp_path) as url, served(*channels_in(tmp_path)) as client, aiohttp.ClientSession() as session:
        for path, more in REQUESTS:
            ours = await client.ask("POST", path, **more)
            async with session.post(f"{url}{path}", **more) as theirs:
                body = await theirs.read()
                assert (ours.status, ours.headers.get("X-Mine")) == (theirs.status, theirs.headers.get("X-Mine")), path
                assert theirs.content_type == "application/json"
            assert ours.json == json.loads(body), path
