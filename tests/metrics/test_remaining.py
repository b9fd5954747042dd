"""How long it will take is said once everything that is left has been measured."""

import pytest

from tidemill.metrics.histograms import Histogram
from tidemill.metrics.measured import SECONDS
from tidemill.metrics.remaining import at_once, by_contexts, durations, seconds_left, shown_seconds
from tidemill.metrics.series import Recorder

MEASURED = {"fetch": Histogram([2.0, 4.0]), "parse": Histogram([1.0])}


def test_what_is_left_takes_what_it_has_taken_over_how_many_run_at_once() -> None:
    assert seconds_left({"fetch": 8, "parse": 4}, MEASURED, 4) == (8 * 3 + 4 * 1) / 4


def test_no_more_run_at_once_than_there_are() -> None:
    assert seconds_left({"fetch": 2}, MEASURED, 64) == 3


@pytest.mark.parametrize(
    ("left", "slots", "expected"),
    [({"load": 1}, 4, None), ({"load": 0}, 4, 0.0), ({}, 4, 0.0), ({"fetch": 1}, 0, None)],
)
def test_what_was_not_measured_is_not_told(left: dict[str, int], slots: float, expected: float | None) -> None:
    assert seconds_left(left, MEASURED, slots) == expected


def test_contexts_tell_when_their_number_is_known() -> None:
    assert by_contexts(10, 5, 20) == 30
    assert by_contexts(10, 0, 20) is None
    assert by_contexts(10, 5, None) is None


def test_durations_are_those_of_the_operations() -> None:
    recorder = Recorder()
    recorder.scope("flow", "fetch").observe(SECONDS, 2)
    recorder.scope("again", "fetch").observe(SECONDS, 4)
    found = durations(recorder)
    assert found == {"fetch": Histogram([2, 4])}
    assert at_once(found, 3) == 2
    assert at_once(found, 0) == 0


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-1, "0 s")]
)
def test_seconds_are_said_as_people_do(seconds: float, said: str) -> None:
    assert shown_seconds(seconds) == said
