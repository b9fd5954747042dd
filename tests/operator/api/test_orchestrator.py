"""`KubernetesOrchestrator` against an operator, the API and a worker: as a program uses it, and what it refuses."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.operator.api.conftest import TOKEN, Client
from tests.operator.words import LENGTH, WORD, measure
from tests.orchestrator.support import listed
from tidemill import (
    ContextClosed,
    DataFlow,
    Definition,
    GetMulti,
    Input,
    InvalidInput,
    KubernetesOrchestrator,
    OperationException,
    RunDataFlowConfig,
    StringInputSetContext,
    TidemillError,
    op,
    run,
    run_dataflow,
)
from tidemill.journal.lineage import lineage
from tidemill.journal.rebuilt import rebuilt

FLOW = DataFlow(measure, GetMulti, seed=[Input(["length"], GetMulti.op.inputs["spec"])])


@pytest.fixture
def said(client: Client, tmp_path: Path) -> dict[str, Any]:
    """What an orchestrator has to be told here."""
    (tmp_path / "token").write_text(TOKEN)
    return {
        "namespace": client.stage.namespace,
        "server": client.stage.cluster._configuration.host,
        "api": client.root,
        "token_file": str(tmp_path / "token"),
    }


@pytest.fixture
async def working(client: Client, said: dict[str, Any]) -> AsyncIterator[KubernetesOrchestrator]:
    """An orchestrator whose object is called mine and has a worker."""
    client.stage.work(pool="mine.default")
    async with KubernetesOrchestrator(name="mine", image="words:1", **said) as orchestrator:
        yield orchestrator


async def test_contexts_are_run_there_and_their_results_come_back(
    working: KubernetesOrchestrator, client: Client
) -> None:
    sets = {"a name / of any kind": [Input("tide", WORD)], "ä": [Input("a", WORD), Input("bc", WORD)]}
    named = StringInputSetContext("third")
    found = {}
    async with working(FLOW) as octx:
        async for ctx, result in octx.run({**sets, named: [Input("mill", WORD)]}):
            found[str(ctx)] = result
            assert str(ctx) != "third" or ctx is named
        assert found == {"a name / of any kind": {"length": [4]}, "ä": {"length": [1, 2]}, "third": {"length": [4]}}
        again = [result async for _, result in octx.run({"third": [Input("tides", WORD)]})]
        assert again == [{"length": [5]}]
        progress = await octx.look()
        assert progress.contexts == {"open": 0, "succeeded": 4, "failed": 0}
        assert progress.operations["tests.operator.words:measure"].completed == 5
    spec = client.stage.get("mine")["spec"]
    assert spec["pools"] == [{"name": "default", "image": "words:1"}]


async def test_it_is_one_orchestrator_like_the_others(working: KubernetesOrchestrator, said: dict[str, Any]) -> None:
    pairs = [result async for _, result in run(FLOW, [Input("tide", WORD)], orchestrator=working)]
    assert pairs == [{"length": [4]}]
    nested = {"orchestrator": {"plugin": None, "config": {"kubernetes": {"plugin": None, "config": {
        name: {"plugin": value, "config": {}} for name, value in {**said, "name": "mine"}.items()}}}}}  # fmt: skip
    async with KubernetesOrchestrator.withconfig(nested) as orchestrator, orchestrator(FLOW) as octx:
        assert [result async for _, result in octx.run([Input("mi", WORD)])] == [{"length": [2]}]


async def test_a_failure_fails_its_context_and_no_other(working: KubernetesOrchestrator) -> None:
    found = []
    with pytest.raises(OperationException, match="a bad word") as caught:
        async with working(FLOW) as octx:
            async for ctx, result in octx.run({"bad": [Input("bad", WORD)], "good": [Input("tide", WORD)]}):
                found.append((str(ctx), result))
    assert found == [("good", {"length": [4]})]
    assert caught.value.failure.context == "bad"
    assert caught.value.failure.instance == "tests.operator.words:measure"
    async with working(FLOW, strict=False) as octx:
        (outcome,) = [one async for one in octx.outcomes({"bad": [Input("bad", WORD)]})]
    assert outcome.failure is None
    assert [one.reason for one in outcome.failures] == ["Exception", "DefinitionNotInContext"]


async def _there(octx: Any) -> str:
    """Wait until a context is open on the cluster, and return what it is called there."""
    for _ in range(1000):
        if found := (await octx.client.get("contexts"))["contexts"]:
            return str(found[0])
        await asyncio.sleep(0.02)
    raise AssertionError("no context was opened")


async def test_leaving_early_cancels_what_is_open(client: Client, said: dict[str, Any]) -> None:
    async with KubernetesOrchestrator(name="mine", **said) as orchestrator, orchestrator(FLOW) as octx:
        reading = asyncio.create_task(listed(octx.run([Input("tide", WORD)])))
        name = await _there(octx)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert octx.counts == {"open": 0, "succeeded": 0, "failed": 1}
        assert (await octx.client.get("contexts", name))["failure"]["reason"] == "Cancelled"


async def test_halt_cancels_what_is_open(client: Client, said: dict[str, Any]) -> None:
    halt = asyncio.Event()
    async with KubernetesOrchestrator(name="mine", **said) as orchestrator, orchestrator(FLOW) as octx:
        reading = asyncio.create_task(listed(octx.outcomes({"slow": [Input("tide", WORD)]}, halt=halt)))
        await _there(octx)
        halt.set()
        (outcome,) = await reading
    assert outcome.name == "slow"
    assert outcome.failure is not None
    assert outcome.failure.reason == "Cancelled"


async def test_an_object_without_a_name_is_gone_afterwards(client: Client, said: dict[str, Any]) -> None:
    async with KubernetesOrchestrator(**said) as orchestrator, orchestrator(FLOW) as octx:
        assert client.stage.get(octx.name)["spec"]["operations"]
        assert await octx.unserved() != []
    await client.stage.until(lambda: not client.stage.get(octx.name), "it is gone")


async def test_a_data_flow_that_is_refused_says_why(said: dict[str, Any], client: Client) -> None:
    @op(inputs={"word": WORD}, outputs={"length": LENGTH})
    async def local(word: str) -> dict[str, int]:
        return {"length": len(word)}

    client.stage.api.refuse = lambda verb, path: 403 if verb == "PATCH" and path.endswith("dataflows/mine") else None
    async with KubernetesOrchestrator(name="mine", **said) as orchestrator:
        with pytest.raises(TidemillError, match="refused by the test") as caught:
            await orchestrator(DataFlow(local)).__aenter__()
    assert caught.value.reason == "Refused"


async def test_what_no_operator_looks_at_is_said(said: dict[str, Any]) -> None:
    async with KubernetesOrchestrator(name="mine", **{**said, "namespace": "nobodys", "timeout": 0.2}) as orchestrator:
        with pytest.raises(TidemillError, match="no operator has looked at") as caught:
            await orchestrator(FLOW).__aenter__()
    assert caught.value.reason == "NotAccepted"


WRONG = {
    "NotJson": Input(object(), Definition("word", "generic")),
    "NotSupported": Input("tide", WORD, parents=[Input("mill", WORD)]),
    "TypeMismatch": Input(7, WORD),
    "UnknownDefinition": Input("tide", Definition("wrod", "string")),
}


@pytest.fixture
async def journalled(client: Client, said: dict[str, Any]) -> AsyncIterator[KubernetesOrchestrator]:
    """An orchestrator whose object is called mine, has a worker, and whose contexts keep a journal."""
    client.stage.work(pool="mine.default")
    async with KubernetesOrchestrator.withconfig({**said, "name": "mine", "journal": "true"}) as orchestrator:
        yield orchestrator


async def test_what_happened_to_contexts_is_read_under_their_own_names(
    journalled: KubernetesOrchestrator, client: Client
) -> None:
    async with journalled(FLOW) as octx:
        sets = {"a / name": [Input("tide", WORD)], "second": [Input("a", WORD), Input("bc", WORD)]}
        results = {str(ctx): result async for ctx, result in octx.run(sets)}
        states = {}
        for name, result in results.items():
            events = [event async for event in octx.backend.journal(name)]
            assert {event.context for event in events} == {name}
            assert [event.id for event in events] == list(range(1, len(events) + 1))
            state = states[name] = rebuilt(events)
            assert (state.status, state.result) == ("succeeded", result)
            assert [event async for event in octx.backend.journal(name, after=5)] == events[5:]
            assert [event async for event in octx.backend.journal(name, follow=True)] == events
        found = lineage(states, "second")
        given = sorted(node.what["value"] for node in found.nodes.values() if node.name == "word")
        assert given == ["a", "bc"]
        with pytest.raises(ContextClosed) as caught:
            await anext(octx.backend.journal("nobody"))
        assert caught.value.reason == "NoJournal"
    assert client.stage.get("mine")["spec"]["journal"] is True


async def test_events_are_followed_while_a_context_is_open(journalled: KubernetesOrchestrator, client: Client) -> None:
    async with journalled(FLOW) as octx:
        reading = asyncio.create_task(listed(octx.run({"slow": [Input("-wait", WORD)]})))
        await _there(octx)
        kinds = []
        async with asyncio.timeout(60):
            async for event in octx.backend.journal("slow", follow=True):
                kinds.append(event.kind)
                if event.kind == "leased" and not client.stage.folder.joinpath("go").exists():
                    client.stage.go()
        assert (kinds[0], kinds[-1]) == ("opened", "ended")
        assert [result for _, result in await reading] == [{"length": [5]}]


async def test_child_contexts_have_the_name_of_the_one_above_them(journalled: KubernetesOrchestrator) -> None:
    config = RunDataFlowConfig(dataflow=FLOW)
    outer = DataFlow(operations={"sub": run_dataflow}, configs={"sub": config})
    inner = Input({"inner": [{"value": "tide", "definition": "word"}]}, Definition("flow_inputs", "map"))
    async with journalled(outer) as octx:
        (outcome,) = [one async for one in octx.outcomes({"a / name": [inner]})]
        assert outcome.failure is None
        events = [event async for event in octx.backend.journal("a / name")]
        (child,) = [event.what["child"] for event in events if event.kind == "child"]
        below = [event async for event in octx.backend.journal(child)]
        assert child == "a / name/sub/inner"
        assert {event.context for event in below} == {child}
        assert below[0].what["parent"]["context"] == "a / name"
        assert rebuilt(below).result == {"length": [4]}
        assert [event async for event in octx.backend.journal(child, follow=True)] == below
        assert [event async for event in octx.backend.journal(child, after=below[-1].id, follow=True)] == []
        with pytest.raises(ContextClosed):
            await anext(octx.backend.journal("a / name/sub/other"))


async def test_a_context_without_a_journal_has_no_events(working: KubernetesOrchestrator, client: Client) -> None:
    async with working(FLOW) as octx:
        assert [result async for _, result in octx.run({"ada": [Input("tide", WORD)]})] == [{"length": [4]}]
        for follow in (False, True):
            with pytest.raises(ContextClosed) as caught:
                await anext(octx.backend.journal("ada", follow=follow))
            assert caught.value.reason == "NoJournal"
            assert '"ada"' in caught.value.message
    assert "journal" not in client.stage.get("mine")["spec"]


def test_a_journal_is_kept_or_not() -> None:
    with pytest.raises(TidemillError, match="journal is 100, expected True or False") as caught:
        KubernetesOrchestrator(journal=100)
    assert caught.value.reason == "InvalidConfig"


async def test_what_cannot_be_given_is_refused_and_nothing_else(working: KubernetesOrchestrator) -> None:
    async with working(FLOW) as octx:
        for reason, wrong in WRONG.items():
            with pytest.raises(InvalidInput) as caught:
                await anext(octx.run({"wrong": [wrong]}))
            assert caught.value.reason == reason
        assert [result async for _, result in octx.run([Input("tide", WORD)])] == [{"length": [4]}]


async def test_who_may_not_is_told_so(said: dict[str, Any], client: Client) -> None:
    client.stage.api.allow = lambda user, asked: False
    async with KubernetesOrchestrator(name="mine", **said) as orchestrator, orchestrator(FLOW) as octx:
        with pytest.raises(TidemillError, match="may not create") as caught:
            await anext(octx.run([Input("tide", WORD)]))
    assert caught.value.reason == "Forbidden"


async def test_a_token_file_that_is_not_there_is_said(said: dict[str, Any]) -> None:
    with pytest.raises(TidemillError, match="cannot be read") as caught:
        await KubernetesOrchestrator(**{**said, "token_file": "/no such file"}).__aenter__()
    assert caught.value.reason == "NoToken"
