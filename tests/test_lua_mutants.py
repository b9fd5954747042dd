"""The mistakes in the Lua: each can still be made, three of them are tried for real, and the verdict is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.backends.redis.stores import server
from tidemill.backends.redis.client import Client
from tools import lua_mutants
from tools.lua_mutants import Mutant, changed, explained, listed, main, verdict

MUTANTS = listed()
ONE = Mutant("one", "locks", "a", "b", ())
TWO = Mutant("two", "locks", "c", "d", ())
BOTH = {"one": ONE, "two": TWO}


def test_there_are_many_of_many_kinds() -> None:
    assert len(MUTANTS) >= 140
    assert len({mutant.file for mutant in MUTANTS.values()}) >= 20


async def test_each_can_still_be_made_and_loaded() -> None:
    client = Client(server("valkey"))
    try:
        for mutant in MUTANTS.values():
            source = changed(mutant)
            await client.redis.function_load(source, replace=True)
            assert source != changed(), mutant.name
        await client.load()
    finally:
        await client.close()


@pytest.mark.parametrize("name", MUTANTS)
def test_the_tests_that_notice_it_are_there(name: str) -> None:
    assert list(lua_mutants.files(MUTANTS[name].tests))


def test_what_is_explained_is_in_the_list() -> None:
    text = lua_mutants.EXPLAINED.read_text(encoding="utf-8")
    assert explained(text) <= set(MUTANTS)
    assert explained(text) == set(re.findall(r"^## `(.*)`", text, re.MULTILINE))


def test_a_change_has_to_apply_once() -> None:
    for text in ("", "aa"):
        with pytest.raises(ValueError, match=r"one: in locks\.lua there has to be once"):
            ONE.apply(text)
    assert ONE.apply("cac") == "cbc"


def test_survivors_have_to_be_explained_and_nothing_else() -> None:
    assert verdict({"one": "a_test", "two": ""}, BOTH, {"two"})[1]
    for found, known, said in (
        ({"one": "a_test", "two": ""}, set[str](), "survives, and is not explained in mutants.md: two"),
        ({"one": "a_test", "two": "other"}, {"two"}, "explained, but other notices it: two"),
        ({"one": "a_test"}, {"three"}, "explained, but there is no such mistake: three"),
    ):
        text, passed = verdict(found, BOTH, known)
        assert not passed
        assert said in text


def test_three_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lua_mutants, "EXPLAINED", tmp_path / "mutants.md")
    (tmp_path / "mutants.md").write_text("", encoding="utf-8")
    assert main(["uids-are-not-remembered", "reports-of-older-leases", "validators-are-passed-by"]) == 0
    said = capsys.readouterr().out
    assert "SURVIVES" not in said
    assert re.search(r"^all +3 +3$", said, re.MULTILINE)


def test_what_fails_without_a_mistake_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lua_mutants, "tried", lambda name, tests: (1, "1 failed"))
    assert main([]) == 1
    assert "without a mistake the tests have to pass" in capsys.readouterr().out


def test_a_run_that_could_not_be_made_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lua_mutants, "tried", lambda name, tests: (4, "usage"))
    with pytest.raises(RuntimeError, match="pytest ended with 4"):
        lua_mutants.noticed(MUTANTS["places-one-too-many"])
