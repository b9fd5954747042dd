"""Functions that child processes find by themselves: in modules, in files that were loaded by path, in programs."""

import importlib.util
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE, GO, NOTED, outcomes
from tidemill import DataFlow, GetSingle, Input, Operation, Outcome
from tidemill.runtime.located import Place, found_at, locate

PLAIN = """
import os

class Pair:
    def __init__(self, one):
        self.one = one

def plain(go):
    return {"noted": [go, os.getpid()]}

def paired(go):
    return {"noted": Pair(go)}

class Holder:
    @staticmethod
    def inner(go):
        return {"noted": [go, os.getpid()]}
"""

PROGRAM = """
import os
from tidemill import DataFlow, Definition, GetSingle, Input, Operation, noasync

GO, NOTED = Definition("go"), Definition("noted")

def plain(go):
    return {"noted": [go, os.getpid() != go]}

if __name__ == "__main__":
    for executor in ("process", "subprocess"):
        operation = Operation("plain", inputs={"go": GO}, outputs={"noted": NOTED}, executor=executor)
        flow = DataFlow(operation, GetSingle, implementations={"plain": plain},
                        seed=[Input(["noted"], GetSingle.op.inputs["spec"])])
        ((_, result),) = noasync.run(flow, [Input(os.getpid(), GO)])
        assert result == {"noted": [os.getpid(), True]}
    print("good")
"""


@pytest.fixture(autouse=True)
def unimported() -> Iterator[None]:
    """Forget what a test has imported."""
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def _loaded(file: Path, *, known: bool) -> Any:
    """Load a file as a module by its path; ``known``: as programs that load plug-ins do it."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if known:
        sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


async def _outcome(function: Any, executor: str) -> Outcome:
    operation = Operation("named", inputs={"go": GO}, outputs={"noted": NOTED}, executor=executor)
    asked = Input(["noted"], GetSingle.op.inputs["spec"])
    flow = DataFlow(operation, GetSingle, implementations={"named": function}, seed=[asked])
    (ended,) = await outcomes(flow, [Input(1, GO)])
    return ended


async def _ran_elsewhere(function: Any, executor: str) -> bool:
    ended = await _outcome(function, executor)
    assert ended.failure is None, ended.failure
    assert ended.result is not None
    go, pid = ended.result["noted"]
    return bool(go == 1 and pid != os.getpid())


@pytest.mark.parametrize("executor", ["process", "subprocess"])
async def test_a_function_that_nobody_decorated_runs_in_a_process(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "plain_code.py").write_text(PLAIN)
    module = importlib.import_module("plain_code")
    assert await _ran_elsewhere(module.plain, executor)
    assert not hasattr(module.plain, "op")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("name", ["plain", "Holder.inner"])
async def test_a_function_of_a_file_that_was_loaded_by_path_runs_in_a_process(
    known: bool, name: str, tmp_path: Path
) -> None:
    (tmp_path / "by_path.py").write_text(PLAIN)
    found = _loaded(tmp_path / "by_path.py", known=known)
    for part in name.split("."):
        found = getattr(found, part)
    assert await _ran_elsewhere(found, "process")


async def test_a_file_that_has_the_name_of_another_module_is_still_the_one_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text(PLAIN)
    assert await _ran_elsewhere(_loaded(tmp_path / "colorsys.py", known=False).plain, "subprocess")


async def test_a_function_of_a_file_that_runpy_ran_runs_in_a_process(tmp_path: Path) -> None:
    (tmp_path / "by_path.py").write_text(PLAIN)
    assert await _ran_elsewhere(runpy.run_path(str(tmp_path / "by_path.py"))["plain"], "process")


async def test_objects_of_classes_of_a_file_that_was_loaded_by_path_come_back(tmp_path: Path) -> None:
    (tmp_path / "by_path.py").write_text(PLAIN)
    module = _loaded(tmp_path / "by_path.py", known=True)
    ended = await _outcome(module.paired, "process")
    assert ended.result is not None
    assert type(ended.result["noted"]) is module.Pair


async def test_a_module_that_another_process_cannot_import_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "once.py").write_text(PLAIN)
    module = importlib.import_module("once")
    (tmp_path / "once.py").write_text("import tidemill_not_there")
    ended = await _outcome(module.plain, "process")
    assert ended.failure is not None
    assert ended.failure.reason == "OperationLoadError"
    said = "once:plain cannot be imported in its process: ModuleNotFoundError: No module named 'tidemill_not_there'"
    assert ended.failure.message == said


@pytest.mark.parametrize("how", ["file", "module", "package"])
def test_a_function_of_the_program_itself_runs_in_processes(how: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "__main__.py").write_text(PROGRAM)
    (tmp_path / "packed" / "__init__.py").touch()
    arguments = {"file": ["program.py"], "module": ["-m", "program"], "package": ["-m", "packed"]}[how]
    done = _python(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (0, "good\n"), done.stderr


def test_a_function_of_a_program_that_is_in_no_file_is_refused(tmp_path: Path) -> None:
    done = _python(tmp_path, "-c", PROGRAM)
    assert done.returncode == 1
    assert '"plain" cannot be imported by another process, as the program is in no file; write it to' in done.stderr


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_function_is_located_by_its_module_name_and_file() -> None:
    assert locate(os.path.join) == Place(os.path.__name__, "join", os.path.__file__)
    assert locate(len) == Place("builtins", "len", None)


def _maker() -> Any:
    def made() -> int:
        return 1

    return made


@pytest.mark.parametrize("function", [lambda: 1, _maker()], ids=["lambda", "function in a function"])
def test_what_another_process_could_not_import_is_refused(function: Any) -> None:
    with pytest.raises(ValueError, match="cannot be imported by another process; define it at the top level"):
        locate(function)


def test_an_object_that_can_be_called_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(ValueError, match="an object of type partial cannot be imported .* write a function at the top"):
        locate(partial(_maker))


def test_a_module_is_loaded_by_its_file_once(tmp_path: Path) -> None:
    file = tmp_path / "counted.py"
    file.write_text("def one(): ...\ndef other(): ...\n")
    one, other = (found_at(Place("counted", name, str(file))) for name in ("one", "other"))
    assert one.__globals__ is other.__globals__


def test_a_module_that_raises_while_it_is_loaded_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "raising.py").write_text("raise LookupError")
    with pytest.raises(LookupError):
        found_at(Place("raising", "one", str(tmp_path / "raising.py")))
    assert "raising" not in sys.modules


def test_what_is_no_python_file_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "text.txt").touch()
    with pytest.raises(ImportError, match=r"text\.txt is no Python file"):
        found_at(Place("text_of_nothing", "one", str(tmp_path / "text.txt")))


def test_a_module_of_an_archive_is_imported_by_its_name(tmp_path: Path) -> None:
    assert found_at(Place("os.path", "join", str(tmp_path / "archive.zip" / "path.py"))) is os.path.join


def test_the_file_of_a_program_is_loaded_as_no_program(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("def name(): return __name__")
    assert found_at(Place("__main__", "name", str(tmp_path / "program.py")))() == "__mp_main__"
