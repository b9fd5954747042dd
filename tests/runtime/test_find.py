"""Finding the code behind an operation: what is announced, what is importable, and what is there but does not fit."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.runtime.beside import GO, NOTED, outcomes
from tidemill import (
    DataFlow,
    FailedToLoadOperation,
    FailedToLoadOperationImplementation,
    GetSingle,
    Input,
    LoadError,
    MemoryOrchestrator,
    Operation,
    OperationImplementation,
    OperationImplementationContext,
    op,
)
from tidemill.runtime.find import entry_points, find_implementation, find_operation, load_attribute, said_elsewhere

CODE = """
from tidemill import Definition, Operation, op

@op(inputs={"go": Definition("go")}, outputs={"noted": Definition("noted")}, name="found")
async def found(go):
    return {"noted": "by entry point"}

class Holder:
    found = found

not_an_operation = 7
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what installs a distribution: its entry points by group, and the source of its modules."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def make(name: str, points: dict[str, dict[str, str]], **modules: str) -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [line for group, said in points.items()
                 for line in (f"[{group}]", *(f"{key} = {value}" for key, value in said.items()), "")]  # fmt: skip
        (info / "entry_points.txt").write_text("\n".join(lines))
        for module, source in modules.items():
            (tmp_path / f"{module}.py").write_text(source)
            monkeypatch.delitem(sys.modules, module, raising=False)

    yield make
    for module in set(sys.modules) - before:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[module]


# -- what is announced ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["tidemill.operations", "dffml.operation"])
def test_an_operation_is_found_by_its_entry_point(install: Install, group: str) -> None:
    install("one", {group: {"found": "one_code:found"}}, one_code=CODE)
    assert find_operation("found").op.name == "found"


def test_an_attribute_of_a_class_can_be_announced(install: Install) -> None:
    install("one", {"tidemill.operations": {"found": "one_code:Holder.found"}}, one_code=CODE)
    assert find_operation("found").op.name == "found"


def test_the_operations_that_come_with_tidemill_are_announced() -> None:
    assert find_operation("get_single") is GetSingle
    assert {"associate", "get_multi", "group_by", "dffml.dataflow.run"} <= set(entry_points())


def test_looking_at_what_is_announced_imports_nothing(install: Install) -> None:
    install("one", {"tidemill.operations": {"found": "one_code:found"}}, one_code=CODE)
    assert [entry.value for entry in entry_points()["found"]] == ["one_code:found"]
    assert "one_code" not in sys.modules


def test_tidemills_own_group_comes_before_dffmls(install: Install) -> None:
    install("one", {"dffml.operation": {"found": "absent:found"}})
    install("two", {"tidemill.operations": {"found": "two_code:found"}}, two_code=CODE)
    assert find_operation("found").op.name == "found"


@pytest.mark.parametrize("group", ["tidemill.operations", "dffml.operation"])
def test_two_packages_that_announce_one_name_are_ambiguous(install: Install, group: str) -> None:
    install("one", {group: {"found": "one_code:found"}}, one_code=CODE)
    install("two", {group: {"found": "two_code:found"}}, two_code=CODE)
    with pytest.raises(FailedToLoadOperation) as raised:
        find_operation("found")
    assert raised.value.reason == "AmbiguousOperation"
    assert raised.value.path == "found"
    assert "one_code:found" in raised.value.message
    assert "two_code:found" in raised.value.message


def test_one_thing_that_is_announced_twice_is_not_ambiguous(install: Install) -> None:
    install("one", {"tidemill.operations": {"found": "one_code:found"}}, one_code=CODE)
    install("two", {"tidemill.operations": {"found": "one_code:found"}})
    assert find_operation("found").op.name == "found"


