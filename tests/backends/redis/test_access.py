"""As whom a server reads its log when it is started again, over real servers: what is lost then, and who is told."""

from pathlib import Path

import pytest

from tests.backends.redis.servers import DURABLE, FORGETFUL, Server
from tidemill.backends.redis.access import ARGUMENTS, FAITHFUL, LOGGED, commands
from tidemill.backends.redis.checks import Finding, examine, require
from tidemill.backends.redis.library import LAYOUT
from tidemill.backends.redis.urls import connection
from tidemill.errors import StoreMisconfigured

TAG = f"{{checks{LAYOUT}:0}}"
OURS = "user somebody on >word ~* &* +@all"
GRANTED = "user default off ~* &* +@all"
WRITES = """#!lua name=writes
redis.register_function('both', function(keys)
  redis.call('SET', keys[1], '1')
  redis.call('SET', keys[2], '2')
end)
"""


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each server be taken for one that reads its log as the user default."""
    for kind in FAITHFUL:
        monkeypatch.setitem(FAITHFUL, kind, (999, 0, 0))


def given(folder: Path, kind: str, *users: str, user: str = "somebody", **settings: str) -> Server:
    server = Server(folder, kind=kind, **(settings or DURABLE))
    server.url = f"redis://{user}:word@127.0.0.1:{server.port}"
    server.configure(*users)
    return server


async def log(server: Server) -> list[Finding]:
    redis = connection(server.url, protocol=2)
    try:
        return [one for one in await examine(redis, "here", tag=TAG, durability="none") if one.name == "log"]
    finally:
        await redis.aclose()


def kept(server: Server) -> list[bytes | None]:
    """Have a function write two keys, and return what a server has of them that is killed and started again."""
    server.ask("function_load", WRITES)
    server.ask("fcall", "both", 2, f"{TAG}:a", f"{TAG}:b")
    server.kill()
    server.start()
    return list(server.ask("mget", f"{TAG}:a", f"{TAG}:b"))


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_server_that_would_lose_what_functions_write_is_refused_and_no_other_is(
    tmp_path: Path, kind: str
) -> None:
    with given(tmp_path, kind, OURS, "user default off") as server:
        [finding] = await log(server)
        assert kept(server) == ([b"1", b"2"] if finding.status == "ok" else [None, None])
        if finding.status == "ok":
            return
        redis = connection(server.url, protocol=2)
        with pytest.raises(StoreMisconfigured) as caught:
            await require(redis, "here", tag=TAG)
        await redis.aclose()
        assert caught.value.reason == "LogNotReplayed"
        assert "read as the user default, which may not APPEND," in caught.value.message
        assert 'ACL SETUSER default "~*" "&*" +@all, also in its configuration' in caught.value.message


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_what_is_to_be_done_about_it_helps(tmp_path: Path, kind: str) -> None:
    with given(tmp_path / "off", kind, OURS, "user default off") as server:
        [finding] = await log(server)
        assert (finding.status, finding.reason) == ("fail", "LogNotReplayed")
        server.ask("execute_command", "ACL", "SETUSER", "default", "~*", "&*", "+@all")
        assert [one.status for one in await log(server)] == ["ok"]
    with given(tmp_path / "granted", kind, OURS, GRANTED) as server:
        assert [one.status for one in await log(server)] == ["ok"]
        assert kept(server) == [b"1", b"2"]


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_user_that_may_not_ask_is_told_that_nobody_knows(tmp_path: Path, kind: str) -> None:
    with given(tmp_path, kind, f"{OURS} -acl", "user default off") as server:
        [finding] = await log(server)
        assert (finding.status, finding.reason) == ("warn", "CannotCheck")
        assert "let the user of the URL call ACL DRYRUN" in finding.do


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_the_user_default_itself_knows_what_it_may_do(tmp_path: Path, kind: str) -> None:
    rules = "user default on >word ~* &* +@all -acl"
    with given(tmp_path / "without", kind, f"{rules} -pexpireat", user="") as server:
        [finding] = await log(server)
        assert finding.reason == "LogNotReplayed"
        assert "may not PEXPIREAT: " in finding.found
    with given(tmp_path / "granted", kind, rules, user="") as server:
        assert [one.status for one in await log(server)] == ["ok"]


@pytest.mark.usefixtures("old")
async def test_a_server_without_a_log_has_nothing_to_read(tmp_path: Path) -> None:
    with given(tmp_path, "valkey", OURS, "user default off", **FORGETFUL) as server:
        assert await log(server) == []


def test_every_command_in_use_can_be_asked_for() -> None:
    special = {"FCALL", "BLMOVE", "RENAME", "XREAD"}
    whole = {name for name in {*commands(), *LOGGED} if " " not in name and name not in special}
    assert whole <= set(ARGUMENTS), "access.ARGUMENTS says what makes a whole command of each that the functions call"
