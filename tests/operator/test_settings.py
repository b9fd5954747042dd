"""Settings of the operator, and what is wrong with them."""

import subprocess
import sys

import pytest

from tidemill.errors import TidemillError
from tidemill_operator.settings import Settings


def test_namespaces_come_as_a_list_of_words() -> None:
    settings = Settings.read({"TIDEMILL_NAMESPACES": "a, b", "TIDEMILL_LEASE": "20"}, ["--lease=30"])
    assert (settings.namespaces, settings.lease) == (["a", "b"], 30)
    assert settings.renew < settings.renew_within < settings.lease


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither is given"),
        ({"TIDEMILL_NAMESPACES": "a", "TIDEMILL_CLUSTERWIDE": "true"}, "both are given"),
        ({"TIDEMILL_NAMESPACES": "a", "TIDEMILL_PASSES": "0"}, "TIDEMILL_PASSES or --passes is '0'"),
        ({"TIDEMILL_CLUSTERWIDE": "perhaps"}, "TIDEMILL_CLUSTERWIDE or --clusterwide is 'perhaps'"),
    ],
)
def test_what_is_wrong_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(TidemillError, match=said) as caught:
        Settings.read(environment)
    assert caught.value.reason == "InvalidSetting"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "-2"], "--port is '-2'"),
        (["--namespaces", "a", "--kubeconfig", "/nowhere/at/all"], "does not say how to reach the API server"),
        (["--namespaces", "a", "--store_file", "/nowhere/at/all"], "/nowhere/at/all"),
    ],
)
def test_wrong_settings_end_the_program_before_anything_is_started(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "tidemill_operator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
