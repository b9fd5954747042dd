"""The index is the one pip uses, and whatever it answers, the asker learns what happened and never waits for ever."""

import base64
import io
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from shouldi.index import Index, IndexUnavailable, NotOnIndex, fetch, find_index, project_page

from tests.examples.shouldi.support import SIMPLE, LocalIndex


def test_the_index_is_the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@index.invalid/root/simple/")
    found = find_index()
    assert found.simple_url == "https://user:secret@index.invalid/root/simple/"
    assert found.json_url == "https://user:secret@index.invalid/root/pypi"


def test_the_index_is_the_one_of_the_configuration_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://index.invalid/simple\ncert = /ca.pem\n")
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert find_index() == Index("https://index.invalid/simple", "/ca.pem")


def test_without_settings_it_is_the_default_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    code = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    default = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert find_index().simple_url == default


def test_pip_may_be_told_to_use_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(IndexUnavailable, match="no index"):
        find_index()


def test_a_python_without_pip_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    monkeypatch.setattr(sys, "executable", str(bare / "bin" / "python"))
    with pytest.raises(IndexUnavailable, match="pip is not installed here"):
        find_index()


def test_a_python_that_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(IndexUnavailable, match="cannot be asked"):
        find_index()


def test_a_page_is_read_as_json(local_index: LocalIndex) -> None:
    local_index.pages["/simple/a/"] = (200, SIMPLE, b'{"files": []}')
    assert project_page(find_index(), "a") == {"files": []}


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><a href='x'>x</a>", b"[]", b"\xff"])
def test_a_page_in_another_form_still_says_that_the_project_exists(local_index: LocalIndex, body: bytes) -> None:
    local_index.pages["/simple/a/"] = (200, "text/html", body)
    assert project_page(find_index(), "a") is None


def test_404_is_an_answer(local_index: LocalIndex) -> None:
    with pytest.raises(NotOnIndex, match="answered 404"):
        project_page(find_index(), "a")


@pytest.mark.parametrize("code", [403, 500, 503])
def test_other_codes_are_no_answer(local_index: LocalIndex, code: int) -> None:
    local_index.pages["/simple/a/"] = (code, "text/plain", b"")
    with pytest.raises(IndexUnavailable, match=f"answered {code}") as caught:
        project_page(find_index(), "a")
    assert not isinstance(caught.value, NotOnIndex)


def test_a_closed_port_is_said() -> None:
    with pytest.raises(IndexUnavailable, match="cannot be reached"):
        project_page(Index("http://127.0.0.1:9/simple"), "a")


def test_silence_ends_at_the_deadline(local_index: LocalIndex) -> None:
    local_index.stuck.add("/x")
    with pytest.raises(IndexUnavailable, match="no answer in time"):
        fetch(f"{local_index.url}/x", timeout=0.3)


@pytest.fixture
def raw_server() -> Iterator[tuple[str, list[bytes], threading.Event]]:
    """A server that sends the given pieces, waiting a moment between them, until it is told to stop."""
    pieces: list[bytes] = []
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/x", pieces, stop
    stop.set()
    thread.join()
    listener.close()


def test_a_server_that_drips_is_left_at_the_deadline(raw_server: tuple[str, list[bytes], threading.Event]) -> None:
    url, pieces, _ = raw_server
    pieces.append(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    with pytest.raises(IndexUnavailable, match="no answer in time"):
        fetch(url, timeout=0.4)


def test_something_that_is_not_http_is_said(raw_server: tuple[str, list[bytes], threading.Event]) -> None:
    url, pieces, stop = raw_server
    stop.set()
    pieces.append(b"SSH-2.0-hello\r\n")
    with pytest.raises(IndexUnavailable, match="broken answer"):
        fetch(url, timeout=20)


def test_an_answer_that_ends_early_is_said(raw_server: tuple[str, list[bytes], threading.Event]) -> None:
    url, pieces, stop = raw_server
    stop.set()
    pieces.append(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
    with pytest.raises(IndexUnavailable, match="ended after 2 of 100 bytes"):
        fetch(url, timeout=20)


def test_an_answer_that_is_too_large_is_left(local_index: LocalIndex) -> None:
    local_index.pages["/x"] = (200, "text/plain", b"x" * 1001)
    with pytest.raises(IndexUnavailable, match="larger than 1000"):
        fetch(f"{local_index.url}/x", limit=1000)


def test_an_answer_can_go_into_a_file(local_index: LocalIndex) -> None:
    local_index.pages["/x"] = (200, "text/plain", b"x" * 200_000)
    out = io.BytesIO()
    assert fetch(f"{local_index.url}/x", into=out) == b""
    assert out.getvalue() == b"x" * 200_000


def test_redirects_are_followed_only_over_http(local_index: LocalIndex) -> None:
    local_index.pages["/x"] = (200, "text/plain", b"here")
    local_index.pages["/a"] = (302, f"{local_index.url}/x", b"")
    local_index.pages["/b"] = (302, "file:///etc/passwd", b"")
    local_index.pages["/c"] = (302, "ftp://127.0.0.1/x", b"")
    assert fetch(f"{local_index.url}/a") == b"here"
    for path in ("/b", "/c"):
        with pytest.raises(IndexUnavailable):
            fetch(f"{local_index.url}{path}")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "nonsense"])
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(IndexUnavailable):
        fetch(url)


def test_a_password_goes_into_a_header_and_into_no_message(local_index: LocalIndex) -> None:
    url = local_index.url.replace("http://", "http://me:se%40cret@")
    with pytest.raises(IndexUnavailable) as caught:
        fetch(f"{url}/x")
    assert "cret" not in str(caught.value)
    assert local_index.headers[0]["Authorization"] == "Basic " + base64.b64encode(b"me:se@cret").decode()


def test_a_password_does_not_follow_a_redirect(local_index: LocalIndex) -> None:
    local_index.pages["/x"] = (200, "application/json", json.dumps({}).encode())
    local_index.pages["/a"] = (302, f"{local_index.url}/x", b"")
    fetch(local_index.url.replace("http://", "http://me:secret@") + "/a")
    assert "Authorization" in local_index.headers[0]
    assert "Authorization" not in local_index.headers[1]
