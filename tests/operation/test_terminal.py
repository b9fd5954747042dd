"""Operations that talk to a terminal, and those that run programs."""

import sys
from typing import Any

import pytest

from tidemill import DataFlow, GetSingle, Input, InvalidInput, noasync
from tidemill.operation import subprocess as programs
from tidemill.operation.io import AcceptUserInput, print_output


def test_a_line_that_somebody_types_is_an_output(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr("builtins.input", lambda: "barley")
    flow = DataFlow.auto(AcceptUserInput, GetSingle)
    flow.seed.append(Input(["UserInput"], GetSingle.op.inputs["spec"]))
    assert [result for _, result in noasync.run(flow, {"input": []})] == [{"UserInput": "barley"}]
    assert capsys.readouterr().out == "Enter the value: "


def test_a_value_is_printed(capsys: Any) -> None:
    list(noasync.run(DataFlow(print_output), [Input({"a": 1}, print_output.op.inputs["data"])]))
    assert capsys.readouterr().out == "{'a': 1}\n"


async def test_a_program_gets_its_words_as_they_are() -> None:
    code = "import sys; print(sys.argv[1:]); print('wrong', file=sys.stderr); sys.exit(3)"
    found = await programs.subprocess_line_by_line.test(cmd=[sys.executable, "-c", code, "a b", "$(id)", "; ls"])
    assert found == {"stdout": "['a b', '$(id)', '; ls']\n", "stderr": "wrong\n", "returncode": 3}


async def test_a_program_runs_in_the_directory_that_is_asked_for(tmp_path: Any) -> None:
    code = "import os; print(os.listdir())"
    (tmp_path / "here.txt").touch()
    found = await programs.subprocess_line_by_line.test(cmd=[sys.executable, "-c", code], cwd=str(tmp_path))
    assert found["stdout"] == "['here.txt']\n"


@pytest.mark.parametrize("command", ["echo hi", ["echo", 1]])
async def test_a_command_is_a_list_of_words(command: Any) -> None:
    with pytest.raises(InvalidInput, match="a list of words"):
        await programs.subprocess_line_by_line.test(cmd=command)


async def test_pip_is_asked_for_packages_only(monkeypatch: Any) -> None:
    asked: list[list[str]] = []

    async def ran(words: list[str], cwd: str | None = None) -> tuple[int, str, str]:
        asked.append(words[1:])
        return (1 if "missing" in words else 0), "", "no such package"

    monkeypatch.setattr(programs, "_ran", ran)
    assert await programs.pip_install.test(packages=["rye"], upgrade=True) == {"result": ["rye"]}
    assert asked == [["-m", "pip", "install", "--upgrade", "rye"]]
    with pytest.raises(RuntimeError, match="no such package"):
        await programs.pip_install.test(packages=["missing"])
    with pytest.raises(InvalidInput, match="no name of a package"):
        await programs.pip_install.test(packages=["--index-url=x"])
