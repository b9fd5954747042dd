"""The verbs for a cluster, as processes, against the API: what they print, and with which code they end."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operator.api.conftest import TOKEN, Client

Result = tuple[int, str, str]


class Terminal:
    """Where somebody types commands."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        (folder / "token").write_text(TOKEN)
        self.environment = {
            **os.environ,
            "TIDEMILL_API": client.root,
            "TIDEMILL_TOKEN_FILE": str(folder / "token"),
        }

    async def tidemill(self, *words: str, given: str = "", **environment: str) -> Result:
        """Type a command in the namespace of the data flow."""
        verb, *rest = words
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tidemill.cli", verb, "-n", self.client.stage.namespace, *rest),
            env={**self.environment, **environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(given.encode()), 120)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def terminal(client: Client, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal."""
    yield Terminal(client, tmp_path)


async def test_contexts_are_submitted_watched_and_their_results_printed(terminal: Terminal) -> None:
    terminal.client.stage.work()
    code, out, err = await terminal.tidemill(
        "submit", "words", "--input", "word=tide", "--context", "one", "-o", "jsonl"
    )
    assert (code, json.loads(out)) == (0, {"context": "words.one", "status": "open"}), err
    assert "1 context open" in err
    lines = '{"word": "mill"}\n{"word": ["a", "bc"]}\n'
    code, out, _ = await terminal.tidemill("submit", "words", "--inputs", "-", "--key", "k", "-o", "jsonl", given=lines)
    assert [json.loads(line)["context"] for line in out.splitlines()] == ["words.k-1", "words.k-2"]
    code, out, err = await terminal.tidemill("watch", "words")
    assert code == 0, err
    assert "0 open, 3 succeeded, 0 failed" in out
    code, out, _ = await terminal.tidemill("results", "words", "-o", "jsonl")
    found = {one["context"]: one["result"] for one in map(json.loads, out.splitlines())}
    assert found == {
        "words.one": {"length": [4]},
        "words.k-1": {"length": [4]},
        "words.k-2": {"length": [1, 2]},
    }
    assert code == 0
    code, out, _ = await terminal.tidemill("get", "words")
    assert "measure: 4 of 4 completed, 0 failed" in out


async def test_what_failed_shows_in_the_exit_code(terminal: Terminal) -> None:
    terminal.client.stage.work()
    await terminal.tidemill("submit", "words", "--input", "word=bad", "--context", "x")
    code, out, _ = await terminal.tidemill("results", "words", "words.x", "--wait", "-o", "jsonl")
    assert code == 1
    assert "a bad word" in json.loads(out)["failure"]["message"]
    code, out, _ = await terminal.tidemill("watch", "words", "-o", "jsonl")
    assert code == 1
    assert json.loads(out.splitlines()[-1])["contexts"]["failed"] == 1


async def test_a_context_is_cancelled_and_a_data_flow_suspended_and_resumed(terminal: Terminal) -> None:
    await terminal.tidemill("submit", "words", "--input", "word=-wait", "--context", "x")
    code, _, err = await terminal.tidemill("results", "words", "words.x")
    assert code == 6
    assert "StillOpen" in err
    assert (await terminal.tidemill("cancel", "words", "words.x"))[:2] == (0, "words.x cancelled\n")
    code, out, _ = await terminal.tidemill("results", "words", "words.x", "--wait", "-o", "jsonl")
    assert (code, json.loads(out)["failure"]["reason"]) == (1, "Cancelled")
    assert (await terminal.tidemill("suspend", "words"))[:2] == (0, "words suspended\n")
    assert terminal.client.stage.get()["spec"]["suspend"] is True
    assert (await terminal.tidemill("resume", "words"))[:2] == (0, "words resumed\n")
    assert terminal.client.stage.get()["spec"]["suspend"] is False


async def test_what_happened_to_a_context_is_told_and_its_result_walked_back(terminal: Terminal) -> None:
    terminal.client.stage.work()
    code, _, err = await terminal.tidemill(
        "submit", "words", "--input", "word=-tide", "--context", "x", "--journal", "-q"
    )
    assert code == 0, err
    following = asyncio.create_task(terminal.tidemill("events", "words", "words.x", "--follow", "-o", "jsonl"))
    await terminal.client.stage.until(lambda: terminal.client.api.service.streams, "it is followed")
    terminal.client.stage.go()
    code, out, err = await following
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["kind"], events[-1]["kind"]) == ("opened", "ended")
    after = str(len(events) - 2)
    for more in ((), ("--follow",)):
        code, out, _ = await terminal.tidemill("events", "words", "words.x", "--after", after, *more)
        assert (code, [line.split()[0] for line in out.splitlines()]) == (0, [str(len(events) - 1), str(len(events))])
    code, out, err = await terminal.tidemill("events", "words", "words.x", "--after", "99999", "--follow")
    assert (code, out) == (0, ""), err
    code, out, err = await terminal.tidemill("lineage", "words", "words.x")
    assert code == 0, err
    assert out.splitlines()[0] == 'words.x = {"length": [5]}'
    assert out.splitlines()[-1].strip() == "└─ #1 word = -tide (seed)"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("get", "nothing"), "NotFound"),
        (("cancel", "words"), "BadQuery"),
        (("cancel", "words", "none"), "RunGone"),
        (("events", "words", "none"), "RunGone"),
        (("events", "words", "none", "--follow"), "RunGone"),
        (("lineage", "words", "none"), "RunGone"),
        (("submit", "words", "--input", "word=7", "--input", "word=[1"), "TypeMismatch"),
        (("submit", "words"), "--input or --inputs"),
        (("submit", "words", "--input", "word"), "DEFINITION=VALUE"),
        (("submit", "words", "--inputs", "no such file"), "cannot be read"),
        (("get", "words", "--token-file", "no such file"), "NoToken"),
        (("get", "words", "--api", "http://127.0.0.1:1"), "ApiUnavailable"),
    ],
)
async def test_what_cannot_be_done_is_said(terminal: Terminal, words: tuple[str, ...], reason: str) -> None:
    code, out, err = await terminal.tidemill(*words)
    assert code != 0
    assert out == ""
    assert reason in err
    assert "Traceback" not in err


async def test_a_user_who_may_not_is_told_what_he_may_not(terminal: Terminal) -> None:
    terminal.client.stage.api.allow = lambda user, asked: False
    code, _, err = await terminal.tidemill("get", "words")
    assert code != 0
    assert '"alice" may not get dataflows.tidemill.alt/contexts' in err


KUBECTL = """#!{python}
import json, sys, time
words = sys.argv[1:]
if words[:2] == ["config", "view"]:
    print(json.dumps({{"contexts": [{{"context": {{"namespace": "{namespace}"}}}}], "users": [{{"user": {user}}}]}}))
elif words[:2] == ["get", "services"]:
    metadata = {{"name": "tidemill-api", "namespace": "mill"}}
    print(json.dumps({{"items": [{{"metadata": metadata, "spec": {{"ports": [{{"name": "http", "port": 8443}}]}}}}]}}))
elif words[0] == "port-forward":
    assert words[1:] == ["-n", "mill", "service/tidemill-api", ":8443"], words
    print("Forwarding from 127.0.0.1:{port} -> 8443", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("user", [{"token": TOKEN}, {"client-certificate-data": "xyz"}])
async def test_kubectl_makes_the_way_where_none_is_said(terminal: Terminal, user: dict[str, str]) -> None:
    kubectl = terminal.folder / "kubectl"
    client = terminal.client
    kubectl.write_text(
        KUBECTL.format(
            python=sys.executable, namespace=client.stage.namespace, port=client.api.port, user=json.dumps(user)
        )
    )
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IEXEC)
    path = f"{terminal.folder}{os.pathsep}{os.environ['PATH']}"
    code, out, err = await terminal.tidemill("get", "words", PATH=path, TIDEMILL_API="", TIDEMILL_TOKEN_FILE="")
    if "token" in user:
        assert (code, "active: 0 open" in out) == (0, True), err
    else:
        assert "kubectl create token" in err
