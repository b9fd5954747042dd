"""`doctor` says how this machine is, and what to do about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.cli import doctor


def found(name: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.findings() if finding.name == name]


def test_every_finding_has_a_status_and_warnings_say_what_to_do(cli: Callable[..., Any]) -> None:
    result = cli("doctor", "--output", "json")
    findings = json.loads(result.out)
    assert {each["name"] for each in findings} == {
        "python", "threads", "cpu", "memory", "graphviz", "worker", "embedded", "blobs", "operator", "operations",
        "terminal",
    }  # fmt: skip
    assert all(each["status"] in ("ok", "warn", "fail") for each in findings)
    assert all(each["do"] for each in findings if each["status"] != "ok")
    assert result.code == (1 if any(each["status"] == "fail" for each in findings) else 0)


def test_text_has_a_line_for_each_finding_and_quiet_only_the_bad_ones(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [doctor.Finding("a", "ok", "fine"), doctor.Finding("b", "warn", "hm\x1b[2J", "do x")]
    monkeypatch.setattr(doctor, "findings", lambda: iter(listed))
    assert cli("doctor").out == (f"ok    {'a':<16}  fine\nwarn  {'b':<16}  hm\\x1b[2J\n{'':<24}→ do x\n")
    assert cli("doctor", "-q").out.startswith("warn  b")
    listed.append(doctor.Finding("c", "fail", "broken", "repair"))
    assert cli("doctor").code == 1


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    (finding,) = found("python")
    assert (finding.status, finding.do) == ("fail", "install Python 3.11 or newer")


@pytest.mark.parametrize(("enabled", "said"), [(True, "in processes only"), (False, "free-threaded")])
def test_the_kind_of_threads_is_said(enabled: bool, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: enabled, raising=False)
    (finding,) = found("threads")
    assert finding.found.endswith(said) or finding.found.startswith(said)


def test_little_memory_in_a_container_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(doctor, "_CGROUP_LIMITS", (tmp_path / "missing", limit))
    limit.write_text("104857600\n")
    (finding,) = found("memory")
    assert finding.status == "warn"
    assert finding.found.endswith("of which this container may use 100 MiB")
    limit.write_text("max\n")
    (finding,) = found("memory")
    assert "container" not in finding.found


def test_a_missing_dot_is_a_warning_and_a_present_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = found("graphviz")
    assert finding.status == "warn"
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\n")
    dot.chmod(0o755)
    (finding,) = found("graphviz")
    assert (finding.status, finding.found) == ("ok", str(dot))


def test_an_operation_that_cannot_be_loaded_fails_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    good = metadata.EntryPoint("good", "json:dumps", "tidemill.operations")
    bad = metadata.EntryPoint("bad", "no_such_module:f", "tidemill.operations")

    def entry_points(group: str) -> list[metadata.EntryPoint]:
        return [good, bad] if group == "tidemill.operations" else []

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    failed, counted, none = found("operations")
    assert failed.status == "fail"
    assert (
        failed.found == "bad (no_such_module:f) cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert counted.found == "1 by the entry point group tidemill.operations"
    assert none.found == "0 by the entry point group dffml.operation"


def test_an_encoding_that_cannot_print_everything_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Latin:
        encoding = "latin-1"

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Latin())
    monkeypatch.setenv("NO_COLOR", "1")
    (finding,) = found("terminal")
    assert finding.status == "warn"
    assert finding.found == "standard output is a terminal, no colours (NO_COLOR), encoding latin-1"


def test_an_extra_is_installed_or_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_EXTRAS", {"here": ("json", "csv"), "away": ("json", "no_such_module")})
    assert [each.found for each in found("here")] == ["installed"]
    (away,) = found("away")
    assert (away.found, away.do) == (
        "not installed (no_such_module missing)", "pip install 'tidemill[away]' if this machine is to run it",
    )  # fmt: skip


def test_a_store_is_looked_at_where_one_is_named(cli: Callable[..., Any]) -> None:
    result = cli("doctor", "--backend", "embedded", "--output", "json")
    findings = {each["name"]: each for each in json.loads(result.out)}
    assert findings["durability"]["found"].startswith("always")
    assert findings["functions"]["reason"] == "FunctionLibraryMissing"
    assert "memory: this process" in cli("doctor", "--backend", "memory").out


def test_a_store_that_would_lose_work_fails_with_what_to_do(cli: Callable[..., Any]) -> None:
    with EmbeddedStore(durability="fast") as store:
        result = cli("doctor", "-q", "--backend", store.url)
        assert result.code == 1
        assert (
            "fail  durability        fast (appendonly yes, appendfsync everysec) (NotDurable: expected always)"
            in result.out
        )
        assert "CONFIG SET appendfsync always" in result.out
        assert "durability" not in cli("doctor", "-q", "--backend", store.url, "--durability", "fast").out


def test_a_store_that_is_not_there_fails_and_a_url_that_is_none_is_an_error(cli: Callable[..., Any]) -> None:
    result = cli("doctor", "-q", "--backend", "redis://:s3cr3t@127.0.0.1:1")
    assert result.code == 1
    assert "StoreUnavailable" in result.out
    assert "s3cr3t" not in result.out
    result = cli("doctor", "--backend", "redsi://:s3cr3t@127.0.0.1:1")
    assert result.code == 3
    assert "InvalidStoreURL" in result.err
    assert "s3cr3t" not in result.err
    with EmbeddedStore(durability="none", unix=False) as store:
        result = cli("doctor", "-q", "--backend", store.url.replace("redis://:", "redis://:wrong"))
    assert "NotAllowed" in result.out


def test_a_store_needs_its_client(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'tidemill[worker]'" in cli("doctor", "-q", "--backend", "redis://host").out
