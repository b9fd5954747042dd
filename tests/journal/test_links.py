"""Which event caused which, fact by fact."""

from pathlib import Path
from typing import Any

import pytest

from tidemill.errors import InvalidDocument
from tidemill.journal.event import KINDS, Event
from tidemill.journal.links import Links
from tidemill.journal.rebuilt import rebuilt

SET: dict[str, Any] = {"operation": "double", "inputs": (0,)}
OPENED: dict[str, Any] = {"plan": "sha256:0", "strict": True, "operations": {"double": ["number"]}}


def seed(number: int) -> dict[str, Any]:
    return {"number": number, "definition": "number", "origin": "seed", "parents": (), "position": (0, number)}


def linked(*facts: tuple[str, dict[str, Any]]) -> list[Event]:
    links = Links("ada")
    return [link for link in (links.link(kind, dict(what)) for kind, what in facts)]


def test_a_chain_leads_from_the_end_back_to_what_was_opened() -> None:
    events = linked(
        ("opened", OPENED),
        ("input", seed(0)),
        ("taken", SET),
        ("dispatched", SET),
        ("leased", SET),
        ("input", {**seed(1), "origin": ("double", "doubled"), "operation": "double", "inputs": (0,)}),
        ("completed", SET),
        ("stage", {"stage": "cleanup"}),
        ("stage", {"stage": "output"}),
        ("ended", {"status": "succeeded", "result": {}}),
    )
    assert [event.prev for event in events] == [0, 1, 2, 3, 4, 5, 5, 7, 8, 9]
    assert [event.id for event in events] == list(range(1, 11))


def test_a_further_try_is_caused_by_the_failure_before_it() -> None:
    tries = [("dispatched", SET), ("leased", SET), ("retried", {**SET, "reason": "Exception", "message": "boom"})]
    events = linked(("opened", OPENED), ("input", seed(0)), ("taken", SET), *tries, *tries[:2], ("completed", SET))
    assert [event.prev for event in events] == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_what_gets_a_lock_is_dispatched_because_of_who_gave_it_back() -> None:
    other = {"operation": "double", "inputs": (1,)}
    first = [("taken", SET), ("dispatched", SET), ("taken", other), ("leased", SET), ("completed", SET)]
    events = linked(
        ("opened", OPENED), ("input", seed(0)), ("input", seed(1)), *first, ("dispatched", {**other, "freed": True})
    )
    assert events[-1].prev == 8
    assert events[7].kind == "completed"
    assert "freed" not in events[-1].what


def test_a_gate_is_opened_by_an_input_and_starts_what_was_there_before() -> None:
    events = linked(
        ("opened", OPENED), ("input", seed(0)), ("added", {}), ("input", seed(1)),
        ("gate", {"operation": "double", "input": 1}), ("taken", SET),
    )  # fmt: skip
    assert [event.prev for event in events] == [0, 1, 0, 3, 4, 5]


def test_a_context_that_somebody_cancels_fails_of_nothing_within_it() -> None:
    events = linked(("opened", OPENED), ("failure", {"reason": "Cancelled", "message": "it was cancelled"}))
    assert events[-1].prev == 0
    events = linked(
        ("opened", OPENED), ("input", seed(0)), ("failure", {"reason": "InputLimitExceeded", "message": ""})
    )
    assert events[-1].prev == 2


def test_an_event_is_read_as_it_was_written() -> None:
    for event in linked(("opened", OPENED), ("input", seed(0)), ("taken", SET)):
        plain = {name: list(each) if isinstance(each, tuple) else each for name, each in event.plain().items()}
        assert Event.of(plain) == event


@pytest.mark.parametrize(
    "said",
    [None, [], {}, {"id": 1}, {"id": "1", "prev": 0, "kind": "taken", "context": "a"},
     {"id": 1, "prev": 0, "kind": "born", "context": "a"}, {"id": 1, "prev": 0, "kind": "taken", "context": "a"}],
)  # fmt: skip
def test_what_is_no_event_is_refused(said: Any) -> None:
    with pytest.raises(InvalidDocument) as refused:
        Event.of(said, "run.jsonl:7")
    assert (refused.value.reason, refused.value.path) == ("NotAnEvent", "run.jsonl:7")


def test_events_of_two_contexts_are_not_one_state() -> None:
    other = Links("grace").link("opened", dict(OPENED))
    with pytest.raises(InvalidDocument, match="grace"):
        rebuilt([*linked(("opened", OPENED)), other])


def test_what_was_cut_off_is_known_to_be_missing() -> None:
    links = Links("ada")
    cut = links.skip(7)
    after = links.link("taken", dict(SET))
    assert (cut.kind, cut.what, after.id) == ("cut", {"events": 7}, 8)
    state = rebuilt([cut, after])
    assert (state.cut, state.sets) == (7, {("double", (0,)): "taken"})


def test_the_page_names_every_kind_of_event() -> None:
    page = (Path(__file__).resolve().parent.parent.parent / "docs" / "journal.md").read_text(encoding="utf-8")
    for kind, says in KINDS.items():
        assert f"| `{kind}` | {says} |" in page
