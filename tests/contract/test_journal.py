"""The journal of every backend: events name what caused them, and what they tell of a context is what it came to.

Random data flows, in random orders, with workers that vanish: the final state is rebuilt from the events alone, and
equals the real one.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.contract.chaos import Chaos, Seen, play
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.fixpoint import TooBig, fixpoint
from tests.contract.flows import Flow, inputs_of
from tests.contract.journals import JOURNALLED, Noting, journalled
from tests.contract.strategies import flows
from tests.contract.subject import Choose, Subject
from tidemill.errors import OperationFailure
from tidemill.journal.event import Event
from tidemill.journal.rebuilt import COUNTED, rebuilt
from tidemill.networks.backend import Ending

Journals = dict[str, list[Event]]
CAUSES = {
    "input": {"opened", "added", "leased"},
    "default": {"opened", "closed", "completed", "failed", "added", "stage", "lost", "retried", "released", "child"},
    "gate": {"input", "stage"},
    "taken": {"input", "default", "gate", "opened", "stage"},
    "dispatched": {"taken", "retried", "lost", "released", "child", "subflow", "completed", "failed", "dropped"},
    "leased": {"dispatched"},
    "completed": {"leased"},
    "failed": {"leased", "lost", "child"},
    "retried": {"leased", "child"},
    "lost": {"leased"},
    "released": {"leased"},
    "subflow": {"leased"},
    "child": {"subflow", "child"},
}
"""What may have caused an event of a kind; anything else is a fault of the journal."""


@pytest.mark.parametrize("backend", sorted(JOURNALLED))
def test_the_final_state_can_be_rebuilt_from_the_journal_alone(backend: str) -> None:
    factory, many = journalled(backend)

    @settings(max_examples=many)
    @given(flow=flows(), number=st.integers(0, 2**20))
    def examine_all(flow: Flow, number: int) -> None:
        examine(flow, factory, number)

    examine_all()


def examine(flow: Flow, factory: Noting, number: int) -> None:
    """Compare what the journals of one run tell with what became of its contexts."""
    try:
        for at, seeds in enumerate(flow.contexts):
            fixpoint(flow, f"c{at}", seeds)
    except TooBig:
        reject()
    journals: Journals = {}
    counted: Counter[tuple[str, str]] = Counter()

    @asynccontextmanager
    async def reading(clock: Clock, choose: Choose = None) -> AsyncIterator[Subject]:
        async with factory(clock, choose) as made:
            yield made.subject
            for name in await made.names():
                journals[name] = [event async for event in made.journal(name)]
            counted.update(await made.counts())

    chaos = asyncio.run(play(flow, reading, number))
    assert {name for name, seen in chaos.seen.items() if seen.ran is not None} <= set(journals)
    told: Counter[tuple[str, str]] = Counter()
    for name, events in journals.items():
        check_causes(name, events)
        state = rebuilt(events)
        told.update({(op, word): many for op, words in state.counts.items() for word, many in words.items() if many})
        seen = chaos.seen.get(name)
        if seen is not None and seen.ran is not None:
            compare(events, seen.ending)
    opened = Counter(event.what["child"] for events in journals.values() for event in events if event.kind == "child")
    if max(opened.values(), default=1) == 1:  # of a child that was opened again there is the last journal only
        assert told == +counted, "the journals count something else than the backend"
    else:
        assert told <= +counted


def check_causes(name: str, events: list[Event]) -> None:
    """Check that events are numbered, and that each names an event that can have caused it."""
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    for event in events:
        assert event.context == name
        assert 0 <= event.prev < event.id
        if event.kind in CAUSES:
            assert event.prev, f"nothing caused {event}"
            cause = events[event.prev - 1]
            assert cause.kind in CAUSES[event.kind], f"{cause} caused {event}"
            check_subject(cause, event)
    assert (events[0].kind, events[-1].kind) == ("opened", "ended")


def check_subject(cause: Event, event: Event) -> None:
    """Check that an event and its cause are about the same parameter set or input, where they have to be."""
    if event.kind == "taken" and cause.kind in ("input", "default"):
        # An input that was given to a gate may be what started it.
        assert cause.what["number"] in event.what["inputs"]
    elif event.kind == "input" and cause.kind == "leased":
        assert [cause.what[name] for name in ("operation", "inputs")] == [
            event.what[name] for name in ("operation", "inputs")
        ]
    elif event.kind in ("leased", "completed", "retried", "released", "subflow", "child"):
        assert (cause.what["operation"], cause.what["inputs"]) == (event.what["operation"], event.what["inputs"])


def compare(events: list[Event], ending: Ending) -> None:
    """Compare the state that events tell of with what became of the context."""
    state = rebuilt(events)
    assert state.status == ("succeeded" if ending.failure is None else "failed")
    assert state.result == ending.result
    assert len(state.sets) == ending.parameter_sets
    assert not set(state.sets.values()) - {"completed", "failed", "dropped"}, state.sets
    assert sum(event.kind == "input" for event in state.inputs.values()) == ending.inputs
    assert said(state.failure) == shown(ending.failure)
    assert [said(one) for one in state.failures] == [shown(one) for one in ending.failures]
    assert sorted(map(str, state.lineage())) == sorted(map(str, ending.lineage()))
    assert set(next(iter(state.counts.values()), dict.fromkeys(COUNTED))) == set(COUNTED)


def said(failure: Mapping[str, str] | None) -> tuple[str, ...] | None:
    """Return what a journal says of a failure."""
    return None if failure is None else (failure["reason"], failure["message"], failure.get("of", ""))


def shown(failure: OperationFailure | None) -> tuple[str, ...] | None:
    """Return the same of the failure itself."""
    return None if failure is None else (failure.reason, failure.message, failure.instance)


@pytest.mark.parametrize("backend", sorted(set(JOURNALLED) - {"memory"}))
def test_the_events_of_a_run_mean_the_same_on_every_backend(backend: str) -> None:
    oracle, (factory, many) = journalled("memory")[0], journalled(backend)

    @settings(max_examples=many)
    @given(flow=flows())
    def compare_all(flow: Flow) -> None:
        try:
            failed = [fixpoint(flow, f"c{at}", seeds).failed for at, seeds in enumerate(flow.contexts)]
        except TooBig:
            reject()
        if any(failed):  # how much was done before a failure is a matter of order
            reject()
        expected, found = (asyncio.run(played(flow, each)) for each in (oracle, factory))
        assert found.keys() == expected.keys()
        for name, events in found.items():
            mine, theirs = Counter(meanings(events)), Counter(meanings(expected[name]))
            assert (list(mine - theirs), list(theirs - mine)) == ([], []), f"here, and there, of {name}"

    compare_all()


class Unlikely(random.Random):
    """Chances of which none comes true."""

    def random(self) -> float:
        """Return almost 1."""
        return 0.999


class Calm(Chaos):
    """Workers of which none vanishes, over contexts that have all their inputs when they are opened."""

    async def open(self) -> None:
        """Open every context with all that it is given."""
        for at, seeds in enumerate(self.flow.contexts):
            name = f"c{at}"
            self.seen[name], self.flows[name] = Seen((*self.flow.seed, *seeds)), self.flow
            given, strict = inputs_of(self.flow, seeds), self.flow.strict
            await self.driver.open(self.plan(self.flow), given, name=name, strict=strict)

    async def trouble(self) -> None:
        """Have no trouble."""


async def played(flow: Flow, factory: Noting) -> Journals:
    """Return the journals of a run without trouble."""
    clock = Clock()
    async with factory(clock, None) as made:
        await Calm(flow, Driver(made.subject, clock, ancestors=True), Unlikely(0)).run()
        return {name: [event async for event in made.journal(name)] for name in await made.names()}


def meanings(events: list[Event]) -> Iterator[tuple[object, ...]]:
    """Yield what each event says, whatever its number and those of inputs: its kind, what it is about, and the same of
    its cause, where that is no matter of order."""
    lineage = {number: record.id for number, record in zip(numbers_of(events), rebuilt(events).lineage(), strict=True)}
    for event in events:
        cause = events[event.prev - 1] if event.prev and event.kind in ORDERLESS else None
        yield about(event, lineage), about(cause, lineage) if cause is not None and cause.kind != "leased" else None


ORDERLESS = {"leased", "completed", "failed", "retried", "child", "subflow"}


def numbers_of(events: list[Event]) -> list[int]:
    """Return the numbers of the inputs that events tell of, without defaults."""
    return sorted(event.what["number"] for event in events if event.kind == "input")


def about(event: Event, lineage: Mapping[int, str]) -> tuple[object, ...]:
    """Return what an event is about, in words that do not depend on any order."""
    what = {name: each for name, each in event.what.items() if name not in ("lease", "worker", "position", "freed")}
    for name in ("inputs", "parents"):
        if name in what:
            what[name] = tuple(lineage.get(number, "default") for number in what[name])
    for name in ("number", "input"):
        if name in what:
            what[name] = lineage.get(what[name], "default")
    if "canonical" in what or event.kind == "gate":  # who was first is a matter of order
        what = {name: each for name, each in what.items() if name not in ("inputs", "operation", "input")}
    return event.kind, str(sorted(what.items(), key=str))
