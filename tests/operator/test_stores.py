"""Operator and workers over stores that others run: with TLS and users of their own, and behind a sentinel."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.redis.servers import Server, eventually, free_port
from tests.backends.redis.stores import program_of
from tests.charts.rendering import named, objects
from tests.operator.stage import Stage, stage
from tests.operator.words import dataflow


async def _runs(one: Stage, **settings: str) -> None:
    """Run a data flow from an object to its results."""
    one.start(**settings)
    one.work()
    one.apply(dataflow(one.namespace, inputs={"one": ["tide"], "two": ["sluice"]}))
    await one.ended()
    assert one.results() == {"words.one": {"length": [4]}, "words.two": {"length": [6]}}


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[str]:
    """The address of a server with the certificate and the users that the chart makes, and what checks it."""
    folder, port = tmp_path / "server", free_port()
    folder.mkdir()
    said = named(objects("tls"), "Secret", "tidemill-store-tls")["data"]
    for name, text in said.items():
        (folder / name).write_bytes(base64.b64decode(text))
    files = {"tls_cert_file": folder / "tls.crt", "tls_key_file": folder / "tls.key", "tls_auth_clients": "no"}
    server = Server(folder, kind="redis", tls_port=port, appendonly="no", **files)
    try:
        server.spawn()
        assert server.process is not None
        process = server.process
        eventually(lambda: process.poll() is not None or server.ask("ping"), "the server answers")
        if process.poll() is not None and "Bad directive" in server.log():
            pytest.skip("NOT TESTED: the server here knows no TLS")
        users = named(objects("tls"), "ConfigMap", "tidemill-store")["data"]["users"]
        for line in users.splitlines():
            name, _, *rules = line.replace("tm-release-namespace", "tm-*").split()
            server.ask("execute_command", "ACL", "SETUSER", name.partition("-")[0], "on", ">secret", *rules)
        yield f"127.0.0.1:{port}/0?ssl_ca_certs={folder / 'ca.crt'}"
    finally:
        server.kill()


async def test_a_store_with_tls_and_a_user_for_each(encrypted: str, tmp_path: Path) -> None:
    async with stage(f"rediss://{encrypted}", tmp_path) as one:
        one.workers.url = f"rediss://worker:secret@{encrypted}"
        await _runs(one, store=f"rediss://operator:secret@{encrypted}")


async def test_a_certificate_that_nobody_vouches_for_is_said(encrypted: str, tmp_path: Path) -> None:
    async with stage(f"rediss://{encrypted}", tmp_path) as one:
        one.start(timeout=1, store=f"rediss://operator:secret@{encrypted.partition('?')[0]}")
        one.apply(dataflow(one.namespace, inputs={"one": ["tide"]}))
        await one.until(lambda: one.reason("Progressing") == "StoreUnavailable", "it says that it does not get there")
        assert "certificate" in one.message("Progressing").lower()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that a sentinel watches."""
    with Server(tmp_path / "primary", appendonly="no") as primary:
        at, settings = free_port(), tmp_path / "sentinel.conf"
        said = f"sentinel monitor main 127.0.0.1 {primary.port} 1\n"
        settings.write_text(f"port {at}\nbind 127.0.0.1\n{said}", encoding="utf-8")
        command = [program_of("valkey"), str(settings), "--sentinel"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sentinel:
            try:
                yield f"redis+sentinel://127.0.0.1:{at}/main"
            finally:
                sentinel.kill()


async def test_a_store_behind_a_sentinel(watched: str, tmp_path: Path) -> None:
    async with stage(watched, tmp_path) as one:
        await _runs(one)
