"""Where there can be no API server, tests that need one are skipped and say why; where there is one, it is used."""

from pathlib import Path

import pytest

from tests.operator import cluster


def skipped() -> str:
    with pytest.raises(pytest.skip.Exception) as caught, cluster.control_plane():
        raise AssertionError("there is one")
    return str(caught.value)


def test_neither_a_setting_nor_a_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cluster.SETTING, raising=False)
    monkeypatch.setattr(cluster, "SCRIPT", tmp_path / "cluster")
    assert skipped() == f"no API server: {cluster.SETTING} is not set, and there is no {tmp_path / 'cluster'}"


def test_a_setting_without_kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cluster.SETTING, "/some/kubeconfig")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no kubectl in PATH" in skipped()


def test_a_script_whose_programs_cannot_be_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "cluster"
    script.write_text('#!/bin/sh\necho "go: not found" >&2\nexit 1\n')
    script.chmod(0o755)
    monkeypatch.delenv(cluster.SETTING, raising=False)
    monkeypatch.setattr(cluster, "SCRIPT", script)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "there is no Go to build them: go: not found" in skipped()
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/go")
    with pytest.raises(AssertionError, match="go: not found"), cluster.control_plane():
        raise NotImplementedError


def test_a_setting_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kubectl").write_text('#!/bin/sh\necho "$KUBECONFIG $*"\ncat\n')
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv(cluster.SETTING, "/some/kubeconfig")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with cluster.control_plane() as api:
        assert api.must("get", "df", given={"a": 1}, user="alice") == '/some/kubeconfig get df --as alice\n{"a": 1}'
