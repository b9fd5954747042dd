"""The mutation run: the answers of mutmut, which survivors it lets pass, and one module tried for real."""

import subprocess
from pathlib import Path

import pytest

from tools import mutants

ANSWERS = """\
    tidemill.engine.locks.x_take__mutmut_1: killed
    tidemill.engine.locks.x_take__mutmut_2: survived
    tidemill.engine.locks.xǁLocksǁfree__mutmut_1: timeout
    tidemill.engine.stages.x_next__mutmut_1: no tests
"""
SURVIVOR = "tidemill.engine.locks.x_take__mutmut_2"
DIFF = """\
# tidemill.engine.locks.x_take__mutmut_2: survived
--- src/tidemill/engine/locks.py
+++ src/tidemill/engine/locks.py
@@ -1,3 +1,3 @@
 def take(free):
-    return free > 0
+    return free >= 0
"""
EXPLANATION = """\
# Mistakes

## `engine.locks.take`

There is never nothing.

```diff
- return free > 0
+ return free >= 0
```

## `engine.locks.Locks.free`

```diff
-    return 1
+    return None
```
"""
TAKE = ("engine.locks.take", ("-return free > 0", "+return free >= 0"))
FREE = ("engine.locks.Locks.free", ("-return 1", "+return None"))
MANY = dict.fromkeys([f"tidemill.engine.locks.x_take__mutmut_{number}" for number in range(3, 13)], "killed")


def test_statuses_are_read() -> None:
    found = mutants.statuses(ANSWERS)
    assert len(found) == 4
    assert found[SURVIVOR] == "survived"
    assert found["tidemill.engine.stages.x_next__mutmut_1"] == "no tests"


def test_what_no_test_reaches_counts_as_not_noticed() -> None:
    table, share = mutants.report(mutants.statuses(ANSWERS))
    assert share == 0.5
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["engine.locks", "3", "2", "66.7%"],
        ["engine.stages", "1", "0", "0.0%"],
        ["all", "4", "2", "50.0%"],
    ]


def test_a_change_is_its_function_and_its_lines() -> None:
    assert mutants.change_of(SURVIVOR, DIFF) == TAKE
    assert mutants.change_of("tidemill.engine.order.x__key__mutmut_1", "")[0] == "engine.order._key"
    method = "tidemill.engine.locks.xǁLocksǁ__init____mutmut_12"
    assert mutants.change_of(method, "")[0] == "engine.locks.Locks.__init__"


def test_explanations_are_read() -> None:
    assert mutants.explained(EXPLANATION) == {TAKE, FREE}


def test_every_committed_explanation_can_be_read() -> None:
    text = mutants.EXPLAINED.read_text(encoding="utf-8")
    found = mutants.explained(text)
    assert len(found) == text.count("```diff")
    assert all([line[0] for line in lines] == ["-", "+"] for _, lines in found)


def test_a_survivor_that_is_explained_passes() -> None:
    said, passed = mutants.verdict({**MANY, SURVIVOR: "survived"}, {SURVIVOR: DIFF}, {TAKE}, whole=True)
    assert passed
    assert said.splitlines()[-1] == "1 survivors, 1 of them explained in mutants.md"


def test_a_survivor_that_is_not_explained_fails() -> None:
    said, passed = mutants.verdict({**MANY, SURVIVOR: "survived"}, {SURVIVOR: DIFF}, {FREE}, whole=False)
    assert not passed
    assert f"not explained: {SURVIVOR}\n{DIFF}" in said


def test_too_many_survivors_fail_though_they_are_explained() -> None:
    said, passed = mutants.verdict({SURVIVOR: "survived"}, {SURVIVOR: DIFF}, {TAKE}, whole=True)
    assert not passed
    assert said.endswith("fewer than 85% of the mutants were noticed")


@pytest.mark.parametrize("whole", [True, False])
def test_what_survives_no_longer_is_said_where_everything_was_tried(whole: bool) -> None:
    said, passed = mutants.verdict(MANY, {}, {TAKE}, whole=whole)
    assert passed
    gone = "explained, but it survives no longer: engine.locks.take: -return free > 0; +return free >= 0"
    assert (gone in said) is whole


def test_one_module_is_mutated_and_every_mistake_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mutants.main(["tidemill.engine.stages.*"], tmp_path / "build") == 0
    said = capsys.readouterr().out
    assert "\nengine.stages " in said
    assert "0 survivors" in said


def test_where_tests_notice_nothing_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blind(build: Path) -> None:
        prepare(build)
        tests = build / "tests" / "engine"
        for path in tests.glob("test_*.py"):
            path.unlink()
        (tests / "test_blind.py").write_text(
            '"""Calls and looks away."""\nfrom tidemill.engine.expansion import room\n\n\n'
            "def test_room() -> None:\n    room(1)\n",
            encoding="utf-8",
        )

    prepare = mutants.prepare
    monkeypatch.setattr(mutants, "prepare", blind)
    assert mutants.main(["tidemill.engine.expansion.x_room__*"], tmp_path / "build") == 1
    said = capsys.readouterr().out
    assert "not explained: tidemill.engine.expansion.x_room__mutmut_" in said
    assert "fewer than 85%" in said


def test_where_nothing_can_be_measured_the_run_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(build: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(arguments, 2, stdout="", stderr="the tests fail without a mutant\n")

    monkeypatch.setattr(mutants, "mutmut", broken)
    assert mutants.main([], tmp_path / "build") == 1
    said = capsys.readouterr().out
    assert said.startswith("the tests fail without a mutant\n")
    assert "mutmut ended with exit status 2 and 0 mutants: nothing was measured" in said
