"""The journal inside one process: bounded, resumable, followed while its context lives."""

import asyncio
from collections.abc import Sequence

import pytest

from tidemill import Definition, Input, MemoryOrchestrator, op
from tidemill.errors import ContextClosed, InvalidInput, TidemillError
from tidemill.journal.event import Event
from tidemill.journal.kept import Journal
from tidemill.model.dataflow import DataFlow

NUMBER, MORE = Definition("number", "int"), Definition("more", "int")


@op(inputs={"number": NUMBER}, outputs={"more": MORE})
async def increase(number: int) -> dict[str, int]:
    """Add one."""
    return {"more": number + 1}


FLOW = DataFlow(increase)


async def run(journal: Journal | None, *names: str) -> None:
    sets = {name: [Input(1, NUMBER), Input(2, NUMBER)] for name in names}
    async with MemoryOrchestrator(journal=journal) as orchestrator, orchestrator(FLOW) as octx:
        async for _ in octx.run(sets):
            pass


async def test_events_after_an_id_are_those_that_follow_it() -> None:
    journal = Journal()
    await run(journal, "ada")
    log = journal.log_of("ada")
    events = log.after(0)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert log.after(5) == events[5:]
    assert log.after(len(events)) == []


async def test_a_journal_keeps_so_many_events_and_says_what_it_has_cut_off() -> None:
    whole, journal = Journal(), Journal(4)
    await run(whole, "ada")
    await run(journal, "ada")
    events = whole.log_of("ada").after(0)
    cut, *kept = journal.log_of("ada").after(0)
    assert (cut.kind, cut.id, cut.what) == ("cut", len(events) - 4, {"events": len(events) - 4})
    assert [(one.id, one.prev, one.kind) for one in kept] == [(one.id, one.prev, one.kind) for one in events[-4:]]
    assert [event.kind for event in journal.log_of("ada").after(len(events) - 2)] == ["stage", "ended"]


async def test_journals_of_the_contexts_that_ended_last_are_kept() -> None:
    journal = Journal(contexts=2)
    await run(journal, "a", "b", "c")
    assert len(journal.logs) == 2
    with pytest.raises(ContextClosed) as refused:
        journal.log_of("nobody")
    assert refused.value.reason == "NoJournal"


async def test_a_sink_gets_everything_and_nothing_is_kept() -> None:
    found: list[Event] = []

    def sink(events: Sequence[Event]) -> None:
        found.extend(events)

    journal = Journal(sink=sink)
    await run(journal, "ada", "grace")
    assert journal.logs == {}
    for name in ("ada", "grace"):
        own = [event for event in found if event.context == name]
        assert [event.id for event in own] == list(range(1, len(own) + 1))
        assert own[-1].kind == "ended"


async def test_a_context_is_followed_to_its_end() -> None:
    journal = Journal()
    found: list[Event] = []
    done = asyncio.Event()
    async with MemoryOrchestrator(journal=journal) as orchestrator, orchestrator(FLOW) as octx:
        backend = octx.backend
        backend.begin("ada", octx.plan, [Input(1, NUMBER)], lambda ending: None, hold=True)

        async def follow() -> None:
            async for event in backend.journal("ada", after=1, follow=True):
                found.append(event)
                if event.kind == "completed":
                    done.set()

        task = asyncio.create_task(follow())
        async with asyncio.timeout(120):
            await done.wait()
            await backend.add("ada", [Input(5, NUMBER)])
            await backend.close("ada")
            await task
    assert [event.id for event in found] == list(range(2, len(found) + 2))
    assert [event.kind for event in found if event.kind in ("added", "closed", "ended")] == ["added", "closed", "ended"]


async def test_whoever_follows_slowly_hears_what_happens_meanwhile() -> None:
    found: list[Event] = []
    async with MemoryOrchestrator(journal=Journal()) as orchestrator, orchestrator(FLOW) as octx:
        backend, ended = octx.backend, asyncio.Event()
        backend.begin("ada", octx.plan, [Input(1, NUMBER)], lambda ending: ended.set(), hold=True)
        async with asyncio.timeout(120):
            async for event in backend.journal("ada", follow=True):
                found.append(event)
                if event.id == 1:  # the others are not read yet
                    await backend.close("ada")
                    await ended.wait()
    assert [event.id for event in found] == list(range(1, len(found) + 1))
    assert [event.kind for event in found][-3:] == ["stage", "stage", "ended"]


async def test_a_name_that_is_used_again_begins_another_journal() -> None:
    journal = Journal(contexts=2)
    await run(journal, "ada")
    first = journal.log_of("ada").after(0)
    for _ in range(3):
        await run(journal, "ada")
    await run(journal, "grace")
    assert sorted(journal.logs) == ["ada", "grace"]
    again = journal.log_of("ada").after(0)
    assert [(event.id, event.kind) for event in again] == [(event.id, event.kind) for event in first]


async def test_two_backends_may_use_a_journal_and_names_at_a_time() -> None:
    journal = Journal(contexts=1)
    async with (
        MemoryOrchestrator(journal=journal) as orchestrator,
        orchestrator(FLOW) as one,
        orchestrator(FLOW) as two,
    ):
        for octx in (one, two):
            octx.backend.begin("ada", octx.plan, [Input(1, NUMBER)], lambda ending: None, hold=True)
        for octx in (one, two):
            await octx.backend.close("ada")
        await run(journal, "grace")
    assert list(journal.logs) == ["grace"]


async def test_identities_that_inputs_were_given_are_in_the_journal() -> None:
    journal = Journal()
    async with MemoryOrchestrator(journal=journal) as orchestrator, orchestrator(FLOW) as octx:
        inputs = [Input(("uid", 0, "no"), Definition("pair", "object")), Input(2, NUMBER, uid="two"), Input(3, NUMBER)]
        async for _ in octx.run({"ada": inputs}):
            pass
    found = [event.what for event in journal.log_of("ada").after(0) if event.kind == "input"]
    assert [(what["number"], what.get("uid"), what["position"]) for what in found] == [
        (0, None, (0, 0)), (1, "two", (0, 1)), (2, None, (0, 2)), (3, None, (0, 0)), (4, None, (0, 0))
    ]  # fmt: skip


async def test_a_context_that_is_refused_has_no_journal() -> None:
    journal = Journal()
    async with MemoryOrchestrator(journal=journal, exact=True) as orchestrator, orchestrator(FLOW) as octx:
        with pytest.raises(InvalidInput):
            octx.backend.begin("ada", octx.plan, [Input("one", NUMBER)], lambda ending: None)
    assert journal.logs == {}


async def test_a_backend_without_a_journal_says_so() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW) as octx:
        with pytest.raises(ContextClosed) as refused:
            [event async for event in octx.backend.journal("ada")]
    assert refused.value.reason == "NoJournal"


@pytest.mark.parametrize("limit", [0, -1, True, 1.5])
def test_a_journal_of_nothing_is_refused(limit: int) -> None:
    with pytest.raises(TidemillError) as refused:
        Journal(limit)
    assert refused.value.reason == "InvalidLimit"
