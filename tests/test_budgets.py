"""Files and functions stay within their budgets, and the check is itself seen to refuse what is too long."""

from pathlib import Path

import pytest

from tools import budgets

ROOT = Path(__file__).resolve().parent.parent

LUA_HEADER = """\
-- Takes a parameter set once, whoever asks.
-- KEYS[1] taken: set
-- ARGV[1] digest
-- Returns: 1 when it was new
"""


def function(lines: int) -> str:
    return "def f() -> None:\n" + "    x = 1\n" * (lines - 1)


def test_the_repository_keeps_its_budgets() -> None:
    assert budgets.problems(ROOT) == []


def test_every_source_file_is_looked_at() -> None:
    seen = {path.relative_to(ROOT).as_posix() for path in budgets.files(ROOT)}
    assert {"core/tidemill/__init__.py", "tests/test_budgets.py", "tools/budgets.py"} <= seen
    assert not [path for path in seen if "__pycache__" in path or "/." in path]


@pytest.mark.parametrize("folder", budgets.FOLDERS)
def test_a_file_of_401_lines_is_refused_in_every_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder / "deep").mkdir(parents=True)
    (tmp_path / folder / "deep" / "fits.py").write_text("x = 1\n" * 400)
    (tmp_path / folder / "deep" / "long.py").write_text("x = 1\n" * 401)
    [problem] = budgets.problems(tmp_path)
    assert problem.startswith(f"{folder}/deep/long.py:401: the file has 401 lines, 400 are allowed")


def test_a_function_of_51_lines_is_refused() -> None:
    assert budgets.python_problems("a.py", function(50)) == []
    [problem] = budgets.python_problems("a.py", function(51))
    assert problem.startswith("a.py:1: the function f has 51 lines, 50 are allowed")


def test_coroutines_methods_and_nested_functions_count_as_functions() -> None:
    body = "async " + function(51)
    nested = "class C:\n" + "".join(f"    {line}\n" for line in body.splitlines())
    assert [line.split(":")[1] for line in budgets.python_problems("a.py", nested)] == ["2"]
    outer = "def outer() -> None:\n" + "".join(f"    {line}\n" for line in body.splitlines())
    assert [line.split(":")[1] for line in budgets.python_problems("a.py", outer)] == ["1", "2"]


@pytest.mark.parametrize("comment", ["# noqa: C901", "# noqa: E501, PLR0915", "# noqa"])
def test_a_budget_cannot_be_switched_off_in_one_place(comment: str) -> None:
    [problem] = budgets.python_problems("a.py", f"def f() -> None:  {comment}\n    pass\n")
    assert problem.startswith("a.py:1: a budget is switched off here")
    assert budgets.python_problems("a.py", f'TEXT = "{comment}"  # noqa: E501\n') == []


def test_a_lua_file_of_121_lines_is_refused() -> None:
    assert budgets.lua_problems("a.lua", LUA_HEADER + "local x = 1\n" * 116) == []
    [problem] = budgets.lua_problems("a.lua", LUA_HEADER + "local x = 1\n" * 117)
    assert problem.startswith("a.lua:121: the file has 121 lines, 120 are allowed")


@pytest.mark.parametrize("missing", ["KEYS", "ARGV", "Returns"])
def test_a_lua_header_names_keys_arguments_and_result(missing: str) -> None:
    text = "".join(line for line in LUA_HEADER.splitlines(keepends=True) if missing not in line)
    assert budgets.lua_problems("a.lua", text) == [f"a.lua:1: the header has no line that starts with {missing}"]


def test_a_lua_header_begins_with_what_is_guaranteed() -> None:
    without_promise = "".join(LUA_HEADER.splitlines(keepends=True)[1:])
    expected = ["a.lua:1: the header does not begin with what the function guarantees"]
    assert budgets.lua_problems("a.lua", without_promise) == expected
    assert expected[0] in budgets.lua_problems("a.lua", "local x = 1\n")
    assert budgets.lua_problems("a.lua", "#!lua name=tidemill_1\n" + LUA_HEADER) == []


def test_as_a_program_it_says_what_is_wrong_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "a.py").write_text("x = 1\n")
    assert budgets.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "budgets kept by 1 files\n"
    (tmp_path / "core" / "a.py").write_text(function(60))
    assert budgets.main([str(tmp_path)]) == 1
    assert "the function f has 60 lines" in capsys.readouterr().out
