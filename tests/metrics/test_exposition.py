"""What Prometheus reads: every series with data flow and operation, histograms with buckets that add up."""

from prometheus_client.parser import text_string_to_metric_families

from tidemill import metrics
from tidemill.metrics.calls import calling
from tidemill.metrics.exposition import bounds, text
from tidemill.metrics.series import Recorder


def samples(recorder: Recorder) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text(recorder).decode())
        for one in family.samples
    }


def test_series_are_exposed_with_their_labels() -> None:
    recorder = Recorder(series=2)
    with calling(recorder.scope("flow", "fetch")):
        for status in (200, 200, 404, 500, 501):
            metrics.counter("pages_total", "Pages", "status").inc(status=status)
        metrics.gauge("queue_items", "Items").set(4)
        for seconds in (0.001, 0.2, 0.25, 3, 1e6):
            metrics.histogram("page_seconds", "Seconds").observe(seconds)
    found = samples(recorder)
    place = ("dataflow=flow", "operation=fetch")
    assert found["pages_total", *place, "status=200"] == 2
    assert found["pages_total", *place, "status=404"] == 1
    assert found["pages_total", "dataflow=other", "operation=other", "status=other"] == 2
    assert found["queue_items", *place] == 4
    assert found["page_seconds_count", *place] == 5
    assert found["page_seconds_bucket", "dataflow=flow", "le=0.25", "operation=fetch"] == 3
    assert found["page_seconds_bucket", "dataflow=flow", "le=4096.0", "operation=fetch"] == 4
    assert found["page_seconds_bucket", "dataflow=flow", "le=+Inf", "operation=fetch"] == 5
    assert found["tidemill_metrics_dropped_total", "metric=pages_total"] == 2


def test_the_number_of_buckets_is_fixed() -> None:
    assert [len(bounds(name)) for name in ("a_seconds", "a_bytes", "a_pages")] == [12, 8, 11]
