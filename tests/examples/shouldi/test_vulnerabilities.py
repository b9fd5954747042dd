"""What the index knows is told, and no failure to learn it is ever told as "none"."""

import json
from typing import Any

import pytest
from shouldi.vulnerabilities import JSON_URL, look_up, read

from tests.examples.shouldi.support import LocalIndex

KNOWN = {
    "id": "PYSEC-1",
    "aliases": ["CVE-1"],
    "fixed_in": ["1.1"],
    "summary": "",
    "details": "It\nleaks.",
    "withdrawn": None,
}


def test_known_vulnerabilities_are_listed(local_index: LocalIndex) -> None:
    local_index.say("a", "1.0", [KNOWN, {"id": "PYSEC-2", "withdrawn": "2024-01-01T00:00:00Z"}], yanked=False)
    said = look_up("a", "1.0")
    assert (said["known"], said["why"], said["yanked"]) == (True, None, None)
    assert said["found"] == [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fixed_in": ["1.1"], "summary": "It leaks."}]


def test_one_vulnerability_under_several_ids_is_one(local_index: LocalIndex) -> None:
    other = {"id": "GHSA-1", "aliases": ["CVE-1", "PYSEC-1"], "fixed_in": ["1.1", "1.0.1"], "summary": "Leaks."}
    third = {"id": "GHSA-2", "aliases": ["CVE-2"], "fixed_in": [], "summary": "Burns."}
    local_index.say("a", "1.0", [KNOWN, third, other])
    first, second = look_up("a", "1.0")["found"]
    assert first["id"] == "PYSEC-1"
    assert first["aliases"] == ["CVE-1", "GHSA-1"]
    assert first["fixed_in"] == ["1.1", "1.0.1"]
    assert second["id"] == "GHSA-2"


def test_none_is_said_only_when_the_index_says_so(local_index: LocalIndex) -> None:
    local_index.say("a", "1.0", [])
    assert look_up("a", "1.0") == {"known": True, "why": None, "found": [], "yanked": None}


@pytest.mark.parametrize(("reason", "said"), [("broken", "broken"), (None, "no reason given")])
def test_a_withdrawn_release_is_said(local_index: LocalIndex, reason: str | None, said: str) -> None:
    local_index.say("a", "1.0", [], yanked=True, yanked_reason=reason)
    assert look_up("a", "1.0")["yanked"] == said


def test_an_index_without_pages_of_releases_speaks_of_its_newest(local_index: LocalIndex) -> None:
    local_index.say("a", "1.1", [])
    local_index.pages["/pypi/a/json"] = local_index.pages.pop("/pypi/a/1.1/json")
    assert look_up("a", "1.1")["known"] is True
    older = look_up("a", "1.0")
    assert (older["known"], older["why"]) == (False, "the index only speaks of its newest release, 1.1")


def test_404_is_unknown(local_index: LocalIndex) -> None:
    said = look_up("a", "1.0")
    assert (said["known"], said["found"]) == (False, [])
    assert "answered 404" in said["why"]


@pytest.mark.parametrize("code", [403, 429, 500])
def test_refusals_are_unknown(local_index: LocalIndex, code: int) -> None:
    local_index.pages["/pypi/a/1.0/json"] = (code, "text/plain", b"")
    said = look_up("a", "1.0")
    assert said["known"] is False
    assert f"answered {code}" in said["why"]


def test_silence_is_unknown(local_index: LocalIndex) -> None:
    local_index.stuck.add("/pypi/a/1.0/json")
    said = look_up("a", "1.0", timeout=0.3)
    assert said["known"] is False
    assert "no answer in time" in said["why"]


def test_no_index_is_unknown() -> None:
    said = look_up("a", "1.0")
    assert said["known"] is False
    assert "cannot be reached" in said["why"]


def page(info: Any, *vulnerabilities: Any) -> bytes:
    return json.dumps({"info": info, "vulnerabilities": vulnerabilities}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"info": {"version": "1.0"}}',
        b'{"info": {"version": "1.0"}, "vulnerabilities": null}',
        page(None),
        page({"version": None}),
        page({"version": "one"}),
        page({"version": "1.0"}, "text"),
        page({"version": "1.0"}, {"no": "id"}),
        b"[" * 100_000,
    ],
)
def test_garbage_is_unknown(body: bytes) -> None:
    said = read(body, "1.0")
    assert (said["known"], said["found"]) == (False, [])
    assert "not its JSON page" in said["why"]


def test_the_base_of_the_pages_can_be_set(local_index: LocalIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    local_index.pages["/mirror/a/1.0/json"] = (200, "application/json", page({"version": "1.0"}))
    monkeypatch.setenv(JSON_URL, f"{local_index.url}/mirror/")
    assert look_up("a", "1.0")["known"] is True
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert look_up("a", "1.0")["known"] is True


def test_without_it_pip_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert look_up("a", "1.0")["why"] == "pip is configured to use no index"
