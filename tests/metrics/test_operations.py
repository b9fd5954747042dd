"""What operations count in a local run is in its record, wherever they run, beside what is measured of each."""

import logging
from typing import Any

import pytest

import tidemill
from tests.metrics import counting
from tidemill.metrics.calls import CALL
from tidemill.metrics.measured import SAMPLE
from tidemill.metrics.series import ENOUGH

EVERYWHERE = {"on_loop": "loop", "on_thread": "thread", "in_process": "process", "in_subprocess": "subprocess"}


def flow_of(*names: str) -> tidemill.DataFlow:
    flow = tidemill.DataFlow(*(getattr(counting, name) for name in names))
    for name in flow.flow:
        flow.flow[name].inputs = {"n": ["seed"]}
    return flow


async def ran(
    *names: str, given: tuple[int, ...] = (1, 2), strict: bool = True, **said: Any
) -> dict[tuple[str, ...], Any]:
    """Run the operations over numbers and return the series: (name, operation, values of labels) → value."""
    flow = flow_of(*names)
    inputs = [
        tidemill.Input(n, definition)
        for operation in flow.operations.values()
        for definition in operation.inputs.values()
        for n in given
    ]
    async with tidemill.MemoryOrchestrator(**said) as orchestrator, orchestrator(flow, strict=strict) as octx:
        async for _ in octx.outcomes(inputs):
            pass
        return {
            (one["name"], one["operation"].rpartition(":")[2], *one["labels"].values()): one["value"]
            for one in octx.metrics.plain()
        }


@pytest.mark.parametrize(("name", "where"), EVERYWHERE.items())
async def test_what_an_operation_counts_is_in_the_record_of_its_run(name: str, where: str) -> None:
    found = await ran(name)
    assert found["pages_total", name, where] == 3
    assert tidemill.metrics.Histogram.of(found["page_bytes", name]) == tidemill.metrics.Histogram([2, 4])
    assert found["last_page", name] in (1, 2)
    assert found["tidemill_progress_done_total", name] == 3
    assert found["tidemill_progress_expected_total", name] == 6


async def test_each_operation_is_measured() -> None:
    found = await ran(*EVERYWHERE)
    for name in EVERYWHERE:
        assert found["tidemill_operation_calls_total", name, "completed"] == 2
        assert tidemill.metrics.Histogram.of(found["tidemill_operation_seconds", name]).count == 2
    for name in ("on_thread", "in_process", "in_subprocess"):
        assert tidemill.metrics.Histogram.of(found["tidemill_operation_cpu_seconds", name]).count == 2
    for name in ("in_process", "in_subprocess"):
        output = tidemill.metrics.Histogram.of(found["tidemill_operation_output_bytes", name])
        memory = tidemill.metrics.Histogram.of(found["tidemill_operation_memory_bytes", name])
        assert output.count == 2 and memory.count == 2
        assert memory.sum > 2 * 2**20


@pytest.mark.parametrize("name", ["in_subprocess", "of_a_program"])
async def test_programs_count_through_a_file(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "tidemill.metrics")
    found = await ran(name, given=(1,))
    assert found["lines_total", name, "good"] == 2
    assert tidemill.metrics.Histogram.of(found["line_bytes", name]).sum == 8
    assert found["line_items", name] == 5
    if name == "of_a_program":
        assert found["tidemill_progress_expected_total", name] == 4
        assert [record.getMessage()[:22] for record in caplog.records] == ["2 lines of metrics of "]


async def test_the_wait_of_one_in_so_many_is_measured() -> None:
    found = await ran("on_loop", given=tuple(range(1, 3 * SAMPLE + 1)))
    assert tidemill.metrics.Histogram.of(found["tidemill_operation_wait_seconds", "on_loop"]).count == 3


async def test_what_is_gathered_is_taken_in_bit_by_bit() -> None:
    many = 3 * ENOUGH + 1
    found = await ran("on_loop", given=(1,) * many)
    assert tidemill.metrics.Histogram.of(found["tidemill_operation_seconds", "on_loop"]).count == many
    assert found["tidemill_operation_calls_total", "on_loop", "completed"] == many


async def test_failures_are_counted_as_such_and_what_was_counted_before_stays() -> None:
    found = await ran("fails", strict=False)
    assert found["tidemill_operation_calls_total", "fails", "failed"] == 2
    assert found["pages_total", "fails", "failing"] == 2


async def test_a_wrong_count_fails_its_operation_with_the_reason() -> None:
    flow = flow_of("counts_wrongly")
    given = [tidemill.Input(1, next(iter(flow.operations["tests.metrics.counting:counts_wrongly"].inputs.values())))]
    async with tidemill.MemoryOrchestrator() as orchestrator, orchestrator(flow) as octx:
        outcomes = [outcome async for outcome in octx.outcomes(given)]
    assert outcomes[0].failure is not None
    assert outcomes[0].failure.reason == "InvalidMetric"
    assert 'the increment of "pages_total" is -1' in outcomes[0].failure.message


async def test_a_call_is_nobodys_after_its_end() -> None:
    await ran("on_loop", "fails", strict=False)
    assert CALL.get(None) is None


async def test_without_metrics_nothing_is_recorded() -> None:
    assert await ran("on_loop", metrics=False) == {}
