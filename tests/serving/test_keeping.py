"""A server keeps its data flows open, is heard over TLS, and hides its own mistakes."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.serving.operations import STARTED, flow, hold
from tests.serving.support import DEADLINE, channel, greeting, held, served, until
from tidemill.serving import background as background_module
from tidemill.serving.app import _Serving

OK = {"a": [{"value": "Ada", "definition": "name"}]}
GREETED = {"a": {"greeting": "Hello, Ada!"}}


async def test_a_data_flow_whose_engine_has_broken_down_is_opened_again() -> None:
    async with held("h"), served(channel("/hold", flow(hold, get="held")), greeting()) as client:
        waiting = asyncio.create_task(client.post("/hold?name=h"))
        async with asyncio.timeout(DEADLINE):
            await STARTED["h"].wait()
        client.server.service.flows[0].ready().crashed(RuntimeError("broken on purpose"))
        reply = await waiting
        assert (reply.status, reply.json["reason"]) == (503, "NotReady")
        assert (await client.post("/greet", OK)).json == GREETED, "the other data flow has nothing to do with it"

        async def ready() -> bool:
            return (await client.get("/readyz")).status == 200 and (await client.get("/hold?nme=x")).status == 400

        await until(ready)
        STARTED["h"].clear()
        again = asyncio.create_task(client.post("/hold?name=h"))
        async with asyncio.timeout(DEADLINE):
            await STARTED["h"].wait()
        again.cancel()


async def test_a_mistake_of_the_server_is_for_its_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(_Serving, "_asked", broken)
    async with served(greeting()) as client:
        reply = await client.post("/greet", OK)
        assert (reply.status, reply.json["reason"]) == (500, "Internal")
        assert b"secret" not in reply.body
        assert "ZeroDivisionError: secret" in caplog.text


async def test_failures_are_logged_with_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tidemill.serving")
    async with served(greeting()) as client:
        await client.post("/greet", {"a": [{"value": "nobody", "definition": "name"}]})
    assert "there is nobody to greet" in caplog.text
    assert "Traceback" in caplog.text
    assert "\n" not in caplog.records[-1].getMessage()


async def test_results_in_memory_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_module, "KEPT", 2)
    async with served(greeting(asynchronous=True)) as client:
        ids = []
        for _ in range(3):
            ids.append((await client.post("/greet", OK)).json["contexts"]["a"])
            assert (await client.get(f"/contexts/{ids[-1]}?wait=60")).status == 200
        assert [(await client.get(f"/contexts/{ident}")).status for ident in ids] == [404, 200, 200]


async def test_who_waits_for_what_is_given_up_is_told() -> None:
    async with held("h"), served(channel("/", flow(hold, get="held"), asynchronous=True)) as client:
        ident = (await client.post("/?name=h")).json["contexts"]["request"]
        async with asyncio.timeout(DEADLINE):
            await STARTED["h"].wait()
        waiting = asyncio.create_task(client.get(f"/contexts/{ident}?wait=60"))

        async def waits() -> bool:
            return client.server.service.active == 1

        await until(waits)
        await client.server.service.flows[0].settled()
        assert (await waiting).json["reason"] == "RunGone"


async def test_it_is_heard_over_tls(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes a certificate for this test, is not in PATH")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=IP:127.0.0.1", "-out", cert, "-keyout", key)  # fmt: skip
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=DEADLINE)
    async with served(greeting(), cert=str(cert), key=str(key)) as client:
        client.url = client.url.replace("http:", "https:")
        context = ssl.create_default_context(cafile=str(cert))
        assert (await client.post("/greet", OK, ssl=context)).json == GREETED
