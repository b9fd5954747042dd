"""What DFFML's types say of themselves, how operations are found, and networks that are used by hand."""

import asyncio
import unittest
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, NewType

import pytest

import tidemill as dffml
from tidemill.df.base import BaseConfig, OperationImplementation, op
from tidemill.df.exceptions import InputValidationError
from tidemill.df.memory import (
    MemoryInputSet,
    MemoryInputSetConfig,
    MemoryKeyValueStore,
    MemoryOperationImplementationNetwork,
    MemoryOrchestrator,
    MemoryOrchestratorConfig,
    MemoryRedundancyChecker,
)
from tidemill.df.types import DataFlow, Definition, Forward, Input, InputFlow, Operation, Parameter
from tidemill.operation.output import GetSingle
from tidemill.runtime import find
from tidemill.util.asynctestcase import AsyncTestCase, relative_chdir, relative_path

GRAIN = Definition(name="grain", primitive="string")
FLOUR = Definition(name="flour", primitive="string")


@op(inputs={"grain": GRAIN}, outputs={"flour": FLOUR})
async def grind(grain: str) -> dict[str, Any]:
    return {"flour": f"{grain} flour"}


@op(inputs={"flour": FLOUR}, outputs={"bread": Definition("bread", "string")})
def bake(flour: str) -> dict[str, str]:
    return {"bread": f"{flour} bread"}


def asking(operation: Any, *names: Any) -> Input:
    return Input(value=list(names), definition=operation.op.inputs["spec"])


def test_what_is_said_of_types_reads_like_theirs() -> None:
    class Miller(NamedTuple):
        name: str
        age: int = 30

    known = Definition(name="Miller", primitive="map", spec=Miller)
    assert repr(Input(value={"name": "Ada"}, definition=known)) == f"Input(value={Miller('Ada')}, definition=Miller)"
    assert (repr(GRAIN), str(GRAIN)) == ("grain", "grain")
    assert Definition._fromdict(**known.export()).export() == known.export()
    linked = Definition("a", "int", links=(GRAIN,))
    assert Definition._fromdict(name="a", primitive="int", links=[tuple(GRAIN.export().items())]) == linked
    assert dffml.new_type_to_defininition(NewType("Stone", str)).name == "Stone"
    assert dffml.create_definition("stone", list[int]).primitive == "array"
    assert Parameter("key", 1, Input(1, GRAIN), GRAIN).key == "key"
    forward = Forward()
    forward.add("instance", definition_list=[GRAIN])
    assert forward.get_instances_to_forward(GRAIN) == ["instance"]
    assert Forward(None).book == {}  # type: ignore[arg-type]
    both = InputFlow(inputs={"a": [{"seed": ["b", "c"]}], "d": [{"one": "out"}]})
    assert both.get_alternate_definitions(next(iter(both.inputs["a"][0].items()))) == (["b", "c"], "seed")
    assert both.get_alternate_definitions(("one", "out")) == ([], ("one", "out"))
    assert InputFlow(None, None) == InputFlow()  # type: ignore[arg-type]
    assert Operation.definitions(grind.op, bake.op).keys() == {"grain", "flour", "bread"}


def test_a_check_may_refuse_without_a_word() -> None:
    def refuse(value: Any) -> Any:
        raise InputValidationError

    with pytest.raises(InputValidationError):
        Input(1, Definition("never", "int", validate=refuse))


def test_operations_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {name: [metadata.EntryPoint(name, f"{__name__}:{name}", "g")] for name in ("grind", "bake", "GRAIN")}
    things = {f"{__name__}:grind": grind, f"{__name__}:bake": bake.op, f"{__name__}:GRAIN": GRAIN}
    monkeypatch.setattr(find, "entry_points", lambda: entries)
    monkeypatch.setattr(find, "load_attribute", lambda path: things[path])
    assert Operation.load() == [grind.op, bake.op]
    assert Operation.load("bake") is bake.op
    assert OperationImplementation.load() == [grind.imp]
    assert OperationImplementation.load("grind") is grind.imp
    with pytest.raises(dffml.FailedToLoadOperationImplementation, match="is no operation implementation"):
        OperationImplementation.load("bake")
    with pytest.raises(dffml.FailedToLoadOperationImplementation, match="no package announces"):
        OperationImplementation.load("sift")
    with pytest.raises(dffml.FailedToLoadOperation, match="is no operation"):
        Operation.load("GRAIN")


def test_a_function_that_nobody_has_decorated_is_loaded_too() -> None:
    assert OperationImplementation.load("textwrap:dedent").op.name == "textwrap:dedent"
    assert GetSingle.imp is Operation.load("get_single") or Operation.load("get_single") == GetSingle.op


def test_who_looks_for_operations_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Operation, "finder", None)
    monkeypatch.setattr(OperationImplementation, "finder", None)
    with pytest.raises(dffml.FailedToLoadOperation, match="import tidemill.runtime.find"):
        Operation.load("a")
    with pytest.raises(dffml.FailedToLoadOperationImplementation, match="import tidemill.runtime.find"):
        OperationImplementation.load("a")


