"""Settings of a worker: from the environment and from arguments, and what is wrong with them is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from tidemill.errors import TidemillError
from tidemill_worker.settings import Settings


def test_arguments_win_over_the_environment() -> None:
    environment = {"TIDEMILL_LEASE": "12", "TIDEMILL_POOL": "gpu", "TIDEMILL_OPERATIONS": "a:b, c:d", "PATH": "/bin"}
    settings = Settings.read(environment, ["--pool", "cpu", "--runners=3"])
    assert (settings.lease, settings.pool, settings.runners) == (12, "cpu", 3)
    assert settings.operations == ["a:b", "c:d"]


def test_an_empty_variable_says_nothing() -> None:
    assert Settings.read({"TIDEMILL_LEASE": ""}).lease == Settings().lease


@pytest.mark.parametrize("lease", [0.5, 1, 2, 8, 30, 300])
def test_a_worker_ends_itself_before_others_take_over_and_beats_often_enough(lease: float) -> None:
    settings = Settings(lease=lease)
    assert 0 < settings.margin <= lease / 4
    assert 4 * settings.beat < lease - settings.margin


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        ({"TIDEMILL_LEASE": "soon"}, [], "TIDEMILL_LEASE or --lease is 'soon'"),
        ({}, ["--runners", "0"], "TIDEMILL_RUNNERS or --runners is '0'"),
        ({}, ["--lees", "3"], 'did you mean "lease"?'),
        ({}, ["--lease"], "--lease needs a value"),
        ({}, ["lease"], '"lease" is no argument'),
        ({"TIDEMILL_PORT": "70000"}, [], "TIDEMILL_PORT or --port is '70000'"),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], arguments: list[str], said: str) -> None:
    with pytest.raises(TidemillError) as caught:
        Settings.read(environment, arguments)
    assert caught.value.reason == "InvalidSetting"
    assert said in caught.value.message


def test_the_url_of_the_store_is_not_shown() -> None:
    settings = Settings.read({"TIDEMILL_STORE": "redis://:secret@host"})
    assert "secret" not in repr(settings)
    assert settings.store.get_secret_value() == "redis://:secret@host"


def test_the_url_of_the_store_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://:secret@host:1\n", encoding="utf-8")
    settings = Settings.read({"TIDEMILL_STORE_FILE": str(file), "TIDEMILL_STORE": "redis://other"})
    assert settings.store.get_secret_value() == "redis://:secret@host:1"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b" \n", "it is empty"),
        (b"\xff\xfe", "it is no text"),
        (b"x" * 70000, "more than 65536 bytes"),
    ],
)
def test_a_file_without_a_url_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TidemillError, match=said) as caught:
        Settings.read({}, ["--store_file", str(file)])
    assert (caught.value.reason, caught.value.path) == ("InvalidSetting", "store_file")
    assert str(file) in caught.value.message


def test_wrong_settings_end_the_program_before_anything_is_started() -> None:
    command = [sys.executable, "-m", "tidemill_worker", "--lease", "never"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--lease is 'never'" in done.stderr
    assert "Traceback" not in done.stderr
