"""Series are bounded, merge, and say what did not fit; what operations give wrongly is refused with a reason."""

import logging
import math
import threading
from collections.abc import Iterator

import pytest

from tidemill import metrics
from tidemill.errors import MetricError
from tidemill.metrics.calls import calling
from tidemill.metrics.series import OTHER, Kind, Recorder

PAGES = metrics.counter("pages_total", "Pages", "status")
HITS = metrics.counter("hits_total", "Hits")
SIZES = metrics.histogram("page_bytes", "Sizes of pages")
ITEMS = metrics.gauge("queue_items", "Items that wait")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder(metrics=4, series=3)
    with calling(made.scope("flow", "fetch")):
        yield made


def values(recorder: Recorder) -> dict[tuple[str, ...], object]:
    return {(one.kind.name, scope.operation, *one.values): one.value for scope, one in recorder}


def test_what_is_counted_in_a_call_is_its_operations(recorder: Recorder) -> None:
    HITS.inc()
    HITS.inc(2.5)
    PAGES.inc(status=200)
    ITEMS.set(7)
    ITEMS.set(3)
    SIZES.observe(10)
    assert values(recorder) == {
        ("hits_total", "fetch"): 3.5,
        ("pages_total", "fetch", "200"): 1,
        ("queue_items", "fetch"): 3,
        ("page_bytes", "fetch"): metrics.Histogram([10]),
    }


def test_labels_beyond_the_bound_share_one_series(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    for status in range(100):
        PAGES.inc(status=status)
    found = {key[2]: value for key, value in values(recorder).items()}
    assert found == {"0": 1, "1": 1, "2": 1, OTHER: 97}
    assert recorder.dropped == {"pages_total": 97}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_metrics_beyond_the_bound_are_counted_and_not_kept(recorder: Recorder) -> None:
    for at in range(10):
        metrics.counter(f"many_{at}_total", "Many").inc()
    assert len(values(recorder)) == 4
    assert sum(recorder.dropped.values()) == 6


def test_operations_beyond_the_bound_share_one_place() -> None:
    recorder = Recorder(series=3)
    for at in range(50):
        with calling(recorder.scope("flow", f"op{at}")):
            HITS.inc()
    found = values(recorder)
    assert sum(int(str(value)) for value in found.values()) == 50
    assert len(found) <= 5


def test_names_of_ten_thousand_users_stay_within_the_bound() -> None:
    recorder = Recorder()
    with calling(recorder.scope("flow", "fetch")):
        for at in range(10_000):
            PAGES.inc(status=f"user-{at}" * 100)
    assert len(values(recorder)) == 1001
    assert max(len(key[2]) for key in values(recorder)) == 100


def test_what_is_taken_out_is_what_is_merged_in(recorder: Recorder) -> None:
    HITS.inc(3)
    SIZES.observe(5)
    ITEMS.set(2)
    home = Recorder()
    home.merge(recorder.take())
    HITS.inc(4)
    home.merge(recorder.take())
    home.merge(recorder.take())
    assert values(home) == {
        ("hits_total", "fetch"): 7,
        ("page_bytes", "fetch"): metrics.Histogram([5]),
        ("queue_items", "fetch"): 2,
    }


@pytest.mark.parametrize("row", [[], ["a"], ["n_total", "counter", "", [], "f", "o", [], "many"],
                                 ["n_bytes", "histogram", "", [], "f", "o", [], {}]])  # fmt: skip
def test_what_does_not_fit_is_counted_and_fails_nobody(row: list[object]) -> None:
    recorder = Recorder()
    recorder.merge([row, ["ok_total", "counter", "", [], "f", "o", [], 1]])
    assert sum(recorder.dropped.values()) == 1
    assert values(recorder)["ok_total", "o"] == 1


def test_one_name_is_one_metric(recorder: Recorder) -> None:
    HITS.inc()
    with pytest.raises(MetricError, match="is a counter with the labels") as refused:
        metrics.counter("hits_total", "Hits", "page").inc(page=1)
    assert refused.value.reason == "DuplicateMetric"


def test_outside_of_any_call_it_is_the_process_that_counts() -> None:
    from tidemill.metrics.calls import PROCESS

    counter = metrics.counter("outside_total", "Counted by nobody's operation")
    counter.inc()
    metrics.progress(1, 2)
    assert values(PROCESS)["outside_total", ""] == 1


@pytest.mark.parametrize("by", [-1, math.nan, math.inf, "1", None, True])
def test_a_counter_only_grows(recorder: Recorder, by: object) -> None:
    with pytest.raises(MetricError, match='the increment of "hits_total" is .*, expected a number of 0 or more'):
        HITS.inc(by)  # type: ignore[arg-type]
    assert not values(recorder)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None])
def test_a_gauge_is_a_number(recorder: Recorder, value: object) -> None:
    with pytest.raises(MetricError, match="expected a finite number"):
        ITEMS.set(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "1", None])
def test_a_histogram_takes_what_is_not_negative(recorder: Recorder, value: object) -> None:
    with pytest.raises(MetricError, match="expected a finite number of 0 or more"):
        SIZES.observe(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [{}, {"code": 1}, {"status": 1, "code": 2}])
def test_labels_are_those_that_were_named(recorder: Recorder, labels: dict[str, int]) -> None:
    with pytest.raises(MetricError, match=r"was given the labels .*, expected \['status'\]"):
        PAGES.inc(**labels)


def test_progress_of_calls_adds_up(recorder: Recorder) -> None:
    metrics.progress(1, 4)
    metrics.progress(3, 4)
    metrics.progress(2, 4)  # it does not go back
    with calling(recorder.scope("flow", "fetch")):
        metrics.progress(1)
    assert values(recorder) == {
        ("tidemill_progress_done_total", "fetch"): 4,
        ("tidemill_progress_expected_total", "fetch"): 4,
    }


@pytest.mark.parametrize(("done", "total"), [(-1, 2), (3, 2), ("1", 2), (1, math.nan), (True, 2)])
def test_progress_is_a_part_of_a_whole(done: float, total: float) -> None:
    with pytest.raises(MetricError, match="progress was called with"):
        metrics.progress(done, total)


def test_threads_lose_no_count() -> None:
    recorder = Recorder()
    scope = recorder.scope("flow", "fetch")

    def count() -> None:
        with calling(scope):
            for _ in range(5000):
                HITS.inc()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(recorder) == {("hits_total", "fetch"): 20_000}


def test_all_is_plain_data_for_a_record(recorder: Recorder) -> None:
    PAGES.inc(status=200)
    recorder.scope("flow", "other").count(Kind("a_total", "counter", "A"))
    assert recorder.plain() == [
        {"name": "a_total", "type": "counter", "dataflow": "flow", "operation": "other", "labels": {}, "value": 1},
        {"name": "pages_total", "type": "counter", "dataflow": "flow", "operation": "fetch",
         "labels": {"status": "200"}, "value": 1},
    ]  # fmt: skip