def test_an_unknown_name_says_which_ones_there_are_and_what_to_do() -> None:
    with pytest.raises(FailedToLoadOperation) as raised:
        find_operation("get_singel")
    assert raised.value.reason == "OperationLoadError"
    assert 'did you mean "get_single"?' in raised.value.message
    assert "module:attribute" in raised.value.message


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a program announces through pkg_resources in the group of DFFML."""
    announced: dict[str, Any] = {}

    def iter_entry_points(group: str) -> list[Any]:
        things = announced.items() if group == "dffml.operation" else ()
        return [SimpleNamespace(name=name, load=lambda thing=thing: thing) for name, thing in things]

    monkeypatch.setitem(sys.modules, "pkg_resources", SimpleNamespace(iter_entry_points=iter_entry_points))
    return announced


def test_what_a_program_announces_through_pkg_resources_is_found(elsewhere: dict[str, Any]) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED})
    async def ground(go: str) -> dict[str, str]:
        return {"noted": go}

    elsewhere["grind"] = ground
    elsewhere["get_single"] = ground
    assert find_operation("grind") is ground
    assert Operation.load("grind") == ground.op
    assert OperationImplementation.load("grind") is ground.imp
    assert ground.op in Operation.load()
    assert ground.imp in OperationImplementation.load()
    assert Operation.load("get_single") == GetSingle.op  # what packages say of themselves comes first


def test_pkg_resources_is_not_asked_where_nobody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pkg_resources", raising=False)
    assert said_elsewhere("dffml.operation") == {}
    assert "pkg_resources" not in sys.modules


# -- what is importable -----------------------------------------------------------------------------------------------


def test_code_is_named_by_module_and_attribute(install: Install) -> None:
    install("one", {}, one_code=CODE)
    assert find_operation("one_code:found").op.name == "found"
    assert load_attribute("one_code:Holder.found").op.name == "found"
    assert inspect.ismodule(load_attribute("one_code"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import tidemill_not_there", "ModuleNotFoundError: No module named 'tidemill_not_there'"),
        ("def", "SyntaxError: "),
        ("raise LookupError('while importing')", "LookupError: while importing"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "SystemExit: 2"),
    ],
)
def test_whatever_a_module_raises_while_it_is_imported_is_a_load_error(
    install: Install, source: str, said: str
) -> None:
    install("one", {"tidemill.operations": {"found": "one_code:found"}}, one_code=source)
    with pytest.raises(FailedToLoadOperation, match=re.escape(f"one_code:found: {said}")) as raised:
        find_operation("found")
    assert raised.value.reason == "OperationLoadError"


def test_a_module_that_is_not_there_is_a_load_error() -> None:
    with pytest.raises(FailedToLoadOperation, match="ModuleNotFoundError: No module named 'tidemill_not_there'"):
        find_operation("tidemill_not_there:found")


def test_an_attribute_that_is_not_there_says_the_nearest_one(install: Install) -> None:
    install("one", {}, one_code=CODE)
    with pytest.raises(FailedToLoadOperation, match='"fuond" is not there .*did you mean "found"') as raised:
        find_operation("one_code:fuond")
    assert raised.value.path == "one_code:fuond"


@pytest.mark.parametrize("path", ["", ":found", "..:found", ".one:found"])
def test_what_names_no_module_is_a_load_error(path: str) -> None:
    with pytest.raises(LoadError):
        load_attribute(path)


# -- implementations --------------------------------------------------------------------------------------------------


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="made")
async def made(go: Any) -> dict[str, Any]:
    return {"noted": go}


class MadeContext(OperationImplementationContext):
    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"noted": inputs["go"]}


class Made(OperationImplementation):
    op = Operation("made", inputs={"go": GO}, outputs={"noted": NOTED})
    CONTEXT = MadeContext


def plain(go: Any, *, twice: bool = False) -> dict[str, Any]:
    """A function that nobody has decorated."""
    return {"noted": (go, twice)}


@pytest.mark.parametrize("given", [made, made.imp, Made])
@pytest.mark.parametrize("key", ["instance", "made"])
def test_the_data_flow_brings_implementations_by_instance_or_name(given: Any, key: str) -> None:
    operation = made.op._replace(instance_name="instance")
    found = find_implementation(operation, {key: given})
    assert found is (made.imp if given is made else given)


def test_the_instance_comes_before_the_name() -> None:
    operation = made.op._replace(instance_name="instance")
    assert find_implementation(operation, {"made": made, "instance": Made}) is Made


def test_a_plain_function_becomes_an_implementation_and_stays_plain() -> None:
    found: Any = find_implementation(made.op, {"made": plain})
    assert found.op.name == "made"
    assert not hasattr(plain, "op")
    assert found.function is plain  # the very one that its module has: a child process imports it from there
    assert found.function(1) == {"noted": (1, False)}


async def test_a_partial_is_an_implementation_whose_other_arguments_are_set() -> None:
    operation = Operation("made", inputs={"go": GO}, outputs={"noted": NOTED})
    asked = Input(["noted"], GetSingle.op.inputs["spec"])
    flow = DataFlow(operation, GetSingle, implementations={"made": partial(plain, twice=True)}, seed=[asked])
    (ended,) = await outcomes(flow, [Input(1, GO)])
    assert ended.result == {"noted": (1, True)}


def test_a_plain_function_that_does_not_fit_is_a_signature_mismatch() -> None:
    operation = Operation("made", inputs={"other": GO}, outputs={"noted": NOTED})
    with pytest.raises(LoadError, match='missing parameter "other"') as raised:
        find_implementation(operation, {"made": plain})
    assert raised.value.reason == "SignatureMismatch"


@pytest.mark.parametrize("given", [7, "made", OperationImplementation, MadeContext, object()])
def test_what_is_no_implementation_is_refused(given: Any) -> None:
    with pytest.raises(FailedToLoadOperationImplementation, match="is no operation implementation; decorate it"):
        find_implementation(made.op, {"made": given})


async def test_a_data_flow_of_names_only_runs_what_is_announced(install: Install) -> None:
    install("one", {"tidemill.operations": {"found": "one_code:found"}}, one_code=CODE)
    operation = Operation("found", inputs={"go": GO}, outputs={"noted": NOTED})
    flow = DataFlow(operations={"found": operation}, seed=[Input("x", GO)])
    async with MemoryOrchestrator() as orchestrator, orchestrator(flow) as octx:
        (ended,) = [outcome async for outcome in octx.outcomes()]
    assert ended.failure is None
    assert ended.parameter_sets == 1


async def test_code_that_is_missing_is_told_before_anything_runs() -> None:
    flow = DataFlow(operations={"absent": Operation("absent", inputs={"go": GO})})
    async with MemoryOrchestrator() as orchestrator:
        with pytest.raises(FailedToLoadOperation, match='no package announces an operation "absent"'):
            async with orchestrator(flow):
                raise AssertionError("entered")