def test_orchestrators_are_configured_in_every_way() -> None:
    nested = {"orchestrator": {"plugin": "memory", "config": {"memory": {"plugin": None, "config": {
        "max-ctxs": {"plugin": ["5"], "config": {}}}}}}}  # fmt: skip
    for made in (
        MemoryOrchestrator(max_ctxs=5),
        MemoryOrchestrator(MemoryOrchestratorConfig(max_ctxs=5)),
        MemoryOrchestrator.withconfig({"max_ctxs": 5}),
    ):
        assert (made.max_ctxs, made.config.max_ctxs) == (5, 5)
    assert MemoryOrchestrator.withconfig(nested).max_ctxs == 5
    assert MemoryOrchestrator.withconfig({}).max_ctxs is None


async def test_key_value_stores_and_checkers() -> None:
    async with MemoryKeyValueStore(BaseConfig()) as store, store() as context:
        assert await context.get("feed") is None
        await context.set("feed", b"face")
        assert await context.get("feed") == b"face"
        assert not await context.conditional_set("other", b"1")
        assert await context.conditional_set("feed", b"2")
    async with MemoryRedundancyChecker() as checker, checker() as context:
        assert not await context.exists(grind.op, OneParameter("rye"))
        await context.add(grind.op, OneParameter("rye"))
        assert await context.exists(grind.op, OneParameter("rye"))
        assert not await context.exists(grind.op, OneParameter("oat"))


class OneParameter:
    """A parameter set with one parameter."""

    def __init__(self, uid: str) -> None:
        self.ctx = dffml.StringInputSetContext("a")
        self._parameter = Parameter("grain", uid, Input(uid, GRAIN, uid=uid), GRAIN)

    async def parameters(self) -> AsyncIterator[Parameter]:
        yield self._parameter


async def test_implementations_are_run_by_hand() -> None:
    tries = []

    @op(inputs={"grain": GRAIN}, outputs={"flour": FLOUR}, retry=2)
    async def slips(grain: str) -> dict[str, str]:
        tries.append(grain)
        if len(tries) < 2:
            raise ValueError("slipped")
        return {"flour": grain}

    async with MemoryOperationImplementationNetwork.withconfig({}) as network, network() as context:
        assert not await context.contains(grind.op)
        with pytest.raises(dffml.OperationImplementationNotInstantiable):
            await context.run(None, None, grind.op._replace(name="nowhere"), {})
        with pytest.raises(dffml.OperationImplementationNotInstantiated):
            await context.run(None, None, GetSingle.op, {})
        await context.instantiate(GetSingle.op, BaseConfig())
        await context.instantiate(slips.op, config=BaseConfig(), opimp=slips.imp)
        assert await context.instantiable(grind.op, opimp=grind.imp)
        assert await context.run(None, None, slips.op, {"grain": "rye"}) == {"flour": "rye"}
        assert tries == ["rye", "rye"]
        tries.clear()
        with pytest.raises(ValueError, match="slipped"):
            await context.run(None, None, slips.op._replace(retry=0), {"grain": "rye"})
    made = MemoryOperationImplementationNetwork(operations={grind.op.name: grind.imp(None)})
    async with made as network, network() as context:
        assert (await context.run(None, None, grind.op, {"grain": "oat"}))["flour"] == "oat flour"


async def test_sets_of_inputs_are_edited() -> None:
    checked = Definition("checked", "string", validate="check")
    rye, unseen = Input("rye", GRAIN), Input("oat", checked)
    given = MemoryInputSet(MemoryInputSetConfig(ctx=dffml.StringInputSetContext("a"), inputs=[rye]))
    await given.add(unseen)
    assert await given._asdict() == {"grain": "rye", "checked": "oat"}
    assert await given.definitions() == {GRAIN, checked}
    taken = await given.remove_unvalidated_inputs()
    assert ([item async for item in given.inputs()], list(taken)) == ([rye], [unseen])
    await given.remove_input(unseen)
    await given.remove_input(rye)
    assert list(given) == []
    with pytest.raises(NotImplementedError):
        dffml.BaseInputSet(given.config).inputs()
    with pytest.raises(NotImplementedError):
        dffml.BaseContextHandle(given.ctx).as_string()


class Case(AsyncTestCase):
    """A test case as DFFML's plugins write them."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.there = self.mktempfile(suffix=".txt", text="  rye\n  oat")

    async def test_it(self) -> None:
        self.assertEqual(await asyncio.to_thread(Path(self.there).read_text), "rye\noat\n")
        flow = DataFlow(grind, GetSingle, seed=[asking(GetSingle, "flour")])
        await self.assertRunDataFlow(flow, {"a": ([Input("rye", GRAIN)], {"flour": "rye flour"})})

    async def test_it_fails(self) -> None:
        flow = DataFlow(grind, GetSingle, seed=[asking(GetSingle, "flour")])
        await self.assertRunDataFlow(flow, {"a": ([Input("rye", GRAIN)], {"flour": "rye"})})

    async def test_it_is_skipped(self) -> None:
        self.required_plugins("pytest", "nobody-has-this-package")


Case.__test__ = False  # type: ignore[attr-defined]


def test_a_test_case_runs_coroutines() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.errors, len(result.failures), len(result.skipped)) == (3, [], 1, 1)
    assert "nobody-has-this-package" in result.skipped[0][1]
    with relative_chdir("..") as folder:
        assert (folder / "compat").is_dir()
    assert relative_path("test_api_parts.py").exists()
