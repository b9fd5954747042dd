"""Names of metrics and labels are as Prometheus wants them, or an error says what is wrong."""

import pytest

from tidemill import metrics
from tidemill.errors import MetricError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "expected a name"),
        ("Pages_total", "expected a name"),
        ("pages__read_total", "expected a name"),
        ("1_total", "expected a name"),
        ("p" * 101 + "_total", "expected a name"),
        ("pages", 'call it "pages_total"'),
        ("tidemill_pages_total", "those of Tidemill"),
        ("wait_ms_total", 'is to be "seconds"'),
        ("read_megabytes_total", 'is to be "bytes"'),
        ("pages_sum_total", "what Prometheus adds"),
    ],
)
def test_a_counter_is_not_called_so(name: str, said: str) -> None:
    with pytest.raises(MetricError, match=said) as refused:
        metrics.counter(name, "Something")
    assert refused.value.reason == "InvalidMetric"


@pytest.mark.parametrize("make", [metrics.gauge, metrics.histogram])
def test_only_counters_end_in_total(make: object) -> None:
    with pytest.raises(MetricError, match='only a counter ends in "_total"'):
        make("pages_total", "Something")  # type: ignore[operator]


@pytest.mark.parametrize("name", ["page_milliseconds", "page_count", "page_bucket", "used_percent"])
def test_a_histogram_is_not_called_so(name: str) -> None:
    with pytest.raises(MetricError, match="is to be|what Prometheus adds"):
        metrics.histogram(name, "Something")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("operation",), "each series has already"),
        (("Status",), "is no name"),
        (("a", "a"), "8 different ones at most"),
        (tuple("abcdefghi"), "8 different ones at most"),
    ],
)
def test_a_label_is_not_called_so(labels: tuple[str, ...], said: str) -> None:
    with pytest.raises(MetricError, match=said):
        metrics.counter("pages_total", "Pages", *labels)


def test_what_is_counted_has_to_be_said() -> None:
    with pytest.raises(MetricError, match="its description is"):
        metrics.gauge("pages", " ")
