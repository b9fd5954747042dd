"""A URL is read within bounds of size and time, and cannot lead to where its author may not go."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tidemill.cli import remote
from tidemill.errors import InvalidDocument

FLOW = b"operations:\n  a: {name: a}\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; never logs."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    release: threading.Event

    def do_GET(self) -> None:
        status, headers, body = self.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/hangs":
            self.wfile.flush()
            self.release.wait(120)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, tuple[int, dict[str, str], bytes]]]]:
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {"/f.yaml": (200, {}, FLOW)}
    release = threading.Event()
    handler = type("Answers", (Handler,), {"answers": answers, "release": release})
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}", answers
    release.set()
    running.shutdown()
    thread.join()
    running.server_close()


Server = tuple[str, dict[str, tuple[int, dict[str, str], bytes]]]


def refused(url: str, **options: Any) -> tuple[str, str, str]:
    with pytest.raises(InvalidDocument) as caught:
        remote.download(url, **options)
    return caught.value.reason, caught.value.path, caught.value.message


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [("/f.yaml", {}, FLOW), ("/f.json?x=1", {}, b'{"operations": {"a": {"name": "a"}}}'), ("/other", {}, FLOW)],
)
def test_a_document_is_read_by_its_suffix_or_its_content(
    path: str, headers: dict[str, str], body: bytes, server: Server, cli: Callable[..., Any]
) -> None:
    url, answers = server
    answers[path] = (200, headers, body)
    result = cli("validate", url + path, "--allow-remote", "-o", "json")
    assert result.code == 0
    assert json.loads(result.out)["operations"] == ["a"]


def test_what_the_document_says_wrong_names_the_url(server: Server, cli: Callable[..., Any]) -> None:
    url, answers = server
    answers["/bad.yaml"] = (200, {}, FLOW + b"bogus: 1\n")
    result = cli("validate", f"{url}/bad.yaml", "--allow-remote")
    assert result.code == 3
    assert f"({url}/bad.yaml, line 3)" in result.err


def test_a_redirect_within_what_the_user_named_is_followed(server: Server) -> None:
    url, answers = server
    answers["/moved"] = (302, {"Location": "/again"}, b"")
    answers["/again"] = (307, {"Location": f"{url}/f.yaml"}, b"")
    assert remote.download(f"{url}/moved") == (FLOW, f"{url}/f.yaml")


def test_redirects_without_end_are_refused(server: Server) -> None:
    url, answers = server
    answers["/loop"] = (302, {"Location": "/loop"}, b"")
    assert refused(f"{url}/loop") == ("UrlNotAllowed", f"{url}/loop", "it redirects more than 5 times")


@pytest.mark.parametrize("target", ["file:///etc/shadow", "gopher://127.0.0.1/", "ftp://example.org/", "javascript:x"])
def test_a_redirect_to_another_scheme_is_refused(target: str, server: Server) -> None:
    url, answers = server
    answers["/moved"] = (302, {"Location": target}, b"")
    reason, path, message = refused(f"{url}/moved")
    assert (reason, path) == ("UrlNotAllowed", f"{url}/moved")
    assert message.endswith("allowed: http, https")


class Public:
    """Makes host names resolve as a test says, and connects every address to one local server."""

    def __init__(self, port: int, hosts: dict[str, list[str]]) -> None:
        self.port, self.hosts, self.asked, self.connected = port, hosts, [], []  # type: ignore[var-annotated]

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        address = self.hosts[host].pop(0) if len(self.hosts[host]) > 1 else self.hosts[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def create_connection(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.connected.append(address[0])
        made = socket.socket()
        made.settimeout(timeout)
        made.connect(("127.0.0.1", self.port))
        return made


@pytest.fixture
def public(server: Server, monkeypatch: pytest.MonkeyPatch) -> Public:
    port = int(server[0].rsplit(":", 1)[1])
    made = Public(port, {"example.org": ["93.184.216.34"], "other.example": ["93.184.216.35"]})
    monkeypatch.setattr(remote, "_resolve_all", made.getaddrinfo)
    monkeypatch.setattr(remote, "_open_socket", made.create_connection)
    return made


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
    ],
)
def test_a_public_url_cannot_lead_to_a_private_address(address: str, server: Server, public: Public) -> None:
    server[1]["/moved"] = (302, {"Location": "http://inside.example/secret"}, b"")
    public.hosts["inside.example"] = [address]
    reason, path, message = refused("http://example.org/moved")
    assert (reason, path) == ("UrlNotAllowed", "http://example.org/moved")
    assert message.startswith("it redirects to http://inside.example/secret, which is a private address (")
    assert public.connected == ["93.184.216.34"]


def test_a_public_url_may_lead_to_another_public_one(server: Server, public: Public) -> None:
    server[1]["/moved"] = (301, {"Location": "http://other.example/f.yaml"}, b"")
    assert remote.download("http://example.org/moved") == (FLOW, "http://other.example/f.yaml")
    assert public.connected == ["93.184.216.34", "93.184.216.35"]


def test_a_host_is_resolved_once_so_that_it_cannot_change_its_mind(server: Server, public: Public) -> None:
    public.hosts["example.org"] = ["93.184.216.34", "127.0.0.1"]
    remote.download("http://example.org/f.yaml")
    assert (public.asked, public.connected) == (["example.org"], ["93.184.216.34"])


def test_a_redirect_from_https_to_http_is_refused(
    server: Server, public: Public, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Plain:
        def wrap_socket(self, raw: socket.socket, server_hostname: str) -> socket.socket:
            assert server_hostname == "example.org"
            return raw

    monkeypatch.setattr(remote, "_secured", Plain)
    server[1]["/moved"] = (302, {"Location": "http://other.example/f.yaml"}, b"")
    assert refused("https://example.org/moved") == (
        "UrlNotAllowed", "https://example.org/moved", "it redirects from https to http://other.example/f.yaml",
    )  # fmt: skip
    assert remote.download("https://example.org/f.yaml")[0] == FLOW


@pytest.mark.parametrize("status", [404, 500, 204, 304])
def test_an_answer_without_a_document_says_its_status(status: int, server: Server) -> None:
    url, answers = server
    answers["/x"] = (status, {}, b"")
    reason, _, message = refused(f"{url}/x")
    assert reason == "UrlUnreachable"
    assert message.startswith(f"the server answered {status} ")


def test_a_body_that_is_too_large_is_not_read_to_its_end(server: Server) -> None:
    url, answers = server
    answers["/large"] = (200, {}, b"x" * 1_000_000)
    assert refused(f"{url}/large", size=1000) == ("TooLarge", f"{url}/large", "it is larger than 1000 bytes")
    answers["/fits"] = (200, {}, b"x" * 1000)
    assert len(remote.download(f"{url}/fits", size=1000)[0]) == 1000


def test_a_server_that_does_not_finish_is_left(server: Server) -> None:
    url, answers = server
    answers["/hangs"] = (200, {}, b"x")
    reason, path, message = refused(f"{url}/hangs", seconds=0.3)
    assert (reason, path) == ("UrlUnreachable", f"{url}/hangs")
    assert "timed out" in message or "too long" in message


@pytest.mark.parametrize(
    ("url", "reason", "said"),
    [
        ("gopher://example.org/", "UrlNotAllowed", "is of the scheme 'gopher'; allowed: http, https"),
        ("http:///f.yaml", "UrlNotAllowed", "a URL has a host"),
        ("http://user:secret@example.org/", "UrlNotAllowed", "no user or password"),
        ("http://example.org:x/", "UrlNotAllowed", "is no URL"),
        ("http://[::1/", "UrlNotAllowed", "is no URL"),
        ("http://no-such-host.invalid/", "UrlUnreachable", "the host 'no-such-host.invalid' is not found"),
    ],
)
def test_a_url_that_is_none_or_leads_nowhere_is_refused(url: str, reason: str, said: str) -> None:
    found = refused(url)
    assert found[:2] == (reason, url)
    assert said in found[2]


def test_a_server_that_gives_a_byte_at_a_time_is_left_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(1000))
    monkeypatch.setattr(remote, "_clock", lambda: float(next(now)))
    monkeypatch.setattr(remote, "_CHUNK", 1)
    url, _ = server
    assert refused(f"{url}/f.yaml", seconds=10) == ("UrlUnreachable", f"{url}/f.yaml", "it took too long to answer")


def test_a_port_on_which_nobody_listens_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        reason, _, message = refused(url)
    assert reason == "UrlUnreachable"
    assert "ConnectionRefusedError" in message


def test_what_answers_but_not_in_http_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"hello\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        reason, _, message = refused(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    assert reason == "UrlUnreachable"
    assert "BadStatusLine" in message
